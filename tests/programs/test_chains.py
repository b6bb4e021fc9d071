"""Rules that sum up a synced field: by addition, and where that says too little."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count, Max, Sum

from syncfields import synced, unsynced
from syncfields.maintenance.changes import Change, Learnt
from syncfields.programs import chains
from syncfields.targets.updates import Update
from tests.ownmodels import assert_kept, kept_by, own_apps

APPS = own_apps("chains")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "chains"


class Shop(Own):
    total = synced(models.IntegerField(default=0), Sum("shelves__count"))


class Shelf(Own):
    shop = models.ForeignKey(Shop, models.CASCADE, related_name="shelves")
    count = synced(models.PositiveIntegerField(default=0), Count("books"))
    pages = synced(models.IntegerField(default=0), Sum("books__pages"))
    last = synced(models.IntegerField(null=True), Max("books__pk"))


class Book(Own):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="books")
    pages = models.IntegerField(default=1)


ADDED = {1: {"count": 1}, 2: {"count": -1}}


@pytest.mark.parametrize(
    ("update", "follows"),
    [
        (Update(Shelf, ADDED), True),
        (Update(Shelf, ADDED, joined={1: {"last": ("gt", 5)}}), True),
        (Update(Shelf, ADDED, anew={"count": {3}}), False),
        (Update(Shelf, anew={"count": {1}}), False),
        (Update(Shelf, {1: {"pages": 1}}), True),
    ],
)
def test_what_is_added_to_a_field_is_added_to_its_sums(update, follows):
    change = Change(Shelf, "update", Learnt(update.pks, update.names))

    found = chains.added_on(change, update.names - update.evaluated)

    assert [each.target for each in found] == [Shop] * (follows and "count" in update.names)


@pytest.mark.django_db
def test_a_sum_of_a_row_that_did_not_take_what_was_added_is_evaluated():
    """It had drifted to what it is after the write, and 1 - 2 is no positive number."""
    shop = Shop.objects.create()
    one, two = (Shelf.objects.create(shop=shop) for _ in range(2))
    Book.objects.bulk_create(Book(shelf=shelf) for shelf in (one, one, one, two, two, two))
    with unsynced():
        Shelf.objects.filter(pk=one.pk).update(count=1)
        Shop.objects.update(total=4)

    spared = [
        *Book.objects.filter(shelf=one).values_list("pk", flat=True)[:1],
        *Book.objects.filter(shelf=two).values_list("pk", flat=True)[:2],
    ]
    Book.objects.exclude(pk__in=spared).delete()

    assert_kept()
