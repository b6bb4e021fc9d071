"""Find drift and repair it, under live traffic, from the same plan that the writes use.

A scan without locks finds candidates chunk by chunk, in the order of the primary key; the database
compares, so that only drifted rows travel. Candidates are then locked, evaluated again in a later
statement, and only what still differs is written. Where most of a chunk was wrong, all rows of the
next are locked at once, and evaluated only once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, repeat
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.utils.asyncio import async_unsafe

from syncfields.exceptions import NotMigrated
from syncfields.keep import engine
from syncfields.maintenance.changes import Change
from syncfields.plan import homes, registry
from syncfields.plan.routes import concerned
from syncfields.reconcile.pace import Pace, TimeIsUp
from syncfields.reconcile.reports import EXAMPLES, Interrupted, Report, RuleReport
from syncfields.reconcile.sampling import sampled
from syncfields.reconcile.selection import Selection, Task, Where, plan_tasks
from syncfields.sql.locks import lock, lock_unread, take
from syncfields.sql.scans import Rows
from syncfields.targets import announcing, drift, evaluating
from syncfields.targets.drift import Drift
from syncfields.targets.updates import sorted_pks
from syncfields.transactions import pending, scope
from syncfields.transactions.atomic import together
from syncfields.transactions.turns import carried_out

logger = logging.getLogger("syncfields.reconcile")
BATCH_SIZE = 10_000
# Of rows that differ, as many are locked together.
LOCKED = 2_000
LOCKED_AT_ONCE = 10_000  # where one statement evaluates and repairs them
FIRST = 200
"""Rows of the first chunk, where it tells whether most are wrong."""
ATTEMPTS = 3
END = object()
NOT_RECONCILABLE = "not reconcilable: counts events"
Found = list[tuple[str, int, list[Drift]]]
"""By attribute name, how many rows had drifted, and some of them."""
Progress = Callable[[str, int, int], None]


@async_unsafe("In async code call areconcile().")
def reconcile(
    *selection: Selection,
    check: bool = False,
    batch_size: int | None = None,
    using: str | None = None,
    progress: Progress | None = None,
    start_after: Any = None,
    where: Where | None = None,
    sample: int | None = None,
    max_seconds: float | None = None,
    sleep: float = 0,
) -> Report:
    """Recompute synced fields, and repair those that drifted.

    ``selection``: labels (``"app"``, ``"app.Model"``, ``"app.Model.field"``), models, or querysets
    of target rows; nothing stands for every rule. ``check`` only looks. ``batch_size`` is in rows
    (default 10,000). ``using`` is a database alias; by default it is where each model is written,
    or what a queryset says by ``using()``. ``progress`` is called with the model's label, the rows
    done and the rows in all. ``start_after`` resumes behind a primary key.

    ``where`` keeps to the target rows that a ``Q`` describes, or a function that is called with
    each target model and returns one. ``sample`` keeps to so many rows of each model, drawn at
    random. After ``max_seconds`` no further chunk is begun: the report says what is ``left``.
    ``sleep`` is the pause between two chunks, in seconds.

    Raises ``BrokenRules`` where a selected rule has an error, ``LookupError`` for a label that
    names no rule, ``NotMigrated`` where the tables are missing, and ``Interrupted`` where it is
    stopped.
    """
    run = Run(selection, check, batch_size, using, progress, start_after, where, sample)
    for _ in run.carry_out(Pace(max_seconds, sleep)):
        pass
    return run.report()


async def areconcile(
    *selection: Selection,
    check: bool = False,
    batch_size: int | None = None,
    using: str | None = None,
    progress: Progress | None = None,
    start_after: Any = None,
    where: Where | None = None,
    sample: int | None = None,
    max_seconds: float | None = None,
    sleep: float = 0,
) -> Report:
    """``reconcile()`` for async code. Between two chunks other tasks can use the database; a task
    that is cancelled finishes its chunk.
    """
    run = Run(selection, check, batch_size, using, progress, start_after, where, sample)
    chunks = run.carry_out(Pace(max_seconds))
    while await carried_out(sync_to_async(partial(next, chunks, END))()) is not END:
        if sleep:  # Not in the thread, which is there for other tasks too.
            await asyncio.sleep(sleep)
    return run.report()


@dataclass(slots=True)
class Run:
    """What ``reconcile()`` is told, and what it has found so far."""

    selection: Iterable[Selection]
    check: bool
    batch_size: int | None
    using: str | None
    progress: Progress | None
    start_after: Any
    where: Where | None
    sample: int | None
    reports: dict[str, RuleReport] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    after: Any = None

    def report(self) -> Report:
        return Report(tuple(self.reports.values()), self.check, self.left, self.after)

    def carry_out(self, pace: Pace) -> Iterator[None]:
        """Reconcile model after model, and chunk by chunk; tell the log of it."""
        begun = time.monotonic()
        try:
            yield from self.carry_out_each(pace)
        finally:
            self.log(time.monotonic() - begun)

    def carry_out_each(self, pace: Pace) -> Iterator[None]:
        tasks = self.tasks()
        for number, task in enumerate(tasks):
            position = task.key(self.start_after) if number == 0 else None
            try:
                for last in self.chunks_of(task, position, pace):
                    position = last
                    yield
            except TimeIsUp:
                self.leave(tasks[number:], position)
                return
            except (KeyboardInterrupt, DatabaseError, InterfaceError) as reason:
                if isinstance(reason, DatabaseError):
                    refuse_unmigrated(task, reason)
                if isinstance(reason, DatabaseError) and not isinstance(reason, OperationalError):
                    raise
                self.leave(tasks[number:], position)
                raise Interrupted(self.left, position, self.report()) from reason

    def log(self, seconds: float) -> None:
        for each in self.reports.values():
            numbers = {name: getattr(each, name) for name in ("scanned", "drifted", "repaired")}
            finished = each.label not in self.left
            extra = {"rule": each.label, "check": self.check, "finished": finished, **numbers}
            logger.info(
                "%s: %d of %d value(s) have drifted, %d repaired, in a run of %.1f s",
                *(each.label, each.drifted, each.scanned, each.repaired, seconds),
                extra=extra | {"seconds": seconds},
            )

    def tasks(self) -> list[Task]:
        """What is to be done, with a report for each rule; what waits is written."""
        self.refuse_nonsense()
        tasks = list(plan_tasks(self.selection, self.using, self.where))
        for task in tasks:
            for rule in task.rules:
                known = rule.field.attname in task.values
                note = "" if known else NOT_RECONCILABLE
                self.reports[rule.label] = RuleReport(rule.label, reconcilable=known, note=note)
        for alias in {task.queryset.db for task in tasks}:
            if (waiting := pending.known(connections[alias])) is not None:
                waiting.flush()
        return tasks

    def chunks_of(self, task: Task, position: Any, pace: Pace) -> Iterator[Any]:
        if self.sample is not None and task.values:
            task = replace(task, queryset=sampled(task.queryset, self.sample))
        size = self.batch_size or BATCH_SIZE
        return run(task, self.reports, self.check, size, self.progress, position, pace)

    def leave(self, tasks: Iterable[Task], after: Any) -> None:
        self.left = tuple(rule.label for each in tasks for rule in each.rules)
        self.after = after

    def refuse_nonsense(self) -> None:
        if self.sample is not None and self.sample < 1:
            raise ValueError("A sample has at least 1 row.")
        if self.sample is not None and self.start_after is not None:
            raise ValueError("A sample is drawn from all rows, and cannot start behind one.")


def refuse_unmigrated(task: Task, reason: DatabaseError) -> None:
    """Raise ``NotMigrated`` if what the rules read is not there: then nothing can be resumed."""
    read = {
        dependency.model: None
        for maintenance in registry.plan().targets[task.model]
        if not task.values.keys().isdisjoint(maintenance.values)
        for dependency in maintenance.dependencies
    }
    if lacking := homes.lacking(task.queryset.db, [task.model, *read]):
        raise NotMigrated(task.queryset.db, list(dict.fromkeys(lacking))) from reason


def run(
    task: Task,
    reports: dict[str, RuleReport],
    check: bool,
    batch_size: int,
    progress: Progress | None,
    after: Any,
    pace: Pace | None = None,
) -> Iterator[Any]:
    """Reconcile chunk by chunk; yields the last primary key of each chunk that is done."""
    labels = {rule.field.attname: rule.label for rule in task.rules}
    if not task.values:
        return
    remaining = task.queryset if after is None else task.queryset.filter(pk__gt=after)
    total, done = remaining.count() if progress else 0, 0
    handle, adapts = look if check else repair_candidates, task.at_once and not check
    first = min(FIRST, batch_size) if adapts else batch_size
    for chunk in chunks(task, chain([first], repeat(batch_size)), after):
        if pace is not None:
            pace.wait()
        found = persistently(partial(handle, task, chunk.rows), task.queryset.db)
        done += chunk.number
        for label in labels.values():
            reports[label].scanned += chunk.number
        for name, number, drifts in found:
            reports[labels[name]].note_drift(number, drifts, repaired=not check)
        if adapts:
            most = max((number for _, number, _ in found), default=0) > chunk.number / 2
            handle = repair_all if most else repair_candidates
        if progress:
            progress(task.model._meta.label, done, max(total, done))
        yield chunk.last


def reconcile_chunk(task: Task, chosen: Rows, check: bool) -> Found:
    """Reconcile some rows of a task, by themselves."""
    return persistently(partial(look if check else repair_candidates, task, chosen), chosen.using)


def persistently(attempt: Callable[[], Found], using: str) -> Found:
    """A chunk, tried again where a writer was in its way: a deadlock, a lock not granted in time.

    Only where the chunk is a transaction of its own.
    """
    for _ in range(0 if connections[using].in_atomic_block else ATTEMPTS - 1):
        with suppress(OperationalError):
            return attempt()
    return attempt()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that are looked at together, by their primary keys."""

    rows: Rows
    last: Any
    number: int


