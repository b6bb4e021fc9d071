"""``reconcile(workers=N)``: chunks by several processes, each with its own connection."""

from __future__ import annotations

import multiprocessing

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from syncfields import Interrupted, reconcile, unsynced
from syncfields.testing import assert_in_sync
from tests.testapp.models import Book, Seat, Shelf, Team

pytestmark = pytest.mark.django_db(transaction=True)
SHELF = "testapp.Shelf.book_count"


@pytest.fixture
def shelves():
    with unsynced():
        shelves = Shelf.objects.bulk_create([Shelf() for _ in range(50)])
        Book.objects.bulk_create([Book(shelf=shelf, pages=2) for shelf in shelves[::2]])
    return Shelf.objects.order_by("pk")


def test_all_chunks_are_done(shelves):
    report = reconcile(SHELF, workers=3, batch_size=7)

    (rule,) = report.rules
    assert (rule.scanned, rule.drifted, rule.repaired) == (50, 25, 25)
    first = [each.pk for each in shelves[:10:2]]
    assert [each.pk for each in rule.examples] == first  # As one process would name them.
    assert_in_sync(SHELF)


def test_a_check_writes_nothing(shelves):
    report = reconcile(SHELF, workers=2, batch_size=7, check=True)

    assert (report.drifted, report.repaired) == (25, 0)
    assert set(shelves.values_list("book_count", flat=True)) == {0}


def test_some_rows_and_keys_of_several_columns(shelves):
    with unsynced():
        team = Team.objects.create()
        for number in range(5):
            Seat.objects.create(team=team, number=number, team_name="old")

    chosen = reconcile(shelves.filter(pk__in=[each.pk for each in shelves[:5]]), workers=2)
    seats = reconcile(Seat, workers=2, batch_size=2)

    assert chosen.repaired
    assert {each.scanned for each in seats.rules} == {5}
    assert_in_sync(Seat)


def test_where_the_time_is_up_it_says_how_to_go_on(shelves):
    report = reconcile(SHELF, workers=2, batch_size=10, max_seconds=1e-9)

    assert report.left == (SHELF,)
    assert report.after == shelves[9].pk
    assert reconcile(SHELF, workers=2, start_after=report.after).scanned == 40
    assert_in_sync(SHELF)


def test_a_process_is_killed(shelves):
    def kill(label, done, total):
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(Interrupted) as stopped:
        reconcile(SHELF, workers=2, batch_size=5, progress=kill)

    report = stopped.value.report
    assert report.left == (SHELF,)
    reconcile(SHELF, start_after=report.after)
    assert_in_sync(SHELF)


def test_the_command(shelves, capsys):
    call_command("reconcile", SHELF, workers=2, batch_size=10, no_progress=True)

    assert "25 value(s) of 1 rule(s) repaired" in capsys.readouterr().out
    assert_in_sync(SHELF)


def test_what_is_not_committed_is_not_seen(shelves):
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        reconcile(SHELF, workers=2)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="of SQLite")
def test_a_database_in_memory_is_refused(shelves, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "NAME", ":memory:")

    with pytest.raises(RuntimeError, match="memory"):
        reconcile(SHELF, workers=2)


def test_less_than_one():
    with pytest.raises(ValueError, match="worker"):
        reconcile(SHELF, workers=0)
