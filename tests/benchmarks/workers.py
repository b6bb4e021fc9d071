"""`python -m tests.benchmarks.workers`: rows per second of reconcile with 1, 2 and 4 workers.

On PostgreSQL, in a database of its own. Celery needs Redis. The time that processes need to start
is in their figures; the workers of a queue are there before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.benchmarks.scratch import scratch

POSTS, EACH, CHUNK = 500_000, 2, 10_000
WORKERS = (1, 2, 4)
LABEL = "distributed.Post.comment_count"
COMMANDS = {
    "celery": (
        *("celery", "-A", "tests.distributed.queue", "worker", "--pool", "solo"),
        *("--without-mingle", "--without-gossip"),
    ),
    "django": ("django", "db_worker", "--interval", "0.01", "--no-startup-delay", "--no-reload"),
}


def main() -> None:
    plant()
    print(f"{POSTS:,} posts, {POSTS * EACH:,} comments, {os.cpu_count()} cores")
    print("rows per second, of which none | all were wrong")
    for name in ("processes", *COMMANDS):
        for number in WORKERS:
            none, all_ = measured(name, number)
            print(f"{name:10} {number} workers: {none:10,.0f} | {all_:10,.0f}", flush=True)


def plant() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO distributed_post (id, comment_count) "
            f"SELECT n, {EACH} FROM generate_series(1, {POSTS}) AS n"
        )
        cursor.execute(
            "INSERT INTO distributed_comment (post_id) "
            f"SELECT n % {POSTS} + 1 FROM generate_series(1, {POSTS * EACH}) AS n"
        )
        cursor.execute("VACUUM ANALYZE")


def measured(name: str, number: int) -> tuple[float, float]:
    """Rows per second where nothing is wrong, and where every row is."""
    if name == "processes":
        return by_processes(number, wrong=False), by_processes(number, wrong=True)
    with at_work(number, name):
        by_queue(name, number)  # Until each of them has begun.
        return timed(lambda: by_queue(name, number)), wronged(lambda: by_queue(name, number))


def by_processes(number: int, wrong: bool) -> float:
    from syncfields import reconcile

    def act() -> None:
        assert reconcile(LABEL, batch_size=CHUNK, workers=number).ok

    return wronged(act) if wrong else timed(act)


def by_queue(name: str, number: int) -> None:
    from importlib import import_module

    from syncfields.tasks import runs

    if name == "celery":
        import_module("tests.distributed.queue")
    start = import_module(f"syncfields.tasks.{name}").reconcile
    run = getattr(start, "func", start)(LABEL, chunk_size=CHUNK, parallel=number)
    while not (found := runs.progress(run)).finished:
        time.sleep(0.02)
    assert found.ok


def wronged(act: Callable[[], None]) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE distributed_post SET comment_count = 7")
        cursor.execute("VACUUM ANALYZE distributed_post")
    return timed(act)


def timed(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return POSTS / (time.perf_counter() - start)


@contextmanager
def at_work(number: int, name: str) -> Iterator[None]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", *COMMANDS[name]]
    found = [subprocess.Popen(command, **quiet) for _ in range(number)]
    try:
        time.sleep(4)
        yield
    finally:
        for each in found:
            each.kill()
            each.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SYNCFIELDS_TEST_RUNS"] = folder
        with scratch():
            main()
