"""Rows drawn at random."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from syncfields import reconcile
from syncfields.reconcile import sampling
from syncfields.sql.rows import rows
from tests.menagerie import write_behind
from tests.testapp.models import Customer, Page, Post, Seat, Shelf, Team

pytestmark = pytest.mark.django_db


def shelves(number):
    return [each.pk for each in (Shelf.objects.create() for _ in range(number))]


def drawn(model, number, **conditions):
    return set(
        sampling.sampled(rows(model, "default").filter(**conditions), number).values_list(
            "pk", flat=True
        )
    )


def test_as_many_rows_as_wanted_and_not_always_the_same():
    keys = set(shelves(50))

    samples = [drawn(Shelf, 5) for _ in range(10)]

    assert {len(each) for each in samples} == {5}
    assert set().union(*samples) <= keys
    assert len({frozenset(each) for each in samples}) > 1


@pytest.mark.parametrize("number", [3, 4])
def test_all_rows_where_there_are_no_more(number):
    keys = set(shelves(3))

    assert drawn(Shelf, number) == keys


def test_of_no_rows_none():
    assert drawn(Shelf, 3) == set()


def test_between_gaps_too():
    for pk in (1, 10, 10_000, 10**9):
        Shelf.objects.create(pk=pk)

    samples = [drawn(Shelf, 2) for _ in range(10)]

    assert {len(each) for each in samples} == {2}


def test_the_table_is_not_read():
    """A query for each row that is wanted, at most two, and each by the primary key."""
    shelves(200)

    with CaptureQueriesContext(connection) as sent:
        assert len(drawn(Shelf, 5)) == 5

    assert len(sent) <= 2 * 5 + 5
    assert [each["sql"] for each in sent if not re.search("WHERE|LIMIT", each["sql"])] == []
    assert [each["sql"] for each in sent if "RAND" in each["sql"]] == []


def test_keys_that_are_text():
    for number in range(10):
        Page.objects.create(slug=f"page-{number}")

    assert len(drawn(Page, 4)) == 4


def test_keys_that_are_uuids():
    for number in range(10):
        Customer.objects.create(code=f"c{number}")

    for _ in range(5):
        assert len(drawn(Customer, 4)) == 4


def test_keys_of_several_columns():
    team = Team.objects.create(name="reds")
    for number in range(10):
        Seat.objects.create(team=team, number=number)

    assert len(drawn(Seat, 4)) == 4


def test_rows_with_a_condition():
    keys = shelves(10)

    samples = [drawn(Shelf, 3, pk__gt=keys[4]) for _ in range(5)]

    assert {len(each) for each in samples} == {3}
    assert set().union(*samples) <= set(keys[5:])


def test_only_the_sample_is_repaired():
    shelves(20)
    write_behind(Shelf, book_count=7)

    report = reconcile("testapp.Shelf.book_count", sample=5)

    assert (report.scanned, report.repaired) == (5, 5)
    assert Shelf.objects.filter(book_count=7).count() == 15


def test_a_sample_of_rows_with_a_condition():
    keys = shelves(20)

    report = reconcile(Shelf, where=Q(pk__gt=keys[9]), sample=5, check=True)

    assert {each.scanned for each in report.rules} == {5}


def test_each_model_has_its_own():
    shelves(5)
    Post.objects.create()

    report = reconcile(Shelf, Post, sample=3, check=True)

    assert {each.scanned for each in report.rules} == {3, 1}


@pytest.mark.parametrize("options", [{"sample": 0}, {"sample": 3, "start_after": 5}])
def test_nonsense_is_refused(options):
    with pytest.raises(ValueError, match=r"(?i)a sample"):
        reconcile(Shelf, check=True, **options)
