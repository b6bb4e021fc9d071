from django.db import models
from django.db.models import Count

from syncfields import synced


class Tenant(models.Model):
    pass


class Order(models.Model):
    tenant = models.ForeignKey(Tenant, models.CASCADE)
    line_count = synced(models.IntegerField(default=0), Count("lines"))


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
