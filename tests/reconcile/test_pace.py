"""How long a run may take, and how much of the time it leaves to others."""

from __future__ import annotations

import time

import pytest
from asgiref.sync import async_to_sync

from syncfields import Interrupted, areconcile, reconcile
from syncfields.testing import assert_in_sync
from tests.menagerie import write_behind
from tests.testapp.models import Publisher, Shelf

pytestmark = pytest.mark.django_db

NO_TIME = 1e-9


def shelves(number):
    for _ in range(number):
        Shelf.objects.create()
    write_behind(Shelf, book_count=7)
    return list(Shelf.objects.order_by("pk").values_list("pk", flat=True))


def test_one_chunk_is_done_however_little_time_there_is():
    first, *_ = shelves(3)

    report = reconcile("testapp.Shelf.book_count", batch_size=1, max_seconds=NO_TIME)

    assert (report.finished, report.ok) == (False, False)
    assert (report.left, report.after) == (("testapp.Shelf.book_count",), first)
    assert (report.scanned, report.repaired) == (1, 1)


def test_what_is_left_is_done_by_the_runs_that_follow():
    keys, after, seen = shelves(3), None, []

    for _ in keys:
        report = reconcile(
            "testapp.Shelf.book_count", batch_size=1, max_seconds=NO_TIME, start_after=after
        )
        after = report.after
        seen.append(report.finished)

    assert seen == [False, False, True], "nothing is left after the last chunk"
    assert_in_sync("testapp.Shelf.book_count")


def test_models_that_were_not_begun_are_left():
    shelves(2)
    Publisher.objects.create()

    report = reconcile(Shelf, Publisher, max_seconds=NO_TIME)

    labels = [each.label for each in report.rules]
    begun = labels[0].rpartition(".")[0]
    assert report.left == tuple(each for each in labels if not each.startswith(begun))
    assert report.after is None


def test_with_time_enough_nothing_is_left():
    shelves(3)

    report = reconcile(Shelf, batch_size=1, max_seconds=60)

    assert (report.finished, report.ok, report.left, report.after) == (True, True, (), None)


def test_it_sleeps_between_chunks_and_not_after_the_last(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    shelves(3)

    reconcile(Shelf, check=True, batch_size=1, sleep=0.5)

    assert slept == [0.5, 0.5]


def test_it_does_not_sleep_longer_than_it_has(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    shelves(3)

    report = reconcile(Shelf, check=True, batch_size=1, sleep=60, max_seconds=30)

    assert (slept, report.finished) == ([], False)


def test_it_can_be_stopped_in_its_sleep(monkeypatch):
    def stop(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stop)
    first, *_ = shelves(3)

    with pytest.raises(Interrupted) as stopped:
        reconcile("testapp.Shelf.book_count", batch_size=1, sleep=1)

    assert stopped.value.after == first
    assert stopped.value.report.after == first
    assert stopped.value.report.left == stopped.value.labels == ("testapp.Shelf.book_count",)


@pytest.mark.django_db(transaction=True)
def test_async_code_sleeps_in_its_own_loop(monkeypatch):
    def refuse(seconds):
        raise AssertionError("the thread that others use sleeps")

    monkeypatch.setattr(time, "sleep", refuse)
    shelves(2)

    report = async_to_sync(areconcile)(Shelf, check=True, batch_size=1, sleep=0.001, max_seconds=60)

    assert report.finished
