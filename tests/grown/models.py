"""The models as they are after the last migration. Columns that the rules read were named otherwise
when the rules came.
"""

from django.db import models
from django.db.models import Count, F, Sum

from syncfields import synced


class Customer(models.Model):
    email = models.EmailField()


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    total = synced(
        models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0),
        Sum("lines__price"),
    )
    line_count = synced(models.PositiveIntegerField(default=0, db_default=0), Count("lines"))
    parcel_count = models.PositiveIntegerField(default=0, db_default=0)
    email = synced(models.EmailField(), F("customer__email"))


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    price = models.DecimalField(max_digits=8, decimal_places=2)
