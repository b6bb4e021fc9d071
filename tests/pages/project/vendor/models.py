from django.db import models


class Account(models.Model):
    order_count = models.IntegerField(default=0, editable=False)


class Order(models.Model):
    account = models.ForeignKey(Account, models.CASCADE, related_name="orders")
