"""What is run again after a deadlock: a write in autocommit, and by the recipe of the cookbook."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete
from django.test.utils import CaptureQueriesContext

from tests.races.stage import waits_for_lock
from tests.races.workers import prepare
from tests.testapp.models import Book, Playlist, Publisher, Restaurant, Shelf, Track, Zone
from tests.truth import assert_truth

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
THREADS, TRANSFERS = 3, 20

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tried_again():
    blocks = re.split(r"^```(?:python)?$", COOKBOOK.read_text("utf-8"), flags=re.MULTILINE)
    (recipe,) = (block for block in blocks if "def tried_again" in block)
    names = {}
    exec(recipe, names)
    return names["tried_again"]


def test_transfers_in_opposite_orders_all_come_through(tried_again):
    shelves = [Shelf.objects.create() for _ in range(2)]

    @tried_again
    def transfer(giver, taker):
        Book.objects.create(shelf=giver, pages=-1)
        Book.objects.create(shelf=taker, pages=1)

    def transfers(number):
        try:
            prepare()
            for each in range(TRANSFERS):
                order = 1 if (number + each) % 2 else -1
                transfer(*shelves[::order])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(transfers, range(THREADS)))

    assert Book.objects.count() == 2 * THREADS * TRANSFERS
    assert_truth()


def test_another_error_is_raised_at_once(tried_again):
    calls = []

    @tried_again
    def fail():
        calls.append("called")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert calls == ["called"]


def test_a_block_inside_a_transaction_is_not_tried_again(tried_again):
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        tried_again(Shelf.objects.create)()


CHANGE = "UPDATE {} SET {} = {} + %s WHERE id {} %s"
COUNTS = {
    Playlist: ("testapp_playlist", "minutes"),
    Shelf: ("testapp_shelf", "page_sum"),
    Zone: ("testapp_zone", "star_sum"),
}


def connection_number():
    """Of a pooled connection the next transaction may have another: see ``is_waited_for()``."""
    if connection.vendor != "mysql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT connection_id()")
        return cursor.fetchone()[0]


def look_late_for_deadlocks(cursor):
    """On PostgreSQL who looks first is ended. Only a superuser may choose when."""
    if connections["default"].vendor == "postgresql":
        cursor.execute(
            "SELECT set_config('deadlock_timeout', '20s', true)"
            " WHERE current_setting('is_superuser') = 'on'"
        )


def is_waited_for(cursor, waiter):
    if connections["default"].vendor == "mysql":
        return waits_for_lock(waiter)
    cursor.execute(
        "SELECT 1 FROM pg_locks"
        " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    )
    return cursor.fetchone() is not None


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "nobody waits for a lock"
        time.sleep(0.02)


@contextmanager
def another_in_opposite_order(first):
    """Another one that holds all other rows, and wants the first when it sees itself waited for."""
    holds = Event()
    table, name = COUNTS[type(first)]
    connection.ensure_connection()
    waiter = connection_number()

    def write():
        try:
            with transaction.atomic(), connections["default"].cursor() as cursor:
                look_late_for_deadlocks(cursor)
                # Who has changed fewer rows is ended, on MariaDB.
                for amount in (1, -1):
                    cursor.execute(CHANGE.format(table, name, name, ">"), [amount, first.pk])
                holds.set()
                wait_until(lambda: is_waited_for(cursor, waiter))
                cursor.execute(CHANGE.format(table, name, name, "="), [0, first.pk])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(write)
        assert holds.wait(20)
        yield
        done.result(20)


@pytest.fixture
def shelves():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    first, second, *_ = [Shelf.objects.create() for _ in range(30)]
    publisher = Publisher.objects.create()
    Book.objects.bulk_create(
        [Book(shelf=shelf, publisher=publisher, pages=3) for shelf in (first, second)]
    )
    return first, second


def moved(shelf):
    books = list(Book.objects.all())
    for book in books:
        book.shelf, book.pages = shelf, 5
    return books


def created(shelf):
    return [Book(shelf=each, pages=7) for each in Shelf.objects.order_by("pk")[:2]]


TARGETED = connection.features.supports_update_conflicts_with_target
TARGET = {"unique_fields": ["pk"]} if TARGETED else {}
WRITES = {
    "save()": lambda shelf: moved(shelf)[0].save(),
    "update()": lambda shelf: Book.objects.update(shelf=shelf),
    "bulk_update()": lambda shelf: Book.objects.bulk_update(moved(shelf), ["shelf", "pages"]),
    "bulk_create()": lambda shelf: Book.objects.bulk_create(created(shelf)),
    "bulk_create() of some": lambda shelf: Book.objects.bulk_create(
        created(shelf), ignore_conflicts=True
    ),
    "bulk_create() that replaces": lambda shelf: Book.objects.bulk_create(
        moved(shelf), update_conflicts=True, update_fields=["shelf", "pages"], **TARGET
    ),
    "delete() of a queryset": lambda shelf: Book.objects.all().delete(),
    "delete() that cascades": lambda shelf: Publisher.objects.get().delete(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_in_autocommit_is_tried_again(write, shelves):
    first, second = shelves

    with CaptureQueriesContext(connection) as context, another_in_opposite_order(first):
        write(second)

    begun = [query for query in context.captured_queries if query["sql"] == "BEGIN"]
    assert len(begun) > 1
    assert_truth(Shelf)


LINKS = {
    "add()": lambda track, playlists: track.playlists.add(*playlists[:2]),
    "remove()": lambda track, playlists: track.playlists.remove(*playlists[:2]),
    "set()": lambda track, playlists: track.playlists.set(playlists[2:4]),
    "clear()": lambda track, playlists: track.playlists.clear(),
}


@pytest.mark.parametrize("name", LINKS)
def test_what_a_many_to_many_manager_does_in_autocommit_is_tried_again(name):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    playlists = [Playlist.objects.create() for _ in range(30)]
    track = Track.objects.create(minutes=3)
    if name != "add()":
        track.playlists.set(playlists[:2])

    with (
        CaptureQueriesContext(connection) as context,
        another_in_opposite_order(playlists[0]),
    ):
        LINKS[name](track, playlists)

    assert sum(query["sql"] == "BEGIN" for query in context.captured_queries) > 1
    assert_truth(Playlist)


def test_a_manager_whose_receivers_would_be_called_again_is_not():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    playlists = [Playlist.objects.create() for _ in range(30)]
    track, actions = Track.objects.create(minutes=3), []

    def note(action, **kwargs):
        actions.append(action)

    m2m_changed.connect(note, sender=Playlist.tracks.through)
    try:
        with another_in_opposite_order(playlists[0]), pytest.raises(OperationalError):
            track.playlists.add(*playlists[:2])
    finally:
        m2m_changed.disconnect(note, sender=Playlist.tracks.through)

    assert actions == ["pre_add"]
    assert_truth(Playlist)


def test_new_instances_are_tried_again_as_they_were(shelves):
    first, _ = shelves
    books = [*created(first), Book(pages=1)]

    with another_in_opposite_order(first):
        Book.objects.bulk_create(books)

    assert {book.pk for book in books} <= {*Book.objects.values_list("pk", flat=True)}
    assert Book.objects.count() == 5


def test_what_a_failed_delete_has_collected_is_deleted_once(shelves):
    first, _ = shelves
    publisher = Publisher.objects.get()

    with another_in_opposite_order(first):
        total, by_model = publisher.delete()

    assert (total, by_model) == (3, {"testapp.Book": 2, "testapp.Publisher": 1})
    assert publisher.pk is None
    assert not Book.objects.exists()


def test_a_save_of_several_tables_is_tried_again():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    first, second, *_ = [Zone.objects.create() for _ in range(30)]
    place = Restaurant.objects.create(zone=first, name="a", stars=3)
    place.zone, place.stars = second, 4

    with CaptureQueriesContext(connection) as context, another_in_opposite_order(first):
        place.save()

    assert sum(query["sql"] == "BEGIN" for query in context.captured_queries) > 1
    assert Restaurant.objects.filter(zone=second, stars=4).exists()
    assert_truth(Zone)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_in_a_transaction_of_the_user_is_not(write, shelves):
    first, second = shelves
    held = set(Book.objects.values_list("pk", "shelf"))

    with (
        another_in_opposite_order(first),
        pytest.raises(OperationalError),
        transaction.atomic(),
    ):
        write(second)

    assert set(Book.objects.values_list("pk", "shelf")) == held
    assert_truth(Shelf)


@pytest.fixture
def called():
    """The senders of signals of the saves and deletes of two models."""
    seen = []

    def note(sender, **kwargs):
        seen.append(sender)

    for sender, signal in ((Publisher, pre_delete), (Restaurant, post_save)):
        signal.connect(note, sender=sender, weak=False, dispatch_uid="called")
    yield seen
    for sender, signal in ((Publisher, pre_delete), (Restaurant, post_save)):
        signal.disconnect(sender=sender, dispatch_uid="called")


def test_a_delete_whose_receivers_would_be_called_again_is_not(shelves, called):
    first, _ = shelves
    publisher = Publisher.objects.get()

    with another_in_opposite_order(first), pytest.raises(OperationalError):
        publisher.delete()

    assert called == [Publisher]
    assert publisher.pk is not None
    assert Book.objects.count() == 2
    assert_truth(Shelf)


def test_a_save_of_several_tables_whose_receivers_would_be_called_again_is_not(called):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    first, second, *_ = [Zone.objects.create() for _ in range(30)]
    place = Restaurant.objects.create(zone=first, stars=3)
    called.clear()
    place.zone = second

    with another_in_opposite_order(first), pytest.raises(OperationalError):
        place.save()

    assert called == []
    assert_truth(Zone)
