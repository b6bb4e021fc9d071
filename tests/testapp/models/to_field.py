"""Orders: a foreign key to a column that is not the primary key, exact money."""

import uuid

from django.db import models
from django.db.models import Avg, Count, F, Max, Min, Q, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field, money_field


class Customer(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    code = models.CharField(max_length=20, unique=True)
    order_count = synced(count_field(), Count("orders"))
    spend = synced(money_field(default=0), Sum("orders__total"))
    line_count = synced(count_field(), Count("orders__lines"))
    last_line_on = synced(models.DateField(null=True), Max("orders__lines__date"))


class Order(models.Model):
    customer = models.ForeignKey(
        Customer,
        models.CASCADE,
        to_field="code",
        null=True,
        related_name="orders",
        db_column="CustomerCode",
    )
    customer_id_copy = synced(models.UUIDField(null=True), F("customer__id"))
    total = synced(money_field(default=0), Sum(F("lines__qty") * F("lines__price")))
    exact = synced(count_field(), Count("lines", filter=Q(lines__exact=True)))
    average_price = synced(
        models.DecimalField(max_digits=14, decimal_places=4, null=True), Avg("lines__price")
    )
    date = synced(models.DateField(null=True), Min("lines__date"))

    class Meta:
        db_table = "order"


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, null=True, related_name="lines")
    qty = models.IntegerField(default=1, db_column="QtyOrdered")
    price = money_field(default=0)
    exact = models.BooleanField(default=False)
    date = models.DateField(null=True)
