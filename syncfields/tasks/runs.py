"""Reconcile by many workers on many machines: a run is cut into parts, each a task of its own.

What a run knows is in one of Django's caches, so that each worker, and who asks for its progress,
sees the same: the parts, cut by primary keys, and what became of each. A part is sent under its
number. Who has done it sends the next of its lane; so as many are at work as there are lanes. To do
a part twice repairs nothing twice, which is all that a queue has to promise: that what was sent
comes at least once. What a queue loses, ``resume()`` sends again.

Nobody can tell a worker that is dead from one that is slow, so that a part may be given to a second
one while the first is at it. The cache knows the ticket that is valid in each lane, and each part
is sent with one: who has another begins nothing, and sends nothing. So a lane never goes on twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any
from uuid import uuid4

from django.core.cache import BaseCache, caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet

from syncfields import conf
from syncfields.exceptions import in_one_line
from syncfields.reconcile import tracing
from syncfields.reconcile.chunks import BATCH_SIZE, chunks, reconcile_chunk
from syncfields.reconcile.selection import Selection, Task, plan_tasks
from syncfields.sql.scans import Rows

PARALLEL = 4
KEPT = 7 * 24 * 3600
"""Seconds that a run is remembered after something was last done for it."""
OF_ONE_PROCESS = ("django.core.cache.backends.locmem", "django.core.cache.backends.dummy")
Send = Callable[[str, int, str], object]
"""Puts a part of a run on a queue: ``send(run, number, ticket)``."""


@dataclass(frozen=True, slots=True)
class Part:
    """A range of the primary keys of one target model."""

    labels: tuple[str, ...]
    using: str
    after: Any
    """The primary key before the first; None for the beginning."""
    last: Any
    number: int
    """Rows, when the run was cut."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is to do: it does not change."""

    parts: tuple[Part, ...]
    check: bool
    parallel: int

    @property
    def lanes(self) -> int:
        return min(self.parallel, len(self.parts))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    parts: int
    done: int
    """Parts that are done."""
    rows: int
    rows_done: int
    drifted: int
    """Values that were not those of their expressions."""
    repaired: int
    failed: Mapping[int, str]
    """Parts that ended with an error of the database, and what it said: ``resume()`` sends them
    again.
    """

    @property
    def finished(self) -> bool:
        return self.done == self.parts

    @property
    def ok(self) -> bool:
        """All is done, and no drift is left."""
        return self.finished and self.drifted == self.repaired


def start(
    *selection: Selection,
    send: Send,
    check: bool = False,
    chunk_size: int = BATCH_SIZE,
    using: str | None = None,
    parallel: int = PARALLEL,
) -> str:
    """Cut what is selected into parts, and send the first of each lane. Returns the key of the run,
    for ``progress()`` and ``resume()``.

    Raises ``ImproperlyConfigured`` where the cache is not shared by all processes, or keeps fewer
    entries than the run has parts.

    ``selection``, ``check`` and ``using`` are those of ``reconcile()``, labels and models only;
    ``chunk_size`` is the rows of a part, ``parallel`` how many parts are at work together.
    """
    if any(isinstance(each, QuerySet) for each in selection):
        raise TypeError("A run is made of labels and models; a queryset cannot be sent.")
    if chunk_size < 1 or parallel < 1:
        raise ValueError("A part has at least 1 row, and at least 1 is done at a time.")
    store, tasks = cache(), list(plan_tasks(selection, using))
    parts = tuple(part for task in tasks for part in cut(task, chunk_size))
    run = Run(parts, check, parallel)
    refuse_what_it_forgets(store, run)
    key = uuid4().hex
    store.set(name(key), run, KEPT)
    for number in range(run.lanes):
        send_valid(run, key, number, send)
    return key


def cut(task: Task, size: int) -> Iterator[Part]:
    labels, after = tuple(rule.label for rule in task.rules), None
    for chunk in chunks(task, repeat(size), None) if task.values else ():
        yield Part(labels, task.queryset.db, after, chunk.last, chunk.number)
        after = chunk.last


def work(key: str, number: int, ticket: str, send: Send) -> None:
    """Do a part of a run, unless that was done, and send the next of its lane. Do nothing where the
    lane has gone on without it.
    """
    store, run = cache(), known(key)
    if not is_valid(run, key, number, ticket):
        return
    found = store.get(name(key, number))
    if found is None or "error" in found:
        try:
            found = carry_out(run.parts[number], run.check)
        except (DatabaseError, InterfaceError) as error:
            note(key, number, {"error": in_one_line(error)})
            send_next(run, key, number, ticket, send)
            raise
        note(key, number, found)
        store.touch(name(key), KEPT)
    send_next(run, key, number, ticket, send)


def note(key: str, number: int, found: Mapping[str, Any]) -> None:
    """What became of a part. Where two workers were at it, one of them has found what had drifted,
    and the other nothing, or an error.
    """
    before = cache().get(name(key, number))
    if before is None or "error" in before or found.get("drifted", -1) > before["drifted"]:
        cache().set(name(key, number), found, KEPT)


