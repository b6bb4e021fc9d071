"""Averages and quotients in a decimal with more places than MariaDB shows of them."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Avg, Count, F, Sum

from syncfields import reconcile, synced, unsynced
from syncfields.testing import assert_in_sync
from tests.ownmodels import kept_by, own_apps

pytestmark = pytest.mark.django_db
APPS = own_apps("precision")
kept = kept_by(APPS)


def precise(expression):
    return synced(models.DecimalField(max_digits=20, decimal_places=9, null=True), expression)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "precision"


class Price(Own):
    amount = models.DecimalField(max_digits=9, decimal_places=2, default=10)


class Offer(Own):
    price = models.ForeignKey(Price, models.CASCADE, null=True, related_name="offers")
    third = precise(F("price__amount") / 3)
    share = synced(models.FloatField(null=True), F("price__amount") / 7)
    mean = precise(Avg("price__bids__size"))
    each = precise(Sum("price__bids__worth") / Count("price__bids"))


class Bid(Own):
    price = models.ForeignKey(Price, models.CASCADE, related_name="bids")
    size = models.IntegerField(default=1)
    worth = models.DecimalField(max_digits=9, decimal_places=2, default=1)


def bids(price, *sizes):
    Bid.objects.bulk_create([Bid(price=price, size=size, worth=size) for size in sizes])


@pytest.mark.parametrize("count", [1, 30])
def test_whatever_evaluates_them_they_have_all_their_places(count):
    one, other = Price.objects.create(), Price.objects.create(amount=11)
    bids(one, 3, 3, 1)
    bids(other, 5, 2, 4)

    offer = Offer.objects.create(price=one)
    assert_in_sync("precision")
    Offer.objects.bulk_create(Offer(price=one) for _ in range(count))
    assert_in_sync("precision")
    offer.price = other
    offer.save()
    assert_in_sync("precision")
    Offer.objects.update(price=other)
    assert_in_sync("precision")
    Bid.objects.create(price=other)
    assert_in_sync("precision")
    Price.objects.update(amount=7)
    assert_in_sync("precision")
    with unsynced():
        Offer.objects.update(third=0, share=0, mean=0, each=0)
    reconcile("precision")
    assert_in_sync("precision")
