"""Wallets: values that a CHECK constraint guards, NULL as a drifted value."""

from django.db import models
from django.db.models import Count, Q, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field, money_field


class Wallet(models.Model):
    balance = synced(money_field(default=0), Sum("entries__amount"))
    entry_count = synced(models.IntegerField(null=True), Count("entries"))
    positive_count = synced(count_field(), Count("entries", filter=Q(entries__amount__gt=0)))
    weight = synced(models.FloatField(null=True), Sum("entries__weight"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_not_overdrawn")
        ]


class Entry(models.Model):
    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="entries")
    amount = money_field(default=0)
    weight = models.FloatField(default=0)
