"""``touch`` tells of values that have changed, also where rows of other tables lie between."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Case, F, Max, Sum, Value, When

from syncfields import synced
from tests.ownmodels import assert_kept, kept_by, own_apps

pytestmark = pytest.mark.django_db
APPS = own_apps("touching")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "touching"


class Town(Own):
    top = synced(models.IntegerField(null=True), Max("streets__houses__rooms"), touch="top_at")
    top_at = models.DateTimeField(null=True)
    total = synced(models.IntegerField(default=0), Sum("streets__houses__rooms"), touch="total_at")
    total_at = models.DateTimeField(null=True)


class Street(Own):
    town = models.ForeignKey(Town, models.CASCADE, related_name="streets")


class House(Own):
    street = models.ForeignKey(Street, models.CASCADE, related_name="houses")
    rooms = models.IntegerField(null=True)


class Pot(Own):
    weight = synced(models.FloatField(default=0), Sum("beans__weight"), touch="weight_at")
    weight_at = models.DateTimeField(null=True)


class Bean(Own):
    pot = models.ForeignKey(Pot, models.CASCADE, related_name="beans")
    weight = models.FloatField()


@pytest.fixture
def town():
    town = Town.objects.create()
    for rooms in (5, 3, 0):
        House.objects.create(street=Street.objects.create(town=town), rooms=rooms)
    Town.objects.update(top_at=None, total_at=None)
    return town


def touched(town):
    return {
        name.removesuffix("_at")
        for name, value in Town.objects.values("top_at", "total_at").get(pk=town.pk).items()
        if value is not None
    }


MOVED = {5: {"top", "total"}, 3: {"total"}, 0: set()}


@pytest.mark.parametrize("rooms", MOVED)
@pytest.mark.parametrize("way", ["save", "update"])
def test_a_street_that_moves(town, rooms, way):
    street, other = Street.objects.get(houses__rooms=rooms), Town.objects.create()

    if way == "save":
        street.town = other
        street.save()
    else:
        Street.objects.filter(pk=street.pk).update(town=other)

    assert_kept()
    assert touched(town) == MOVED[rooms]


def test_numbers_that_are_swapped(town):
    swapped = Case(When(rooms=5, then=Value(3)), When(rooms=3, then=Value(5)), default=F("rooms"))

    House.objects.update(rooms=swapped)

    assert_kept()
    assert touched(town) == set()


def test_a_street_that_is_deleted(town):
    Street.objects.filter(houses__rooms=0).delete()
    assert touched(town) == set()
    Street.objects.filter(houses__rooms=3).delete()
    assert touched(town) == {"total"}
    assert_kept()


def test_a_small_change_of_a_large_float():
    pot = Pot.objects.create()
    for weight in (1e9, 1.5):
        bean = Bean.objects.create(pot=pot, weight=weight)
    Pot.objects.update(weight_at=None)

    Bean.objects.filter(pk=bean.pk).update(weight=2.0)

    pot.refresh_from_db()
    assert pot.weight == 1e9 + 2
    assert pot.weight_at is not None
