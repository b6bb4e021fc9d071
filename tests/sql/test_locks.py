"""How rows are locked, by which statements."""

from __future__ import annotations

import pytest
from django.db import connection

from syncfields.sql.locks import lock, lock_chosen, locking, must_write, rows_of, take
from tests.statements import sent
from tests.testapp.models import Book, Shelf

has_locks = pytest.mark.skipif(
    not connection.features.has_select_for_update, reason="One writer at a time"
)


def test_rows_are_locked_in_the_order_of_their_keys(shelves):
    pks = sorted(shelf.pk for shelf in shelves)

    with sent() as statements:
        taken = take(Shelf.objects.filter(pk__in=reversed(pks)))

    assert taken == pks
    assert "ORDER BY" in statements.sql[0]
    if not must_write("default"):
        assert statements == ["SELECT testapp_shelf"]


@has_locks
def test_foreign_keys_are_checked_meanwhile_where_the_database_can_tell(shelves):
    with sent() as statements:
        list(locking(Shelf.objects.all()))

    no_key = connection.features.has_select_for_no_key_update
    assert statements.sql[0].endswith("FOR NO KEY UPDATE" if no_key else "FOR UPDATE")


def test_rows_that_are_gone_are_not_locked(shelves):
    gone = shelves[0].pk
    Shelf.objects.filter(pk=gone).delete()

    locked = lock(Shelf, "default", [gone, shelves[1].pk])

    # Without row locks nobody asks which are there.
    has = connection.features.has_select_for_update
    assert set(locked) == ({shelves[1].pk} if has else {gone, shelves[1].pk})
    assert lock(Shelf, "default", []) == []


@pytest.mark.parametrize(
    "chosen",
    [
        lambda: Book.objects.filter(shelf__book_count__gte=0),
        Book.objects.distinct,
        lambda: Book.objects.filter(pages=0).order_by("-pk"),
    ],
    ids=["joined", "distinct", "plain"],
)
def test_any_queryset_is_locked_as_rows_of_its_table(shelves, chosen):
    expected = sorted(book.pk for book in chosen())

    assert lock_chosen(chosen()) == expected
    assert rows_of(chosen()).query.order_by == ("pk",)
