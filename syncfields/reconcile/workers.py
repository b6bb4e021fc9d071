"""Chunks by several processes of one machine, while this one cuts and counts."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import django
from django.db import connections

from syncfields.reconcile.chunks import Chunk, Found, reconcile_chunk
from syncfields.reconcile.pace import TimeIsUp
from syncfields.reconcile.selection import Task, plan_tasks
from syncfields.sql.scans import Rows

AHEAD = 2
"""Chunks for each process that wait while others are being done."""


@contextmanager
def working(number: int) -> Iterator[Workers]:
    """So many processes, which end with the block: what they are at is finished."""
    names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    # Not forked: a connection to a database is of one process.
    pool = ProcessPoolExecutor(number, get_context("spawn"), begin, (names,))
    try:
        yield Workers(pool, number)
    finally:
        pool.shutdown(cancel_futures=True)


def begin(names: Mapping[str, Any]) -> None:
    """In a new process: use the databases that the first one uses, be it in a test."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first one.
    django.setup()
    for alias, name in names.items():
        connections[alias].settings_dict["NAME"] = name


class Workers:
    def __init__(self, pool: ProcessPoolExecutor, number: int) -> None:
        self.pool = pool
        self.number = number

    def each(
        self, task: Task, chosen: Iterable[Chunk], check: bool
    ) -> Iterator[tuple[Chunk, Found]]:
        """Reconcile chunks, and tell of them in the order in which they came."""
        refuse_uncommitted(task)
        labels = tuple(rule.label for rule in task.rules)
        sent: deque[tuple[Chunk, Future[Found]]] = deque()
        stop: TimeIsUp | None = None
        try:
            for chunk in chosen:
                rows = chunk.rows  # Without their model, of which not each can be sent by name.
                given = rows.using, rows.pks, rows.after, rows.last
                sent.append((chunk, self.pool.submit(work, labels, check, *given)))
                if len(sent) >= AHEAD * self.number:
                    yield done(*sent.popleft())
        except TimeIsUp as up:
            stop = up
        while sent:
            yield done(*sent.popleft())
        if stop is not None:
            raise stop


def done(chunk: Chunk, found: Future[Found]) -> tuple[Chunk, Found]:
    return chunk, found.result()


def work(
    labels: tuple[str, ...],
    check: bool,
    using: str,
    pks: Collection[Any] | None,
    after: Any,
    last: Any,
) -> Found:
    (task,) = plan_tasks(labels, using)
    return reconcile_chunk(task, Rows(task.model, using, pks, after, last), check)


def refuse_uncommitted(task: Task) -> None:
    """Raise ``RuntimeError`` where other processes do not see what this one does."""
    connection: Any = connections[task.queryset.db]
    if connection.in_atomic_block:
        raise RuntimeError("Other processes cannot reconcile what this transaction has written.")
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        raise RuntimeError("Other processes do not see a database in the memory of this one.")
