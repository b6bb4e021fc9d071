"""Saves follow by a receiver of ``post_save``; whatever becomes of the signal, values are right."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.db.models.signals import post_save, pre_save

from syncfields import SyncedFieldError, coalesce
from syncfields.capture import receivers
from syncfields.plan import registry
from tests.testapp.models import (
    Blog,
    BlogProxy,
    Book,
    Comment,
    Place,
    PublicComment,
    Restaurant,
    Shelf,
    Unwatched,
    Zone,
)
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db(transaction=True)

BLOCKS = {"autocommit": nullcontext, "atomic": transaction.atomic, "coalesce": coalesce}
in_each_block = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert not connection.in_atomic_block
    assert not connection.needs_rollback


@pytest.fixture
def shelves():
    return [Shelf.objects.create() for _ in range(3)]


@contextmanager
def received(signal, receiver, sender, place=None):
    """Connect a receiver: before all others, before the library's, or behind it."""
    signal.connect(receiver, sender=sender, weak=False)
    if place == "first":
        with signal.lock:
            signal.receivers.insert(0, signal.receivers.pop())
            signal.sender_receivers_cache.clear()
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=sender)


@contextmanager
def muted(*signals):
    """What factory_boy's ``mute_signals()`` does."""
    paused = {each: each.receivers for each in signals}
    for each in signals:
        each.receivers = []
        each.sender_receivers_cache.clear()
    try:
        yield
    finally:
        for each, known in paused.items():
            each.receivers = known + each.receivers
            each.sender_receivers_cache.clear()


def once(act):
    """A receiver that acts at the first signal, and not at those of what it does itself."""
    calls = []

    def receive(instance, **kwargs):
        if not calls:
            calls.append(instance)
            act(instance)

    return receive


def count(shelf):
    return Shelf.objects.values_list("book_count", "page_sum").get(pk=shelf.pk)


# Which receivers there are -----------------------------------------------------------------------


@pytest.mark.parametrize("sender", [Book, Comment, PublicComment, Place, Restaurant])
def test_a_source_its_proxies_and_its_children_have_a_receiver(sender):
    (first, *_), _ = post_save._live_receivers(sender)

    assert post_save.has_listeners(sender)
    assert first.__module__.startswith("syncfields.")


def test_a_model_that_no_rule_is_about_has_none():
    assert not post_save.has_listeners(Unwatched)
    assert not pre_save.has_listeners(Unwatched)


@pytest.mark.parametrize("sender", [Shelf, Blog, BlogProxy, Restaurant])
def test_a_target_has_one_that_refuses(sender):
    (first, *_), _ = pre_save._live_receivers(sender)

    assert first.__module__ == "syncfields.capture.refusals"


def test_ours_stay_first_when_rules_are_compiled_anew():
    def early(**kwargs):
        pass

    with received(post_save, early, Book, "first"):
        receivers.in_place(post_save)
        found, _ = post_save._live_receivers(Book)

    assert found.index(early) == 1


# What receivers of users find --------------------------------------------------------------------


@pytest.mark.parametrize("model", [Book, Restaurant])
def test_receivers_read_new_values_outside_of_the_librarys_transaction(model):
    zone, shelf = Zone.objects.create(), Shelf.objects.create()
    seen = []

    def receive(instance, **kwargs):
        with transaction.atomic(durable=True):  # Not within another block.
            seen.append((count(shelf)[0], Zone.objects.get().place_count))

    with received(post_save, receive, model), received(pre_save, receive, model):
        if model is Book:
            Book.objects.create(shelf=shelf)
        else:
            Restaurant.objects.create(zone=zone)

    assert seen == [(0, 0), (1, 0) if model is Book else (0, 1)]
    assert_truth()


@pytest.mark.parametrize("model", [Book, Restaurant])
@in_each_block
def test_the_refusal_breaks_no_transaction(block, model):
    shelf = Shelf.objects.create()
    place = Restaurant.objects.create(zone=Zone.objects.create())
    calls = []

    with received(pre_save, lambda **kwargs: calls.append(1), None), block():
        with pytest.raises(SyncedFieldError):
            shelf.save(update_fields=["book_count"])
        with pytest.raises(SyncedFieldError):
            place.save(update_fields=["review_count"])
        Book.objects.create(shelf=shelf)

    assert calls == [1]  # That of the book.
    assert_truth()


# Signals that do not arrive ----------------------------------------------------------------------


@pytest.mark.parametrize("signals", [(post_save,), (pre_save,), (pre_save, post_save)])
@in_each_block
def test_muted_signals(block, signals, shelves):
    first, second, _ = shelves
    zone = Zone.objects.create()

    with muted(*signals), block():
        book = Book.objects.create(shelf=first, pages=3)
        book.shelf, book.pages = second, 5
        book.save()
        place = Restaurant.objects.create(zone=zone, stars=3)
        place.stars = 4
        place.save()
        if pre_save in signals:
            shelf = Shelf.objects.get(pk=first.pk)
            shelf.book_count = 9
            shelf.save(update_fields=["book_count"])  # Nobody refuses it: it is left out.

    assert_truth()
    assert count(second) == (1, 5)


