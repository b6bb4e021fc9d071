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
from django.test.utils import CaptureQueriesContext

from tests.races.workers import prepare
from tests.testapp.models import Book, Shelf
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


CHANGE = "UPDATE testapp_shelf SET page_sum = page_sum + %s WHERE id {} %s"
WRITES = {
    "save()": lambda book, shelf: setattr(book, "shelf", shelf) or book.save(),
    "update()": lambda book, shelf: Book.objects.filter(pk=book.pk).update(shelf=shelf),
}


@contextmanager
def another_in_opposite_order(first):
    """Another process that holds all other rows, and wants the first one once that is held."""
    holds = Event()

    def write():
        try:
            with transaction.atomic(), connections["default"].cursor() as cursor:
                # Who has changed fewer rows is ended, on MariaDB.
                for amount in (1, -1):
                    cursor.execute(CHANGE.format(">"), [amount, first.pk])
                holds.set()
                time.sleep(0.4)  # Who waits first finds the deadlock and is ended, on PostgreSQL.
                cursor.execute(CHANGE.format("="), [0, first.pk])
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
    Book.objects.bulk_create([Book(shelf=first, pages=3), Book(shelf=second, pages=4)])
    return first, second


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_in_autocommit_is_tried_again(write, shelves):
    first, second = shelves
    book = Book.objects.get(shelf=first)

    with CaptureQueriesContext(connection) as context, another_in_opposite_order(first):
        write(book, second)

    begun = [query for query in context.captured_queries if query["sql"] == "BEGIN"]
    assert len(begun) > 1
    assert not Book.objects.filter(shelf=first).exists()
    assert_truth(Shelf)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_in_a_transaction_of_the_user_is_not(write, shelves):
    first, second = shelves
    book = Book.objects.get(shelf=first)

    with (
        another_in_opposite_order(first),
        pytest.raises(OperationalError),
        transaction.atomic(),
    ):
        write(book, second)

    assert Book.objects.filter(shelf=first).exists()
    assert_truth(Shelf)
