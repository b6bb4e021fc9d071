"""Which rows are locked, by which statements, in which order."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import F

from syncfields.declare.paths import Path, walk
from syncfields.plan import registry
from syncfields.sql.locks import (
    Wanted,
    connecting,
    leads_to_one,
    lock,
    lock_between,
    lock_chosen,
    locking,
    matters_beyond,
    must_write,
    referring,
    rows_of,
    take,
    values,
)
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Book, Comment, Post, Publisher, Shelf

has_locks = pytest.mark.skipif(
    not connection.features.has_select_for_update, reason="One writer at a time"
)


def dependencies(model, name):
    (maintenance,) = (each for each in registry.plan().targets[model] if name in each.values)
    return {str(each.path): each for each in maintenance.dependencies}


# What is asked of the paths alone -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "lookup", "column"),
    [
        (Post, "comments", ("post_id",)),
        (zoo.Customer, "orders", ("customer_id",)),
        (Comment, "post", ()),  # It is this row that holds the key.
        (zoo.Photo, "tags", ()),  # A generic key names no row by itself.
    ],
)
def test_a_source_refers_to_the_row_next_to_it(target, lookup, column):
    assert referring(walk(target, lookup)) == column
    assert referring(Path(target)) == ()


def test_a_path_leads_to_one_row_if_all_keys_are_held_on_the_way():
    comments = walk(Post, "comments")

    assert leads_to_one(comments, walk(Post, "comments__author"))
    assert not leads_to_one(comments, walk(Post, "comments__reactions"))
    assert not leads_to_one(comments, comments)
    assert not leads_to_one(comments, walk(Post, "blog"))


def test_a_row_beyond_matters_where_its_columns_are_read():
    read = dependencies(Post, "active_count")

    comments, authors = read["comments"], read["comments__author"]
    assert matters_beyond(comments.path, authors, read.values())
    assert not matters_beyond(authors.path, comments, read.values())
    # A comment names its post by one key and its author by the other.
    assert connecting(comments, read.values()) == {"post_id", "author_id"}
    assert connecting(authors, read.values()) == {"id"}


def test_keys_are_known_where_the_row_says_them():
    rows = [{"post_id": 3}, {"post_id": None}, {"post_id": F("id")}, {}, {"post_id": 3}]

    assert values(rows, "post_id") == {3}


# What is sent -------------------------------------------------------------------------------------


@pytest.fixture
def shelves(db):
    shelves = [Shelf.objects.create() for _ in range(3)]
    for shelf in shelves:
        Book.objects.create(shelf=shelf, publisher=Publisher.objects.create())
    return shelves


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


def test_between_source_and_target_each_table_is_locked_from_the_source_on(db):
    post = Post.objects.create(blog=Blog.objects.create())
    reaction = zoo.Reaction.objects.create(comment=Comment.objects.create(post=post))
    read = dependencies(Blog, "reaction_count")

    with sent() as statements:
        lock_between(read["posts__comments__reactions"], read.values(), "default", [reaction.pk])

    # MariaDB finds the keys by a read before, which starts at the source.
    tables = dict.fromkeys(statements)
    tables.pop("SELECT testapp_reaction", None)
    assert [*tables] == ["SELECT testapp_comment", "SELECT testapp_post"]


# Wanted -------------------------------------------------------------------------------------------


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
