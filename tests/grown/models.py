"""The models as they are after the last migration. Columns that the rules read were named otherwise
when the rules came. They hold only where ``with_rules()`` is used: the other tests are about the
zoo.
"""

from contextlib import contextmanager

from django.db import models
from django.db.models import Count, F, Sum

from syncfields.declare.rules import Declaration, Rule, registered
from syncfields.plan import registry


class Customer(models.Model):
    email = models.EmailField()


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    total = models.DecimalField(
        max_digits=12, decimal_places=2, default=0, db_default=0, editable=False
    )
    line_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    parcel_count = models.PositiveIntegerField(default=0, db_default=0)
    email = models.EmailField(editable=False)


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    price = models.DecimalField(max_digits=8, decimal_places=2)


RULES = {"total": Sum("lines__price"), "line_count": Count("lines"), "email": F("customer__email")}


@contextmanager
def with_rules():
    """Let the rules hold, as if ``synced()`` had declared them."""
    rules = [Rule(Order, name, Declaration(expression)) for name, expression in RULES.items()]
    registered.extend(rules)
    registry.rebuild()
    yield
    for rule in rules:
        registered.remove(rule)
    registry.rebuild()
