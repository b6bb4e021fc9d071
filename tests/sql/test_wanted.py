"""Rows that are wanted are locked in one order of the tables."""

from __future__ import annotations

import pytest

from syncfields.declare.paths import walk
from syncfields.sql.wanted import Wanted
from tests.statements import sent
from tests.testapp.models import Book, Publisher, Shelf


@pytest.fixture
def wanted():
    return Wanted("default", {Shelf: 0, Book: 1, Publisher: 2})


def locked_tables(statements):
    return [each.removeprefix("SELECT testapp_") for each in statements if "SELECT" in each]


def test_tables_are_locked_in_their_order_and_once(shelves, wanted):
    books = list(Book.objects.all())
    wanted.rows(Publisher, [books[0].publisher_id])
    wanted.rows(Book, [books[1].pk])
    wanted.name(Shelf, "id", [shelves[2].pk])
    wanted.rows(Shelf, [shelves[0].pk])

    with sent() as statements:
        assert wanted.take()

    assert locked_tables(statements) == ["shelf", "book", "publisher"]
    assert wanted.taken[Shelf] == {shelves[0].pk, shelves[2].pk}


def test_only_tables_that_come_before_another_are_locked(shelves, wanted):
    wanted.rows(Shelf, [shelves[0].pk])
    wanted.rows(Publisher, [1])

    with sent() as statements:
        wanted.take(before=Book)

    assert locked_tables(statements) == ["shelf"]


def test_a_named_row_that_is_not_there_is_told(shelves, wanted):
    wanted.name(Shelf, "id", [shelves[0].pk, 0])

    assert not wanted.take()
    assert wanted.taken_of(Shelf, [0, shelves[0].pk, str(shelves[0].pk)]) == [
        shelves[0].pk,
        shelves[0].pk,
    ]


def test_rows_that_join_others_are_locked_only_with_them(shelves, wanted):
    wanted.join(Shelf, [shelves[0].pk])
    with sent() as statements:
        wanted.take()
    assert statements == []

    wanted.rows(Shelf, [shelves[1].pk])
    wanted.take()

    assert wanted.taken[Shelf] == {shelves[0].pk, shelves[1].pk}


def test_rows_are_found_by_a_query_in_the_lock_itself(shelves, wanted):
    path = walk(Shelf, "books")
    chosen = Shelf.objects.filter(books__pages=0).order_by().values_list("pk", flat=True)
    wanted.find(Shelf, chosen, path, "pages", [0])

    with sent() as statements:
        wanted.take()

    assert wanted.taken[Shelf] == {shelf.pk for shelf in shelves}
    # Books are locked later, and may lead elsewhere by then: the way is gone once more.
    assert locked_tables(statements)[0] == "shelf"
