"""The recipe of the cookbook for a transaction that is run again, as it stands there."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections, transaction

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
