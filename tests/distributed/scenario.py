"""Run by tests/test_distributed.py in a process of its own, with workers that are others."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from django.db import connection

from syncfields import unsynced
from syncfields.tasks import runs
from tests.distributed.models import Comment, Post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

POSTS, CHUNK = 400, 10
STALLED = 3.0
"""Seconds after which what was sent is taken for lost."""


def plant():
    """Rows of which each is wrong."""
    posts = Post.objects.bulk_create([Post() for _ in range(POSTS)])
    with unsynced():
        Comment.objects.bulk_create(
            [Comment(post=post) for number, post in enumerate(posts) for _ in range(number % 4)]
        )
        Post.objects.update(comment_count=99)


def wrong():
    """The number of posts whose count is not the truth, asked of the tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM distributed_post p WHERE p.comment_count <> "
            "(SELECT COUNT(*) FROM distributed_comment c WHERE c.post_id = p.id)"
        )
        return cursor.fetchone()[0]


@contextmanager
def workers(number, *command):
    environment = {
        **os.environ,
        "SYNCFIELDS_TEST_WORKER": "1",
        "DJANGO_SETTINGS_MODULE": "tests.distributed.settings",
    }
    # A group of its own, so that a worker is killed with the processes that it has forked.
    found = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(number)
    ]
    try:
        yield found
    finally:
        for each in found:
            kill(each)


def kill(worker):
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def until(holds):
    while not holds():  # The time limit of the test ends it.
        time.sleep(0.1)


WORKERS = {
    "celery": (
        *("celery", "-A", "tests.distributed.queue", "worker", "--pool", "solo"),
        *("--without-mingle", "--without-gossip"),
    ),
    "django": ("django", "db_worker", "--interval", "0.1", "--no-startup-delay", "--no-reload"),
}


@pytest.mark.parametrize("queue", WORKERS)
def test_a_worker_is_killed_in_the_middle(queue):
    """What it had begun is sent again by ``resume()``. Redis would do that too, after minutes, and
    the database of django.tasks would not.
    """
    if queue == "celery":
        importlib.import_module("tests.distributed.queue")
    tasks = importlib.import_module(f"syncfields.tasks.{queue}")
    plant()
    stalled = Stalled()
    with workers(2, *WORKERS[queue]) as (first, _):
        run = getattr(tasks.reconcile, "func", tasks.reconcile)("distributed", chunk_size=CHUNK)
        until(lambda: runs.progress(run).done >= 3)
        kill(first)
        while not (found := runs.progress(run)).finished:
            if stalled.since(found.done) > STALLED:
                tasks.resume(run)
            time.sleep(0.1)

    assert (found.parts, found.rows, found.rows_done) == (POSTS // CHUNK, POSTS, POSTS)
    assert (found.ok, wrong()) == (True, 0)


class Stalled:
    """How long nothing has been done."""

    def __init__(self):
        self.done, self.at = -1, time.monotonic()

    def since(self, done):
        if done != self.done:
            self.done, self.at = done, time.monotonic()
        elapsed = time.monotonic() - self.at
        if elapsed > STALLED:
            self.at = time.monotonic()
        return elapsed
