"""Rows that are written together, locked with all that their write will touch: those that a
queryset chooses, and those of several tables that are deleted at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from syncfields.declare.paths import Model
from syncfields.maintenance.changes import Change, Held
from syncfields.programs.by_table import lock_each
from syncfields.programs.chained import lock_chained
from syncfields.programs.chosen import Asking, Chosen, Reading
from syncfields.programs.foresight import Foresight, Named, Step, foresight, is_plain
from syncfields.programs.locking import may_lock
from syncfields.programs.order import against_the_order, ranks
from syncfields.sql.databases import vendor_of
from syncfields.sql.holding import UNKNOWN, holding_of


def lock_written(queryset: QuerySet[Any], change: Change, reading: Reading) -> Held | None:
    """Lock the rows of a queryset, which a change is about to write, and all that it will touch:
    the change learns which rows these are. None where that is not to be foreseen, or not needed.

    ``reading``: what is to be read of the rows, which is answered where it can be.
    """
    using, model = queryset.db, change.model
    if not may_lock(connections[using]) or not is_plain(model):
        return None
    found = foresight(using, change, is_free=True)
    if found is None or not is_first(change, found.steps):
        return None
    if (keys := keys_written(using, change, found.steps)) is None:
        return None
    found = replace(found, steps=tuple(led_by(change, step) for step in found.steps))
    chosen = Chosen(model, queryset)
    try:
        if vendor_of(using) == "postgresql":
            held = lock_chained(using, found, keys, reading.asked_of_all, chosen, several=True)
        else:
            held = lock_each(using, found, keys, chosen=chosen, reading=reading)
    except EmptyResultSet:
        return None
    if not held.complete or not all(pks.issubset(held.rows[each]) for each, pks in keys.items()):
        return None  # Those that are there are locked again, with all others.
    change.learnt.all_locked(list(held.rows[model]))
    return held


def is_first(change: Change, steps: Sequence[Step]) -> bool:
    """Whether the rows of a change are to be locked before all others."""
    rank = ranks().get(change.model, len(ranks()))
    return all(ranks()[step.model] > rank for step in steps) and not any(
        change.writes(each.columns) for each in against_the_order(change.model)
    )


def led_by(change: Change, step: Step) -> Step:
    """The step, where the rows of a change are locked before it: these lead to it, by the keys that
    they hold.
    """
    names = [each.column for each in step.named if not (each.as_written and writes(change, each))]
    return replace(step, led=(*((change.model, name) for name in names), *step.led))


def writes(change: Change, named: Named) -> bool:
    return change.kind == "update" and change.writes((named.column,))


def keys_written(using: str, change: Change, steps: Sequence[Step]) -> dict[Model, set[Any]] | None:
    """The keys that rows are going to hold; None where these are unknown."""
    found: dict[Model, set[Any]] = {}
    for step in steps:
        pks: set[Any] = set()
        for name in {each.column for each in step.named if writes(change, each)}:
            holds = holding_of(using, change.model, name)
            pks |= {holds(row[name]) for row in change.rows if name in row} or {UNKNOWN}
        if UNKNOWN in pks:
            return None
        found[step.model] = pks - {None}
    return found


# Rows of several tables that are deleted at once --------------------------------------------------


def lock_deleted(connection: Any, changes: Sequence[Change], asking: Asking) -> Held | None:
    """Lock all that some DELETEs will touch, and their own rows where they are not ``locked``. None
    where that is not to be foreseen, or takes as many statements as there are tables.
    """
    if connection.vendor != "postgresql" or not may_lock(connection):
        return None
    deletes = Deletes()
    if not all(deletes.take(connection.alias, change) for change in changes):
        return None
    steps = deletes.steps()
    taken = {change.model for change in changes if change.learnt.locked}
    if not are_in_order(steps) or not taken.isdisjoint(step.model for step in steps):
        return None
    keys = {step.model: deletes.keys[step.model] for step in steps}
    found = Foresight(steps, deletes.whole)
    held = lock_chained(connection.alias, found, keys, asking, several=True)
    if not held.complete:
        return None
    for change in changes:
        learnt, there = change.learnt, held.rows.get(change.model, ())
        learnt.all_locked(learnt.pks if learnt.locked else [pk for pk in learnt.pks if pk in there])
    return held


@dataclass
class Deletes:
    """What several DELETEs lock, as if they were one."""

    keys: dict[Model, set[Any]] = field(default_factory=lambda: defaultdict(set))
    led: dict[Model, dict[tuple[Model, str], None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    whole: dict[Model, frozenset[str]] = field(default_factory=dict)

    def take(self, using: str, change: Change) -> bool:
        """Add what a DELETE locks; False where it is not to be foreseen."""
        found = foresight(using, change, is_free=True)
        if change.kind != "delete" or found is None or not is_plain(change.model):
            return False
        if not change.learnt.locked:
            self.keys[change.model].update(change.learnt.pks)
        for step in found.steps:
            self.led[step.model] |= dict.fromkeys(step.led)
            for name in (each.column for each in step.named):
                if not change.learnt.locked:
                    self.led[step.model][change.model, name] = None
                elif not all(name in row for row in change.learnt.former):
                    return False
                else:
                    self.keys[step.model] |= {row[name] for row in change.learnt.former} - {None}
        for model, names in found.whole.items():
            self.whole[model] = self.whole.get(model, names) | names
        return True

    def steps(self) -> tuple[Step, ...]:
        models = sorted({*self.keys, *self.led}, key=lambda each: ranks().get(each, -1))
        return tuple(Step(model, (), tuple(self.led[model])) for model in models)


def are_in_order(steps: Sequence[Step]) -> bool:
    """Whether each table is known to the order, and comes after those that lead to its rows."""
    before: set[Model] = set()
    for step in steps:
        if step.model not in ranks() or not all(near in before for near, _ in step.led):
            return False
        before.add(step.model)
    return True
