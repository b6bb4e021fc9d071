"""Effects that wait: what is applied in the end, and what a rollback has taken."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import connections, transaction

from syncfields.transactions.pending import Pending, waiting
from tests.testapp.models import Blog, Post
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db


class Applied(list):
    """What was applied, in order: ``{pk: {attname: amount}}`` of the posts."""

    def __call__(self, using, effects):
        assert using == "default"
        self.append({pk: dict(row) for pk, row in effects.deltas.get(Post, {}).items()})


@pytest.fixture
def applied():
    return Applied()


@pytest.fixture
def pending(applied):
    found = Pending(connections["default"], applied)
    yield found
    found.end()


def note(pending, amount, pk=1, name="comment_count"):
    pending.effects().add(Post, pk, name, amount)


def test_what_waits_is_summed_and_applied_once(pending, applied):
    with waiting(pending):
        for amount in (1, 1, 3):
            note(pending, amount)
        note(pending, 2, pk=2)
        note(pending, 7, name="score_sum")
        assert applied == []

    assert applied == [{1: {"comment_count": 5, "score_sum": 7}, 2: {"comment_count": 2}}]
    assert not pending.waits


def test_what_evens_out_is_not_written(pending, applied):
    with waiting(pending):
        note(pending, 1)
        note(pending, -1)

    assert applied == [{}]


def test_only_the_outermost_block_applies(pending, applied):
    with waiting(pending):
        with waiting(pending):
            note(pending, 1)
        assert applied == []
        note(pending, 1)

    assert applied == [{1: {"comment_count": 2}}]


def test_nothing_is_applied_after_an_exception(pending, applied):
    with suppress(ZeroDivisionError), waiting(pending):
        note(pending, 1)
        raise ZeroDivisionError

    assert applied == []


def test_a_savepoint_that_is_rolled_back_takes_what_was_noted_since(pending, applied):
    with waiting(pending):
        note(pending, 1)
        with rolled_back():
            note(pending, 10)
            with transaction.atomic():
                note(pending, 100)
        with transaction.atomic():
            note(pending, 1000)

    assert applied == [{1: {"comment_count": 1001}}]


def test_what_was_applied_in_a_savepoint_that_is_rolled_back_waits_again(pending, applied):
    with waiting(pending):
        note(pending, 1)
        with rolled_back():
            note(pending, 10)
            pending.flush()
            assert applied == [{1: {"comment_count": 11}}]

    assert applied[1:] == [{1: {"comment_count": 1}}]


def test_a_flush_applies_nothing_twice(pending, applied):
    with waiting(pending):
        note(pending, 1)
        pending.flush()
        pending.flush()
        note(pending, 2)

    assert applied == [{1: {"comment_count": 1}}, {1: {"comment_count": 2}}]


def test_nothing_waits_while_it_is_applied(pending):
    seen = []
    pending.apply = lambda using, effects: seen.append(pending.waits)

    with waiting(pending):
        note(pending, 1)
        assert pending.waits

    assert seen == [False]


def test_deltas_of_what_is_evaluated_anew_are_taken_back(pending, applied):
    with waiting(pending):
        note(pending, 1)
        with transaction.atomic():
            note(pending, 2)
        note(pending, 5, name="score_sum")
        note(pending, 4, pk=2)
        pending.effects().add(Blog, 1, "comment_count", 3)
        pending.discard(Post, [1], ["comment_count"])

    assert applied == [{1: {"score_sum": 5}, 2: {"comment_count": 4}}]


def test_what_came_before_a_row_was_deleted_is_not_for_the_next_one_of_its_key(pending, applied):
    with waiting(pending):
        note(pending, 1)
        note(pending, 4, pk=2)
        with rolled_back():
            pending.spare(Post, [2])
        with transaction.atomic():
            pending.spare(Post, [1])
            note(pending, 2)

    assert applied == [{1: {"comment_count": 2}, 2: {"comment_count": 4}}]


def test_of_what_is_evaluated_anew_nothing_is_taken_back_that_a_delete_took(pending, applied):
    with waiting(pending):
        note(pending, 1)
        with transaction.atomic():
            pending.spare(Post, [1])
            note(pending, 2)
            pending.discard(Post, [1], ["comment_count"])

    assert applied == [{}]


def test_what_is_to_be_done_afterwards_is_done_once(pending, applied):
    done = []
    with waiting(pending):
        note(pending, 1)
        pending.afterwards.append(lambda: done.append(len(applied)))
        pending.flush()
        note(pending, 1)

    assert done == [1]


def test_the_connection_is_left_as_it_was(pending):
    with waiting(pending):
        note(pending, 1)
        assert "savepoint" in vars(pending.connection)

    assert {"savepoint", "savepoint_rollback", "commit"}.isdisjoint(vars(pending.connection))
