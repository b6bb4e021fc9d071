"""What a row is going to contribute, asked before it is written: the same as is read after it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import Count, F, Max, Q, Sum
from django.db.models.signals import post_save

from syncfields.maintenance.changes import Change, Learnt
from syncfields.programs.beforehand import beforehand, form_of
from syncfields.programs.ways import read, way
from tests.hub import models as hub
from tests.ownmodels import assert_kept, kept, models_of, tables
from tests.programs import test_ways
from tests.programs.test_ways import APPS, HOUSES, House, Owner, compiled, houses, of_comments
from tests.statements import sent
from tests.truth import assert_truth

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor == "mysql", reason="reads after the write"),
]


@pytest.fixture(scope="module")
def towns(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def answered(asked):
    """What is said beforehand."""
    statement, values, _ = asked.asked()
    asked.take(statement.row(**values))
    return asked.known


def contents(house):
    """The row as it is in memory."""
    return {field.attname: getattr(house, field.attname) for field in House._meta.concrete_fields}


def test_what_comes_is_what_is_read_when_it_is_there(towns):
    del towns
    test_ways.settle(3, Owner(pk=999))
    ways = [*test_ways.ways(House)]
    asked_of = set()
    for house in House.objects.all():
        row = contents(house)
        new = Change(House, "insert", values={**row, "id": None}, rows=(row,))
        old = Change(House, "update", Learnt([house.pk]), values=row, rows=(row,))
        for each in ways:
            (now,) = read("default", House, (each,), [house.pk])
            for change in (new, old):
                if (asked := beforehand("default", change, (each,))) is not None:
                    asked_of.add(each)
                    assert answered(asked)[each] == now, (each.maintenance, row)

    assert len(ways) > len(asked_of) > len(ways) / 2


SEEN = [
    ("a key", Count(HOUSES), True),
    ("a number", houses(Sum, "rooms", owner__is_rich=True), True),
    ("a float", houses(Count, "", Q(**{f"{HOUSES}__price__gt": 1})), False),
    ("a text", houses(Count, "", Q(**{f"{HOUSES}__name": "a"})), False),
    ("the row's own key", houses(Count, "", pk__gt=3), False),
    ("more than the row's own key", Sum(F(f"{HOUSES}__id") + F("weight")), False),
]


@pytest.mark.parametrize(("name", "expression", "is_asked"), SEEN, ids=[name for name, *_ in SEEN])
def test_of_which_rows_it_is_proven(name, expression, is_asked):
    (found,) = [
        each
        for maintenance in compiled(expression, test_ways.Area, "number")
        if (each := way(maintenance, House)) is not None
    ]

    assert (form_of("default", House, (found,)) is not None) is is_asked


def test_a_row_whose_key_names_another_is_not_counted_by_it():
    (fees,) = compiled(Sum(f"{HOUSES}__deed__fee"), test_ways.Area, "number")

    assert form_of("default", test_ways.Deed, (way(fees, test_ways.Deed),)) is None


def test_values_that_are_not_what_they_will_be_are_not_asked(towns):
    del towns
    (rooms,) = compiled(houses(Sum, "rooms"), test_ways.Area, "number")
    way_of_rooms = way(rooms, House)

    def is_asked(**values):
        row = {**contents(House(owner_id=1)), **values}
        change = Change(House, "insert", values=row, rows=(row,))
        return beforehand("default", change, (way_of_rooms,)) is not None

    assert is_asked(rooms=3)
    assert is_asked(rooms="3")
    assert is_asked(rooms=None)
    assert not is_asked(rooms=F("price"))
    assert not is_asked(rooms=10**12)
    assert not is_asked(rooms="three")


@pytest.mark.parametrize("seed", range(3))
def test_values_are_kept_whatever_is_saved(towns, seed):
    """Rules of which all is told beforehand, and of which nothing is, side by side."""
    del towns
    rules = [
        (test_ways.Area, "number", houses(Count, "", ~Q(**{test_ways.RICH: True}))),
        (test_ways.Area, "highest", houses(Max, "rooms", tenant__home__weight__gt=0)),
        (test_ways.Area, "average", houses(Max, "price", owner__is_rich=True)),
    ]
    with kept(rules):
        pick = test_ways.settle(seed, Owner(pk=999))
        assert_kept()
        for _ in range(10):
            house = pick.choice(list(House.objects.all()))
            house.owner_id = pick.choice([*Owner.objects.values_list("pk", flat=True), 998])
            house.street = pick.choice([*test_ways.Street.objects.all(), None])
            house.rooms = pick.choice(["2", 5, None])
            house.save()
            House.objects.create(street=house.street, owner_id=house.owner_id, rooms=house.rooms)
            assert_kept()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others refuse to compare these")
def test_a_number_is_compared_with_a_text_as_its_column_is(towns):
    del towns
    fewer = houses(Count, "", rooms__lt=F(f"{HOUSES}__owner__name"))
    with kept([(test_ways.Area, "number", fewer)]):
        pick = test_ways.settle(1)
        owner = Owner.objects.create(name="9")
        street = test_ways.Street.objects.exclude(town__area=None)[0]
        house = House.objects.create(street=street, owner=owner, rooms=10)
        assert_kept()
        house.rooms = pick.choice([11, 12])
        house.save()

        assert_kept()


def test_nothing_is_read_after_the_write_of_a_row():
    rows = test_ways.Hub()
    comment = rows.comment(score=3)

    with sent() as created:
        comment.save()
    comment.post, comment.author = rows.posts[1], rows.authors[1]
    with sent() as moved:
        comment.save()

    for statements in (created, moved):
        writes = ("INSERT hub_comment", "UPDATE hub_comment")
        own = next(n for n, shape in enumerate(statements) if shape in writes)
        assert "SELECT hub_comment" not in statements[own:]
    assert not of_comments(created)
    assert_truth()


def test_a_receiver_that_comes_first_and_writes_what_was_read():
    rows = test_ways.Hub()

    def turn(instance, created, **kwargs):
        if created:
            author = hub.Author.objects.get(pk=instance.author_id)
            author.is_active = not author.is_active
            author.save()
            other = hub.Comment.objects.get(pk=instance.pk)
            other.post = rows.posts[1]
            other.save()

    ours, post_save.receivers = post_save.receivers, []
    post_save.connect(turn, hub.Comment)
    post_save.receivers += ours
    post_save.sender_receivers_cache.clear()
    try:
        rows.comment(score=3).save()
    finally:
        post_save.disconnect(turn, hub.Comment)

    assert_truth()


def test_a_field_that_gives_a_later_field_another_value(monkeypatch):
    rows = test_ways.Hub()
    other = rows.authors[1].pk

    def pre_save(instance, add):
        instance.author_id = other
        return instance.post_id

    comment = rows.comment(score=3)
    monkeypatch.setattr(hub.Comment._meta.get_field("post"), "pre_save", pre_save)
    comment.save()

    assert hub.Comment.objects.get().author_id == other
    assert_truth()