@in_each_block
def test_a_receiver_that_somebody_has_disconnected(block, shelves):
    assert post_save.disconnect(sender=Book, dispatch_uid=receivers.FIRST)
    try:
        with block():
            Book.objects.create(shelf=shelves[0], pages=3)
    finally:
        receivers.put(post_save, receivers.FIRST, receivers._connected[post_save, receivers.FIRST])

    assert count(shelves[0]) == (1, 3)
    assert_truth()


@in_each_block
def test_a_signal_sent_by_hand_during_a_save(block, shelves):
    def send(instance, **kwargs):
        post_save.send(Book, instance=instance, created=True, raw=False, using="default")

    def send_within(instance, **kwargs):
        with transaction.atomic():
            send(instance)

    with (
        received(pre_save, send, Book),
        received(post_save, once(send_within), Book, "first"),
        block(),
    ):
        book = Book.objects.create(shelf=shelves[0], pages=3)
        send(book)

    assert count(shelves[0]) == (1, 3)
    assert_truth()


# Receivers that write ----------------------------------------------------------------------------


def move(book):
    book.shelf = Shelf.objects.order_by("pk").last()


def write_row(book):
    if book.pk:
        last = Shelf.objects.order_by("pk").last()
        Book.objects.filter(pk=book.pk).update(shelf=last, pages=70)


def save_again(book):
    book.pages += 100
    book.save()


def add_another(book):
    Book.objects.create(shelf=book.shelf, pages=1000)


def delete_row(book):
    if book.pk:
        Book.objects.filter(pk=book.pk).delete()


def save_another_instance(book):
    if book.pk:
        other = Book.objects.filter(pk=book.pk).first() or Book(shelf=book.shelf)
        other.pages += 5000
        other.save()


def fail_within(book):
    with suppress(DatabaseError), transaction.atomic():
        Book.objects.create(shelf_id=book.shelf_id, pages=5, title=None)


ACTS = (move, write_row, save_again, add_another, delete_row, save_another_instance, fail_within)
in_each_place = pytest.mark.parametrize(
    ("signal", "place"),
    [(pre_save, None), (post_save, None), (post_save, "first")],
    ids=["pre_save", "post_save", "post_save, before ours"],
)


@pytest.mark.parametrize("act", ACTS)
@in_each_place
@in_each_block
def test_a_receiver_may_write(block, signal, place, act, shelves):
    first, second, _ = shelves

    with block():
        with received(signal, once(act), Book, place):
            book = Book(shelf=first, pages=3)
            book.save()
        book.shelf, book.pages = second, 5
        with received(signal, once(act), Book, place):
            book.save()

    assert_truth()


@pytest.mark.parametrize("act", [move, save_again], ids=["changed", "saved"])
@in_each_place
@in_each_block
def test_a_receiver_of_a_multi_table_save_may_write(block, signal, place, act):
    zones = [Zone.objects.create() for _ in range(2)]

    def write(restaurant):
        restaurant.zone, restaurant.stars = zones[1], restaurant.stars + 10
        if act is save_again:
            restaurant.save()

    with block():
        with received(signal, once(write), Restaurant, place):
            restaurant = Restaurant(zone=zones[0], stars=3)
            restaurant.save()
        restaurant.zone, restaurant.stars = zones[0], 1
        with received(signal, once(write), Restaurant, place):
            restaurant.save()

    assert_truth()


# Receivers that fail -----------------------------------------------------------------------------


class FailedError(Exception):
    pass


def fail(book):
    raise FailedError


def fail_in_the_database(book):
    with connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column FROM testapp_book")


@pytest.mark.parametrize("model", [Book, Restaurant])
@pytest.mark.parametrize("act", [fail, fail_in_the_database])
@in_each_place
@in_each_block
def test_a_receiver_that_fails(block, signal, place, act, model):
    shelf, zone = Shelf.objects.create(), Zone.objects.create()
    error = FailedError if act is fail else DatabaseError

    def create():
        return (
            Book.objects.create(shelf=shelf, pages=3)
            if model is Book
            else Restaurant.objects.create(zone=zone, stars=4)
        )

    with pytest.raises(error), received(signal, once(act), model, place), block():
        create()
    assert_truth()
    with suppress(error), received(signal, once(act), model, place), block():
        with suppress(error):
            create()
        create()
    assert_truth()
    instance = create()
    with pytest.raises(error), received(signal, once(act), model, place), block():
        instance.save()
    assert_truth()


