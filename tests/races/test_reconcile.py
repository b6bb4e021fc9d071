"""Reconcile meets a row that was not there when it locked its chunk."""

from __future__ import annotations

from functools import partial

import pytest
from django.db import connection

from syncfields import reconcile, unsynced
from tests.menagerie import write_behind
from tests.testapp.models import Book, Shelf
from tests.truth import assert_truth

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="elsewhere candidates are locked by their keys"
    ),
]
KEYS = (1, 2, 3, 5)
BETWEEN = 4


def test_a_row_that_came_since_is_left_to_its_writer(actors):
    first, second = actors
    reconciling = partial(reconcile, Shelf, batch_size=2)
    for pk in KEYS:
        Shelf.objects.create(pk=pk)
    write_behind(Shelf, book_count=7)
    first.start(reconciling)
    assert first.outcome() is None
    repairs = [number for number, step in enumerate(first.steps, 1) if step.startswith("UPDATE")]
    second.start(lambda: Book.objects.create(shelf_id=KEYS[0]))
    assert second.outcome() is None
    commit = len(second.steps)

    write_behind(Shelf, book_count=7)
    first.start(reconciling, stop_before=repairs[-1])
    assert first.wait() == "stopped"
    with unsynced():
        Shelf.objects.create(pk=BETWEEN, book_count=7)
    second.start(lambda: Book.objects.create(shelf_id=BETWEEN), stop_before=commit)
    assert second.wait() == "stopped"
    first.go_on.set()
    first.wait_or_meet_lock()
    second.go_on.set()

    assert (first.outcome(), second.outcome()) == (None, None)
    assert first.returned.repaired == len(KEYS)
    assert Shelf.objects.get(pk=BETWEEN).book_count == 7 + 1
    assert reconcile(Shelf).repaired
    assert_truth()
