"""django-money: an amount and its currency, two columns behind one name."""

from __future__ import annotations

import pytest

pytest.importorskip("djmoney", reason="django-money is not installed")

from decimal import Decimal

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from djmoney.models.fields import MoneyField
from djmoney.money import Money

from syncfields import synced
from tests.packages.truth import assert_holds, assert_true, shown

pytestmark = pytest.mark.django_db


def decimals(**options):
    return models.DecimalField(max_digits=14, decimal_places=2, **options)


class Purse(models.Model):
    name = models.CharField(max_length=20)
    limit = MoneyField(max_digits=12, decimal_places=2, default=0, default_currency="EUR")
    coin_count = synced(models.IntegerField(default=0), Count("coins"))
    euro_count = synced(
        models.IntegerField(default=0), Count("coins", filter=Q(coins__value_currency="EUR"))
    )
    euros = synced(decimals(default=0), Sum("coins__value", filter=Q(coins__value_currency="EUR")))
    largest = synced(decimals(null=True), Max("coins__value"))
    last_currency = synced(models.CharField(max_length=3, null=True), Max("coins__value_currency"))


class Coin(models.Model):
    purse = models.ForeignKey(Purse, models.CASCADE, related_name="coins")
    value = MoneyField(max_digits=12, decimal_places=2, default_currency="EUR", null=True)
    purse_limit = synced(decimals(null=True), F("purse__limit"))
    purse_currency = synced(models.CharField(max_length=3, null=True), F("purse__limit_currency"))


@pytest.fixture
def purse(db):
    purse = Purse.objects.create(name="one", limit=Money(100, "EUR"))
    for value in (Money(1, "EUR"), Money("2.50", "USD"), Money("0.20", "EUR"), None):
        Coin.objects.create(purse=purse, value=value)
        assert_true()
    return purse


def test_amounts_and_currencies_change(purse):
    coin = Coin.objects.get(value_currency="USD")
    coin.value = Money("3.75", "EUR")
    coin.save()
    assert_true()
    assert Purse.objects.get().euros == Decimal("4.95")
    coin.value_currency = "CHF"
    coin.save(update_fields=["value_currency"])
    assert_true()
    coin.value = 7
    coin.save()
    assert_true()
    Coin.objects.filter(value__gt=Money(1, "EUR")).update(value=F("value") * 2)
    assert_true()
    Coin.objects.update(value=Money(4, "USD"))
    assert_true()


def test_the_limit_is_followed(purse):
    purse.limit = Money("55.55", "USD")
    purse.save()
    assert_true()
    Purse.objects.update(limit=Money(9, "EUR"))
    assert_true()


def test_coins_in_bulk(purse):
    other = Purse.objects.create(name="two", limit=3)
    Coin.objects.bulk_create([Coin(purse=other, value=Money(n, "EUR")) for n in range(4)])
    assert_true()
    coins = list(other.coins.all())
    for coin in coins:
        coin.value, coin.purse = Money(8, "GBP"), purse
    Coin.objects.bulk_update(coins, ["value", "value_currency", "purse"])
    assert_true()
    Coin.objects.filter(value_currency="GBP").delete()
    assert_true()
    purse.delete()
    assert_true()


def test_what_the_page_shows(purse):
    made = shown("django-money", globals())
    assert_true()
    assert Purse.objects.get().euros == 0

    Coin.objects.update(value=Money(4, "EUR"))
    assert_holds(made.euros, Purse, "euros")
