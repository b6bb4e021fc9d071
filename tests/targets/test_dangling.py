"""Copies along a key that cannot be NULL, and names a row that is gone: there is no constraint."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import F

from syncfields import reconcile, synced, unsynced
from tests.ownmodels import kept_by, own_apps

pytestmark = pytest.mark.django_db
APPS = own_apps("dangling")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "dangling"


class Owner(Own):
    number = models.IntegerField(default=1)


class Card(Own):
    owner = models.OneToOneField(Owner, models.CASCADE, primary_key=True)
    weight = models.IntegerField(default=3)


class Toy(Own):
    card = models.ForeignKey(Card, models.DO_NOTHING, db_constraint=False, related_name="toys")
    weight = synced(models.IntegerField(null=True), F("card__weight"))
    number = synced(models.IntegerField(null=True), F("card__owner__number"))


def held():
    return list(Toy.objects.order_by("pk").values_list("weight", "number"))


def test_a_copy_follows_a_key_that_goes_away():
    one, other = Owner.objects.create(), Owner.objects.create()
    Card.objects.create(owner=one)
    Toy.objects.create(card_id=one.pk)
    assert held() == [(3, 1)]

    Card.objects.update(owner=other)

    assert held() == [(None, None)]


@pytest.mark.parametrize("count", [1, 30])
def test_drift_is_found_where_nothing_is_copied_from(count):
    Toy.objects.bulk_create(Toy(card_id=99) for _ in range(count))
    with unsynced():
        Toy.objects.update(weight=7, number=8)

    assert reconcile("dangling", check=True).drifted == 2 * count
    reconcile("dangling")

    assert held() == [(None, None)] * count
    assert reconcile("dangling", check=True).ok
