"""Find drift and repair it, under live traffic, from the same plan that the writes use: model after
model, and of each chunk after chunk, by ``chunks.py``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, repeat
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.utils.asyncio import async_unsafe

from syncfields.exceptions import NotMigrated
from syncfields.plan import homes, registry
from syncfields.reconcile import tracing
from syncfields.reconcile.chunks import BATCH_SIZE, Chunk, Found, chunks, each_in_turn
from syncfields.reconcile.pace import Pace, TimeIsUp
from syncfields.reconcile.reports import Interrupted, Report, RuleReport
from syncfields.reconcile.sampling import sampled
from syncfields.reconcile.selection import Selection, Task, Where, plan_tasks
from syncfields.reconcile.workers import working
from syncfields.transactions import pending
from syncfields.transactions.turns import carried_out

logger = logging.getLogger("syncfields.reconcile")
FIRST = 200
"""Rows of the first chunk, where it tells whether most are wrong."""
END = object()
NOT_RECONCILABLE = "not reconcilable: counts events"
Progress = Callable[[str, int, int], None]
Do = Callable[[Task, Iterable[Chunk], bool], Iterator[tuple[Chunk, Found]]]
"""What reconciles chunks, in the order in which they come."""


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
    workers: int = 1,
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
    ``sleep`` is the pause between two chunks, in seconds. ``workers`` is the number of processes
    that reconcile chunks; more than one are started anew, and only where no transaction is open.

    Raises ``BrokenRules`` where a selected rule has an error, ``LookupError`` for a label that
    names no rule, ``NotMigrated`` where the tables are missing, and ``Interrupted`` where it is
    stopped.
    """
    given = selection, check, batch_size, using, progress, start_after, where, sample
    run = Run(*given, workers=workers)
    with run.traced():
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
    with run.traced():
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
    workers: int = 1
    do: Do = each_in_turn
    reports: dict[str, RuleReport] = field(default_factory=dict)
    databases: dict[str, dict[str, None]] = field(default_factory=dict)
    """``{label: {alias}}``: querysets of several databases have one report."""
    left: tuple[str, ...] = ()
    after: Any = None

    def report(self) -> Report:
        return Report(tuple(self.reports.values()), self.check, self.left, self.after)

    @contextmanager
    def traced(self) -> Iterator[None]:
        """A span around the run. Not in the generator: its context would be that of whoever goes on
        with it.
        """
        with tracing.span("syncfields.reconcile") as span:
            try:
                yield
            finally:
                found = self.report()
                numbers = {
                    each: getattr(found, each) for each in ("scanned", "drifted", "repaired")
                }
                rules, finished = [each.label for each in found.rules], found.finished
                span.set_attributes(
                    tracing.attributes(rules=rules, check=self.check, finished=finished, **numbers)
                )

    def carry_out(self, pace: Pace) -> Iterator[None]:
        """Reconcile model after model, and chunk by chunk; tell the log of it."""
        begun = time.monotonic()
        with ExitStack() as stack:
            stack.callback(lambda: self.log(time.monotonic() - begun))
            if self.workers > 1:
                self.do = stack.enter_context(working(self.workers)).each
            yield from self.carry_out_each(pace)

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
            except (KeyboardInterrupt, BrokenExecutor, DatabaseError, InterfaceError) as reason:
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
            database = ", ".join(self.databases[each.label])
            extra = {"rule": each.label, "database": database, "check": self.check, **numbers}
            # A monitor looks at a few rows all day long.
            usual = self.sample is not None and not each.drifted
            logger.log(
                logging.DEBUG if usual else logging.INFO,
                "%s: %d of %d value(s) have drifted, %d repaired, in a run of %.1f s",
                *(each.label, each.drifted, each.scanned, each.repaired, seconds),
                extra=extra | {"finished": finished, "seconds": seconds},
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
                self.databases.setdefault(rule.label, {})[task.queryset.db] = None
        for alias in {task.queryset.db for task in tasks}:
            if (waiting := pending.known(connections[alias])) is not None:
                waiting.flush()
        return tasks

    def chunks_of(self, task: Task, position: Any, pace: Pace) -> Iterator[Any]:
        if self.sample is not None and task.values:
            task = replace(task, queryset=sampled(task.queryset, self.sample))
        size = self.batch_size or BATCH_SIZE
        return run(task, self.reports, self.check, size, self.progress, position, pace, self.do)

    def leave(self, tasks: Iterable[Task], after: Any) -> None:
        self.left = tuple(rule.label for each in tasks for rule in each.rules)
        self.after = after

    def refuse_nonsense(self) -> None:
        if self.workers < 1:
            raise ValueError("At least 1 worker is needed.")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError("A batch has at least 1 row.")
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
    do: Do = each_in_turn,
) -> Iterator[Any]:
    """Reconcile chunk by chunk; yields the last primary key of each chunk that is done."""
    labels = {rule.field.attname: rule.label for rule in task.rules}
    if not task.values:
        return
    remaining = task.queryset if after is None else task.queryset.filter(pk__gt=after)
    total, done = remaining.count() if progress else 0, 0
    first = min(FIRST, batch_size) if task.at_once and not check else batch_size
    chosen = chunks(task, chain([first], repeat(batch_size)), after)
    for chunk, found in do(task, chosen if pace is None else paced(chosen, pace), check):
        done += chunk.number
        for label in labels.values():
            reports[label].scanned += chunk.number
        for name, number, drifts in found:
            reports[labels[name]].note_drift(number, drifts, repaired=not check)
        if progress:
            progress(task.model._meta.label, done, max(total, done))
        yield chunk.last


def paced(chosen: Iterable[Chunk], pace: Pace) -> Iterator[Chunk]:
    for chunk in chosen:
        pace.wait()
        yield chunk
