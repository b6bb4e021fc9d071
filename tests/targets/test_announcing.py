"""``synced``: what a transaction has changed in targets, told once and after COMMIT."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.db import connection, transaction
from django.test import TestCase

from syncfields import coalesce, reconcile, unsynced
from syncfields.signals import synced
from tests.statements import number_of_statements
from tests.testapp.models import Blog, Book, City, Comment, Country, Post, Publisher, Shelf
from tests.undo import UndoError

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def heard(*senders):
    """What is told of some models: the keys and fields, once for each signal."""
    found = []

    def receive(sender, pks, fields, using, **kwargs):
        assert not connection.in_atomic_block
        assert using == "default"
        found.append((sender, pks, fields))

    for sender in senders:
        synced.connect(receive, sender=sender)
    try:
        yield found
    finally:
        for sender in senders:
            synced.disconnect(receive, sender=sender)


@pytest.fixture
def shelves():
    return [Shelf.objects.create() for _ in range(2)]


BOTH = frozenset({"book_count", "page_sum"})


def test_each_kind_of_write_tells_of_the_targets(shelves):
    first, second = shelves
    with heard(Shelf) as told:
        book = Book.objects.create(shelf=first, pages=3)
        book.shelf = second
        book.save()
        book.title = "other"
        book.save()  # Nothing follows.
        Book.objects.update(pages=5)
        Book.objects.bulk_create([Book(shelf=first), Book(shelf=second)])
        book.delete()
        first.books.all().delete()

    assert told == [
        (Shelf, [first.pk], BOTH),
        (Shelf, [first.pk, second.pk], BOTH),
        (Shelf, [second.pk], frozenset({"page_sum"})),
        (Shelf, [first.pk, second.pk], frozenset({"book_count"})),
        (Shelf, [second.pk], BOTH),
        (Shelf, [first.pk], frozenset({"book_count"})),
    ]


@pytest.mark.parametrize("block", [transaction.atomic, coalesce])
def test_once_for_each_transaction_and_model(block, shelves):
    publisher = Publisher.objects.create()

    with heard(Shelf, Publisher) as told:
        with block():
            for number in (0, 1, 0):
                Book.objects.create(shelf=shelves[number], publisher=publisher, pages=600)
            assert told == []
        assert told == [
            (Shelf, [each.pk for each in shelves], BOTH),
            (Publisher, [publisher.pk], frozenset({"thick_count"})),
        ]


def test_a_chain_is_told_of_as_a_whole():
    post = Post.objects.create(blog=Blog.objects.create())

    with heard(Post, Blog) as told:
        Comment.objects.create(post=post)

    assert {sender for sender, *_ in told} == {Post, Blog}
    assert [pks for _, pks, _ in told] == [[post.pk], [post.blog_id]]


def test_copies_that_one_update_finds():
    country = Country.objects.create(code="x", name="ex")
    cities = [City.objects.create(country=country) for _ in range(2)]

    with heard(City) as told:
        country.name = "why"
        country.save()

    assert told == [(City, [each.pk for each in cities], frozenset({"country_name"}))]
    assert {each.country_name for each in City.objects.all()} == {"why"}


def test_a_savepoint_that_is_rolled_back_takes_its_own_with_it(shelves):
    first, second = shelves
    third = Shelf.objects.create()

    def create(shelf, fails):
        with suppress(UndoError), transaction.atomic():
            Book.objects.create(shelf=shelf)
            if fails:
                raise UndoError

    with heard(Shelf) as told:
        with transaction.atomic():
            create(second, fails=True)
            create(first, fails=False)
            with suppress(UndoError), transaction.atomic():
                create(third, fails=False)
                raise UndoError
        with suppress(UndoError), transaction.atomic():
            create(third, fails=False)
            raise UndoError
        with transaction.atomic(), suppress(UndoError), transaction.atomic():
            create(second, fails=False)
            raise UndoError
        with transaction.atomic():
            create(second, fails=True)
            Book.objects.create(shelf=third)
            create(second, fails=True)

    assert told == [
        (Shelf, [first.pk], frozenset({"book_count"})),
        (Shelf, [third.pk], frozenset({"book_count"})),
    ]


@pytest.mark.parametrize("number", [3, 60])
def test_reconcile_tells_of_what_it_repairs(number):
    wrong = [Shelf.objects.create() for _ in range(number)]
    Shelf.objects.create()
    with unsynced():
        for shelf in wrong:
            Book.objects.create(shelf=shelf, pages=3)

    with heard(Shelf) as told:
        reconcile(Shelf)
        reconcile(Shelf)

    assert told == [(Shelf, [each.pk for each in wrong], BOTH)]


def test_what_is_put_right_after_unsynced(shelves):
    with heard(Shelf) as told, unsynced(reconcile=True):
        Book.objects.create(shelf=shelves[0])

    assert [pks for _, pks, _ in told] == [[shelves[0].pk]]


def test_where_nobody_listens_nothing_is_noted(shelves):
    def write():
        with transaction.atomic():
            Book.objects.create(shelf=shelves[0])
            assert connection.run_on_commit == []

    alone = number_of_statements(write)
    with heard(Publisher) as told:
        assert number_of_statements(write) == alone
    assert told == []


def test_a_receiver_that_fails_does_not_fail_the_write(shelves, caplog):
    def fail(**kwargs):
        raise ZeroDivisionError

    synced.connect(fail, sender=Shelf)
    try:
        with heard(Shelf) as told:
            Book.objects.create(shelf=shelves[0])
    finally:
        synced.disconnect(fail, sender=Shelf)

    assert len(told) == 1
    assert "ZeroDivisionError" in caplog.text


def test_a_receiver_may_write(shelves):
    def write(pks, **kwargs):
        if Book.objects.count() < 3:
            Book.objects.create(shelf_id=pks[0], pages=1)

    synced.connect(write, sender=Shelf)
    try:
        with heard(Shelf) as told, transaction.atomic():
            Book.objects.create(shelf=shelves[0])
    finally:
        synced.disconnect(write, sender=Shelf)

    assert len(told) == 3
    assert Shelf.objects.get(pk=shelves[0].pk).book_count == 3


def test_async_receivers(shelves):
    found = []

    async def receive(pks, **kwargs):
        await asyncio.sleep(0)
        found.append(pks)

    async def write():
        await Book.objects.acreate(shelf=shelves[1])

    assert iscoroutinefunction(receive)
    synced.connect(receive, sender=Shelf)
    try:
        Book.objects.create(shelf=shelves[0])
        async_to_sync(write)()
    finally:
        synced.disconnect(receive, sender=Shelf)

    assert found == [[each.pk] for each in shelves]


def test_in_a_test_case_that_captures_callbacks(shelves):
    found = []

    def receive(pks, **kwargs):
        found.append(pks)

    synced.connect(receive, sender=Shelf)
    try:
        with transaction.atomic():
            for shelf in shelves:
                with TestCase.captureOnCommitCallbacks(execute=True):
                    Book.objects.create(shelf=shelf)
    finally:
        synced.disconnect(receive, sender=Shelf)

    assert found == [[each.pk] for each in shelves]
