"""Rules that read the row's own columns beside a relation: what a new row starts with is what
``annotate()`` says, whatever its columns were given.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import models
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce, Concat

from syncfields import synced
from tests.ownmodels import assert_kept, kept_by, own_apps, stored

pytestmark = pytest.mark.django_db
APPS = own_apps("columns")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "columns"


class Owner(Own):
    name = models.CharField(max_length=20, default="")
    nick = models.CharField(max_length=20, null=True)
    level = models.IntegerField(default=7)


def number(expression):
    return synced(models.IntegerField(null=True), expression)


class Card(Own):
    owner = models.ForeignKey(Owner, models.CASCADE, null=True, related_name="cards")
    kind = models.CharField(max_length=20, default="")
    size = models.IntegerField(default=0)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    double = models.GeneratedField(
        expression=F("size") * 2, output_field=models.IntegerField(), db_persist=True
    )
    nick = synced(models.CharField(max_length=20, null=True), F("owner__nick"))
    title = synced(models.CharField(max_length=40, null=True), Concat("kind", "owner__name"))
    of_kind = number(Case(When(kind="a", then=F("owner__level")), default=0))
    of_name = number(Case(When(kind=F("owner__name"), then=F("owner__level")), default=0))
    of_size = number(Case(When(size__gt=3, then=F("owner__level")), default=0))
    of_owner = number(Case(When(owner=F("size"), then=F("owner__level")), default=0))
    added = number(F("size") + F("owner__level"))
    twice = number(F("double") + F("owner__level"))
    worth = synced(
        models.DecimalField(max_digits=9, decimal_places=2, null=True),
        F("price") + F("owner__level"),
    )


class Badge(Own):
    owner = models.ForeignKey(Owner, models.CASCADE, related_name="badges")
    number = number(Coalesce("pk", 0) + F("owner__level"))


class Turned(Own):
    """The key comes last, behind a column that the database fills."""

    owner = models.ForeignKey(Owner, models.CASCADE, related_name="turned")
    size = models.IntegerField(db_default=500)
    key = models.BigAutoField(primary_key=True)
    added = number(F("size") + F("owner__level"))


class Node(Own):
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="nodes")
    name = models.CharField(max_length=20, default="")
    parent_name = synced(models.CharField(max_length=20, null=True), F("parent__name"))


WAYS = {
    "create": lambda row: row.save(force_insert=True),
    "bulk_create": lambda row: type(row).objects.bulk_create([row]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kind": "a"},
        {"kind": "A"},
        {"kind": "ann"},
        {"kind": "ANN"},
        {"kind": Value("a")},
        {"size": 4},
        {"size": "4"},
        {"size": 4.0},
        {"size": True},
        {"size": Value(2) + 2},
        {"price": Decimal("1.25")},
        {"price": "1.5"},
        {"price": 1.5},
    ],
    ids=str,
)
def test_a_new_row_starts_with_what_its_columns_hold(way, given):
    owner = Owner.objects.create(name="ann")

    WAYS[way](Card(owner=owner, **given))
    assert_kept()
    WAYS[way](Card(owner=None, **given))

    assert_kept()


def test_a_fixture_that_says_what_is_true_no_longer():
    owner = Owner.objects.create()

    Card(pk=1, owner=owner, nick="bob", title="old", worth=3).save_base(raw=True)

    assert_kept()
    assert stored(Card, 1, "nick") == {"nick": None}


def test_a_key_is_compared_with_a_column_by_the_database():
    owner = Owner.objects.create()

    Card.objects.create(owner=owner, size=owner.pk)

    assert_kept()
    assert stored(Card, Card.objects.get().pk, "of_owner") == {"of_owner": 7}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_given_by_an_expression(way):
    owner = Owner.objects.create(name="ann")

    WAYS[way](Card(owner_id=Value(owner.pk)))

    assert_kept()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", [None, 5])
def test_the_key_of_a_new_row_may_be_known_to_the_database_only(way, key):
    owner = Owner.objects.create()

    WAYS[way](Badge(pk=key, owner=owner))

    assert_kept()


@pytest.mark.parametrize("way", WAYS)
def test_a_row_that_refers_to_itself(way):
    WAYS[way](Node(pk=5, parent_id=5, name="five"))

    assert_kept()
    assert stored(Node, 5, "parent_name") == {"parent_name": "five"}


@pytest.mark.parametrize("key", [None, 77])
def test_what_the_database_fills_is_read_of_the_row_whose_key_comes_last(key):
    owner = Owner.objects.create(level=4)
    Turned.objects.create(owner=owner, key=key)
    Turned.objects.create(owner=owner)

    assert_kept()
    assert set(Turned.objects.values_list("added", flat=True)) == {504}