def chunks(task: Task, sizes: Iterable[int], after: Any) -> Iterator[Chunk]:
    whole, using = not task.queryset.query.where, task.queryset.db
    for limit in sizes:
        left = task.queryset if after is None else task.queryset.filter(pk__gt=after)
        keys = left.order_by("pk").values_list("pk", flat=True)
        if not whole:
            pks = list(keys[:limit])
            number, last = len(pks), pks[-1] if pks else None
            chosen = Rows(task.model, using, pks)
        else:  # Not all keys need be known.
            ends = list(keys[limit - 1 : limit])
            number = limit if ends else left.count()
            (last,) = ends or keys.reverse()[:1] or [None]
            chosen = Rows(task.model, using, after=after, last=last)
        if last is not None:
            yield Chunk(chosen, last, number)
        if number < limit:
            return
        after = last


def look(task: Task, chunk: Rows) -> Found:
    """The drift among some rows."""
    found = (drifts for scan in task.scans for _, drifts in drift.differing(scan, chunk))
    return summary(drift.by_field(found))


def summary(found: Mapping[str, list[Drift]]) -> Found:
    return [(name, len(drifts), drifts[:EXAMPLES]) for name, drifts in found.items()]


def repair_candidates(task: Task, chunk: Rows) -> Found:
    """Find the drift among some rows, and repair what is still there once they are locked."""
    keys = sorted_pks({pk for scan in task.scans for pk in drift.candidates(scan, chunk)})
    found: Found = []
    for batch in evaluating.batches(keys, LOCKED_AT_ONCE if task.at_once else LOCKED):
        many = task.at_once and len(batch) > drift.FEW
        found += repaired(task, Rows(task.model, chunk.using, batch), many)
    return found


def repair_all(task: Task, chunk: Rows) -> Found:
    """Lock all of some rows, and repair the drift among them."""
    return repaired(task, chunk, at_once=True)


def repaired(task: Task, chosen: Rows, at_once: bool) -> Found:
    """Lock rows, and repair their drift."""

    def repair() -> Found:
        if at_once and not announcing.is_heard(task.model):  # It does not say which rows.
            return list(drift.repair_at_once(task.scans, chosen, EXAMPLES))
        found = drift.repair(task.scans, task.values, chosen, locked=True, exact=False)
        return summary(found)

    with scope.repairs(), together(connections[chosen.using]):
        change = Change(task.model, "update", (), frozenset(task.values), locked=True)
        if chosen.pks is not None:
            change.pks = lock(task.model, chosen.using, chosen.pks)
        elif concerned([change]):
            change.pks = take(chosen.queryset())
        else:
            lock_unread(chosen.queryset())
        return engine.perform(chosen.using, [change], repair)