def send_next(run: Run, key: str, number: int, ticket: str, send: Send) -> None:
    """Send the next part of a lane of which nothing is known yet."""
    if not is_valid(run, key, number, ticket):
        return
    for following in range(number + run.parallel, len(run.parts), run.parallel):
        if cache().get(name(key, following)) is None:
            send_valid(run, key, following, send)
            return


def send_valid(run: Run, key: str, number: int, send: Send) -> None:
    """Send a part with a new ticket: what was sent before in its lane is not valid any more."""
    ticket = uuid4().hex
    cache().set(lane(run, key, number), ticket, KEPT)
    send(key, number, ticket)


def is_valid(run: Run, key: str, number: int, ticket: str) -> bool:
    return bool(cache().get(lane(run, key, number)) == ticket)


def carry_out(part: Part, check: bool) -> dict[str, int]:
    (task,) = plan_tasks(part.labels, part.using)
    chosen = Rows(task.model, part.using, after=part.after, last=part.last)
    with tracing.span("syncfields.reconcile_part") as span:
        found = reconcile_chunk(task, chosen, check)
        drifted = sum(number for _, number, _ in found)
        rules, rows = list(part.labels), part.number
        span.set_attributes(
            tracing.attributes(rules=rules, check=check, scanned=rows, drifted=drifted)
        )
    return {"drifted": drifted, "repaired": 0 if check else drifted}


def resume(key: str, send: Send) -> int:
    """Send what a queue has lost, or what failed, of each lane; the number of parts sent.

    A worker that is alive finishes the part that it is at, which is done once more beside it, and
    leaves the rest of the lane to who was sent this one.
    """
    run, sent = known(key), 0
    found = results(key, run)
    for first in range(run.lanes):
        for number in range(first, len(run.parts), run.parallel):
            if "error" in found.get(number, {"error": ""}):
                send_valid(run, key, number, send)
                sent += 1
                break
    return sent


def progress(key: str) -> Progress:
    """How far a run has come. Raises ``LookupError`` where it is not known."""
    run = known(key)
    found = results(key, run)
    done = {number: each for number, each in found.items() if "error" not in each}
    return Progress(
        parts=len(run.parts),
        done=len(done),
        rows=sum(part.number for part in run.parts),
        rows_done=sum(run.parts[number].number for number in done),
        drifted=sum(each["drifted"] for each in done.values()),
        repaired=sum(each["repaired"] for each in done.values()),
        failed={number: each["error"] for number, each in found.items() if "error" in each},
    )


def name(key: str, number: int | None = None) -> str:
    """Under which the cache keeps a run, or what became of one of its parts."""
    return f"syncfields:run:{key}" if number is None else f"syncfields:run:{key}:{number}"


def lane(run: Run, key: str, number: int) -> str:
    """Under which the cache keeps the ticket that is valid in the lane of a part."""
    return f"syncfields:run:{key}:lane:{number % run.parallel}"


def known(key: str) -> Run:
    run: Run | None = cache().get(name(key))
    if run is None:
        raise LookupError(
            f"There is no run {key!r}, or the cache {conf.runs_cache()!r} has forgotten it: after "
            "a week, when it is cleared, and when it is full."
        )
    return run


def results(key: str, run: Run) -> dict[int, dict[str, Any]]:
    names = {name(key, number): number for number in range(len(run.parts))}
    return {names[each]: found for each, found in cache().get_many(names).items()}


def cache() -> BaseCache:
    """The cache that all workers share. Raises ``ImproperlyConfigured`` where that is no such."""
    alias = conf.runs_cache()
    found = caches[alias]
    if type(found).__module__.startswith(OF_ONE_PROCESS):
        raise ImproperlyConfigured(
            f"What a run knows is kept in the cache {alias!r}, which is a "
            f"{type(found).__name__}: other processes do not see it. Name another one of CACHES, "
            f'in Redis or in the database for instance: SYNCFIELDS = {{"RUNS_CACHE": ...}}.'
        )
    return found


def refuse_what_it_forgets(store: BaseCache, run: Run) -> None:
    """Django's own caches in tables and files drop a third of what they have when they are full:
    with 300 entries, unless somebody has said more.
    """
    if not isinstance(store, (BaseDatabaseCache, FileBasedCache)):
        return
    most, parts = store._max_entries, len(run.parts)
    # The run itself is one entry more. A cache that is just full forgets when one is written anew.
    if parts + run.lanes + 1 >= most:
        raise ImproperlyConfigured(
            f"The run has {parts} parts in {run.lanes} lanes, and the cache {conf.runs_cache()!r} "
            f"forgets when it has {most} entries. "
            f'Give it OPTIONS: {{"MAX_ENTRIES": ...}} in CACHES, or cut '
            "the run into fewer parts by a larger chunk_size."
        )