def test_a_receiver_before_ours_that_fails_leaves_the_row_as_it_is_without_us(shelves):
    with pytest.raises(FailedError), received(post_save, once(fail), Book, "first"):
        Book.objects.create(shelf=shelves[0], pages=3)

    assert count(shelves[0]) == (1, 3)
    assert_truth()


@in_each_block
def test_a_save_that_fails_in_the_middle(block, shelves):
    zone = Zone.objects.create()
    book = Book(shelf=shelves[0], title=None)
    restaurant = Restaurant(zone=zone, stars=None)  # The row of the parent is written.

    for instance in (book, restaurant):
        with pytest.raises(IntegrityError), block():
            instance.save()

    assert_truth()
    assert not Place.objects.exists()
    book.title, restaurant.stars = "", 3
    with block():
        book.save()
        restaurant.save()
    assert count(shelves[0]) == (1, 0)
    assert_truth()


@pytest.mark.parametrize("model", [Book, Restaurant])
@in_each_block
def test_what_follows_fails_and_the_instance_is_as_it_was(block, model):
    shelf, zone = Shelf.objects.create(), Zone.objects.create()
    instance = Book(shelf=shelf, pages=3) if model is Book else Restaurant(zone=zone, stars=3)

    def refuse(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            raise DatabaseError("no")
        return execute(sql, params, many, context)

    with pytest.raises(DatabaseError), connection.execute_wrapper(refuse), block():
        instance.save()

    assert not model.objects.exists()
    assert_truth()
    if block is not coalesce:  # There it is the block that fails.
        assert instance._state.adding
    instance.save()
    assert_truth()


# Methods that somebody has replaced --------------------------------------------------------------


@pytest.fixture
def replaced(monkeypatch):
    """Replace a method, as a model class of the user's may."""

    def replace(model, name, method):
        monkeypatch.setattr(model, name, method)
        receivers.attach(registry.plan())

    yield replace
    monkeypatch.undo()
    receivers.attach(registry.plan())


@pytest.mark.parametrize("name", ["_save_table", "_do_insert", "_do_update"])
@in_each_block
def test_a_method_that_goes_on_after_the_write(block, name, shelves, replaced):
    original, seen = getattr(Book, name), []

    def go_on(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        seen.append(count(shelves[1])[0])
        self.shelf = shelves[2]
        Book.objects.filter(title="other").update(shelf=shelves[2])
        return result

    Book.objects.create(shelf=shelves[0], title="other")
    replaced(Book, name, go_on)
    with block():
        book = Book.objects.create(shelf=shelves[1], pages=3)
        book.shelf = shelves[1]
        book.save()

    assert seen == ([0] if block is coalesce else [1]) * len(seen)
    assert seen
    assert_truth()


def save_base_of_its_own(self, **kwargs):
    """Without a signal."""
    kwargs.pop("update_fields", None)
    self._save_table(cls=type(self), **kwargs)
    self._state.adding, self._state.db = False, kwargs["using"]


@in_each_block
def test_a_save_base_that_calls_no_other(block, shelves, replaced):
    replaced(Book, "save_base", save_base_of_its_own)

    with block():
        book = Book.objects.create(shelf=shelves[0], pages=3)
        book.pages = 5
        book.save()

    assert count(shelves[0]) == (1, 5)
    assert_truth()


@in_each_block
def test_a_save_base_that_goes_on(block, shelves, replaced):
    original, seen = Book.save_base, []

    def save_base(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if block is not coalesce:
            seen.append(count(shelves[0]))
        Book.objects.filter(pk=self.pk).update(pages=8)

    replaced(Book, "save_base", save_base)
    with block():
        Book.objects.create(shelf=shelves[0], pages=3)

    assert seen in ([(1, 3)], [])
    assert count(shelves[0]) == (1, 8)
    assert_truth()


# Several at once ---------------------------------------------------------------------------------


def test_threads_that_save_the_same_instance(shelves):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    book = Book.objects.create(shelf=shelves[0], pages=1)

    def save(number):
        try:
            for each in range(5):
                book.shelf, book.pages = shelves[each % 3], number * each
                book.save()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(4)))

    assert_truth()


def test_tasks_that_save_at_once(shelves):
    async def receive(instance, **kwargs):
        await asyncio.sleep(0)
        instance.title = "seen"
        if instance.pages < 100:
            await Book.objects.acreate(shelf=instance.shelf, pages=100)

    async def save(number):
        book = await Book.objects.acreate(shelf=shelves[number % 3], pages=number)
        book.shelf = shelves[0]
        await book.asave()

    async def all_of_them():
        await asyncio.gather(*(save(number) for number in range(6)))

    with received(pre_save, receive, Book), received(post_save, receive, Book):
        async_to_sync(all_of_them)()

    assert Book.objects.count() == 6 + 24
    assert_truth()
