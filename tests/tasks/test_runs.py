"""Runs that many workers share, with a queue that the test holds in its hand."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.test import override_settings

from syncfields import unsynced
from syncfields.tasks import runs
from tests.testapp import models as zoo

pytestmark = pytest.mark.django_db


class Queue:
    """Parts that are sent, in their order."""

    def __init__(self):
        self.sent = []

    def send(self, *part):
        self.sent.append(part)

    def work_together(self):
        """As many workers as there are parts each take one; what they send waits for the others."""
        taken, self.sent = self.sent, []
        for part in taken:
            runs.work(*part, self.send)

    def work(self, parts=10**6):
        while self.sent and parts:
            runs.work(*self.sent.pop(0), self.send)
            parts -= 1


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture(autouse=True)
def shared(tmp_path):
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}):
        yield


@pytest.fixture
def shelves():
    """Twenty-five, of which each holds a wrong number."""
    found = zoo.Shelf.objects.bulk_create([zoo.Shelf() for _ in range(25)])
    with unsynced():
        zoo.Book.objects.bulk_create([zoo.Book(shelf=each, pages=3) for each in found[:10]])
        zoo.Shelf.objects.update(book_count=7)
    return found


def wrong():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM testapp_shelf s WHERE s.book_count <> "
            "(SELECT COUNT(*) FROM testapp_book b WHERE b.shelf_id = s.id)"
        )
        return cursor.fetchone()[0]


LABEL = "testapp.Shelf.book_count"


def test_each_part_is_done_once_and_as_many_at_once_as_there_are_lanes(queue, shelves):
    run = runs.start(LABEL, send=queue.send, chunk_size=4, parallel=3)
    assert [number for _, number, *_ in queue.sent] == [0, 1, 2]
    most = 0
    while queue.sent:
        most = max(most, len(queue.sent))
        queue.work(1)

    found = runs.progress(run)
    assert (most, wrong()) == (3, 0)
    assert (found.parts, found.done, found.rows, found.rows_done) == (7, 7, 25, 25)
    assert (found.drifted, found.repaired, found.ok, found.failed) == (25, 25, True, {})


def test_a_check_repairs_nothing(queue, shelves):
    run = runs.start(LABEL, send=queue.send, check=True, chunk_size=10)
    queue.work()

    found = runs.progress(run)
    assert (found.drifted, found.repaired, found.finished, found.ok) == (25, 0, True, False)
    assert wrong() == 25


def test_what_comes_twice_is_done_once(queue, shelves):
    run = runs.start(LABEL, send=queue.send, chunk_size=10, parallel=1)
    (part,) = queue.sent
    queue.sent.append(part)  # As a queue gives it again whose worker died before it said so.
    queue.work()

    assert (runs.progress(run).repaired, wrong()) == (25, 0)


def test_what_the_queue_lost_is_sent_again(queue, shelves):
    run = runs.start(LABEL, send=queue.send, chunk_size=5, parallel=2)
    queue.work(3)
    queue.sent.clear()
    assert not runs.progress(run).finished

    assert runs.resume(run, queue.send) == 2
    queue.work()

    assert (runs.progress(run).ok, wrong()) == (True, 0)
    assert runs.resume(run, queue.send) == 0


@pytest.fixture
def in_the_middle(monkeypatch):
    """Call once something while a part is at work."""
    carry_out, waiting = runs.reconcile_chunk, []

    def interrupted(*arguments):
        found = carry_out(*arguments)
        if waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(runs, "reconcile_chunk", interrupted)
    return waiting.append


def test_no_more_are_at_work_where_it_is_resumed_while_workers_are_alive(
    queue, shelves, in_the_middle
):
    run = runs.start(LABEL, send=queue.send, chunk_size=2, parallel=2)
    in_the_middle(lambda: runs.resume(run, queue.send))
    queue.work_together()
    runs.resume(run, queue.send)
    queue.work_together()  # What has been sent before ends here.
    most = 0
    while queue.sent:
        most = max(most, len(queue.sent))
        queue.work_together()

    assert (most, runs.progress(run).ok, wrong()) == (2, True, 0)


def test_no_more_are_at_work_where_the_queue_gives_a_part_again(queue, shelves, in_the_middle):
    """As Redis does it, where a part takes longer than its ``visibility_timeout``."""
    run = runs.start(LABEL, send=queue.send, chunk_size=2, parallel=1)
    (part,) = queue.sent
    in_the_middle(lambda: runs.work(*part, queue.send))
    most = 0
    while queue.sent:
        most = max(most, len(queue.sent))
        queue.work_together()

    assert (most, runs.progress(run).ok, wrong()) == (1, True, 0)
    assert runs.progress(run).repaired == 25


def test_what_was_done_stays_done_where_it_fails_the_second_time(queue, shelves, in_the_middle):
    def fail():
        queue.send(*part)
        queue.work(1)
        raise OperationalError("the server is gone")

    run = runs.start(LABEL, send=queue.send, chunk_size=30, parallel=1)
    part = queue.sent.pop()
    in_the_middle(fail)
    with pytest.raises(OperationalError):
        runs.work(*part, queue.send)

    assert (runs.progress(run).failed, runs.progress(run).ok, wrong()) == ({}, True, 0)


def test_what_was_sent_before_is_not_begun_where_it_is_resumed(queue, shelves):
    run = runs.start(LABEL, send=queue.send, chunk_size=5, parallel=2)
    runs.resume(run, queue.send)
    runs.resume(run, queue.send)

    before, queue.sent = queue.sent[:4], queue.sent[4:]
    for part in before:
        runs.work(*part, queue.send)

    assert (len(queue.sent), runs.progress(run).done) == (2, 0)
    queue.work()
    assert (runs.progress(run).ok, wrong()) == (True, 0)


def test_a_part_that_fails_is_told_and_the_others_are_done(queue, shelves, monkeypatch):
    run = runs.start(LABEL, send=queue.send, chunk_size=10, parallel=1)

    def refuse(*_):
        raise OperationalError("the server is\ngone")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "reconcile_chunk", refuse)
        with pytest.raises(OperationalError):
            queue.work(1)
    queue.work()

    found = runs.progress(run)
    assert (found.failed, found.done, found.finished) == ({0: "the server is gone"}, 2, False)
    runs.resume(run, queue.send)
    queue.work()
    assert (runs.progress(run).ok, runs.progress(run).failed, wrong()) == (True, {}, 0)


def test_rows_that_come_in_between_belong_to_a_part_or_are_right(queue, shelves):
    run = runs.start(LABEL, send=queue.send, chunk_size=10)
    zoo.Book.objects.create(shelf=zoo.Shelf.objects.create(), pages=1)
    shelves[0].delete()
    queue.work()

    assert (runs.progress(run).ok, wrong()) == (True, 0)


def test_tables_without_rows_are_done_at_once(queue):
    run = runs.start(LABEL, send=queue.send)

    assert (queue.sent, runs.progress(run).ok) == ([], True)


def test_a_cache_that_other_processes_do_not_see_is_refused(queue):
    with (
        override_settings(
            CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        ),
        pytest.raises(ImproperlyConfigured, match="RUNS_CACHE"),
    ):
        runs.start(LABEL, send=queue.send)
    assert queue.sent == []


@pytest.mark.parametrize("backend", ["db.DatabaseCache", "filebased.FileBasedCache"])
def test_a_cache_that_would_forget_parts_is_refused(queue, shelves, backend, tmp_path):
    """With Django's default of 300 entries a run of three million rows was forgotten by half."""
    settings = {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": str(tmp_path)}
    few = {**settings, "OPTIONS": {"MAX_ENTRIES": 25}}

    with override_settings(CACHES={"default": few}):
        with pytest.raises(
            ImproperlyConfigured, match=r"25 parts in 4 lanes.*'default'.*25 entries.*MAX_ENT"
        ):
            runs.start(LABEL, send=queue.send, chunk_size=1)
        assert queue.sent == []


def test_a_cache_that_just_holds_all_parts_is_taken(queue, shelves, tmp_path):
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    cache = {"BACKEND": backend, "LOCATION": str(tmp_path / "own"), "OPTIONS": {"MAX_ENTRIES": 31}}

    with override_settings(CACHES={"default": cache}):
        run = runs.start(LABEL, send=queue.send, chunk_size=1)
        queue.work()

        assert runs.progress(run).ok
        assert runs.progress(run).parts == 25


@pytest.mark.parametrize("nonsense", [{"chunk_size": 0}, {"parallel": 0}, {"parallel": -1}])
def test_a_run_that_would_do_nothing_is_refused(queue, nonsense):
    with pytest.raises(ValueError, match="at least 1"):
        runs.start(LABEL, send=queue.send, **nonsense)


def test_a_run_that_is_not_known():
    with pytest.raises(LookupError, match="no run 'x'"):
        runs.progress("x")


def test_a_queryset_is_refused(queue):
    with pytest.raises(TypeError, match="labels and models"):
        runs.start(zoo.Shelf.objects.all(), send=queue.send)
