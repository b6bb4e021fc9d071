"""Some rows of one target model: their drift found, or repaired.

A scan without locks finds candidates chunk by chunk, in the order of the primary key; the database
compares, so that only drifted rows travel. Candidates are then locked, evaluated again in a later
statement, and only what still differs is written. Where most of a chunk was wrong, all rows of the
next are locked at once, and evaluated only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connections

from syncfields.keep import engine
from syncfields.maintenance.changes import Change, Learnt
from syncfields.plan.routes import concerned
from syncfields.reconcile.reports import EXAMPLES
from syncfields.reconcile.selection import Task
from syncfields.sql.locks import lock, lock_unread, take
from syncfields.sql.scans import Rows
from syncfields.targets import announcing, drift, evaluating
from syncfields.targets.drift import Drift
from syncfields.targets.updates import sorted_pks
from syncfields.transactions import scope
from syncfields.transactions.atomic import persistently, together

BATCH_SIZE = 10_000
# Of rows that differ, as many are locked together.
LOCKED = 2_000
LOCKED_AT_ONCE = 10_000  # where one statement evaluates and repairs them
Found = list[tuple[str, int, list[Drift]]]
"""By attribute name, how many rows had drifted, and some of them."""


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


def each_in_turn(task: Task, chosen: Iterable[Chunk], check: bool) -> Iterator[tuple[Chunk, Found]]:
    """Reconcile chunks one after the other."""
    handle = look if check else repair_candidates
    for chunk in chosen:
        found = in_its_turn(partial(handle, task, chunk.rows), chunk.rows.using)
        yield chunk, found
        if not check and task.at_once:
            most = max((number for _, number, _ in found), default=0) > chunk.number / 2
            handle = repair_all if most else repair_candidates


def reconcile_chunk(task: Task, chosen: Rows, check: bool) -> Found:
    """Reconcile some rows of a task, by themselves."""
    return in_its_turn(partial(look if check else repair_candidates, task, chosen), chosen.using)


def in_its_turn(attempt: Callable[[], Found], using: str) -> Found:
    """A chunk, whose transactions are its own, tried again where a writer was in its way: a
    deadlock, a lock not granted in time.
    """
    return persistently(connections[using], attempt, within=nullcontext, passes=lambda _: True)


def look(task: Task, chunk: Rows) -> Found:
    """The drift among some rows."""
    found = (drifts for scan in task.scans for _, drifts in drift.differing(scan, chunk))
    return summary(drift.by_field(found))


def summary(found: Mapping[str, list[Drift]]) -> Found:
    return [(name, len(drifts), in_order(drifts)[:EXAMPLES]) for name, drifts in found.items()]


def in_order(drifts: Iterable[Drift]) -> list[Drift]:
    """By primary key: a database that groups rows gives them in any order."""
    of_key = {each.pk: each for each in drifts}
    return [of_key[pk] for pk in sorted_pks(of_key)]


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
        learnt = Learnt((), frozenset(task.values), locked=True)
        change = Change(task.model, "update", learnt)
        if chosen.pks is not None:
            learnt.pks = lock(task.model, chosen.using, chosen.pks)
        elif concerned([change]):
            learnt.pks = take(chosen.queryset())
        else:
            lock_unread(chosen.queryset())
        return engine.perform(chosen.using, [change], repair)
