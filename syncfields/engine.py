"""Before, write, after: a change of source rows becomes updates of their targets.

Every write takes the same three steps, whichever way it came: read what the rows contribute, let
the write happen, read again and apply the difference. All of it is one transaction, without a
savepoint of its own. What the engine writes is a change like any other, so that rules that read
synced fields follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import connections, transaction

from syncfields import initial, memory, pending, registry, scope, targets
from syncfields.changes import Change
from syncfields.locks import lock, lock_around, lock_path, lock_referred
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.direct import Direct
from syncfields.paths import Model, Path
from syncfields.single import Row

Result = TypeVar("Result")


def concerned(changes: Sequence[Change]) -> list[Maintenance]:
    """The maintenances that the changes matter to, in the order of the plan."""
    plan = registry.plan()
    found: dict[Maintenance, None] = {}
    for model in {change.model for change in changes}:
        for watch in plan.sources.get(model, ()):
            found[watch.maintenance] = None
    return [each for each in found if each.concerned(changes)]


def known_before(using: str, instances: Sequence[Any]) -> bool:
    """Whether other rows can refer to keys whose rows are yet to be inserted."""
    return connections[using].features.can_defer_constraint_checks and any(
        instance.pk is not None for instance in instances
    )


class Keeping:
    """The steps around one write: ``before()``, then the write itself, then ``after()``."""

    def __init__(self, using: str, changes: Sequence[Change]) -> None:
        self.using = using
        self.changes = changes
        self.maintenances = concerned(changes)
        self.known: list[Any] = []
        self.row: Row | None = None
        self.ways: dict[Maintenance, Direct] = {}
        self.followed: list[tuple[Maintenance, Path]] = []

    def before(self) -> None:
        if not scope.repairing_drift():
            self.take_short_ways()
        if connections[self.using].vendor == "mysql":
            self.lock_parents()
        lock_sources(self.using, self.changes, self.maintenances)
        if scope.repairing_drift():
            self.known = [each.targets(self.changes, self.using) for each in self.maintenances]
        else:
            self.known = [each.before(self.changes, self.using) for each in self.maintenances]

    def is_read(self, maintenance: Maintenance) -> bool:
        """Whether other rules read what it keeps, and must be told which rows change."""
        columns = registry.plan().columns.get(maintenance.target, frozenset())
        return not columns.isdisjoint(maintenance.values)

    def lock_parents(self) -> None:
        """Lock the rows that new keys refer to, which MySQL and MariaDB would lock shared."""
        for change in self.changes:
            for maintenance in (*self.ways, *self.maintenances):
                for dependency in maintenance.dependencies:
                    if change.rows and change.concerns(dependency):
                        columns = None if change.kind == "insert" else change.columns
                        lock_referred(dependency.path, self.using, change.rows, columns)

    def take_short_ways(self) -> None:
        """Read a single row at once with all that is known of it; what did not change is left."""
        if len(self.changes) != 1:
            return
        (change,) = self.changes
        single = change.kind == "insert" or len(change.pks) == 1
        if not single or (change.values is None and change.kind != "delete"):
            return
        self.row = Row(self.using, change)
        if change.kind != "insert" and registry.plan().columns[change.model]:
            self.read_row(self.row, change)
        directs = registry.plan().directs.get(change.model, {})
        self.ways = {each: directs[each] for each in self.maintenances if each in directs}
        self.followed = [
            (each, path)
            for each in self.maintenances
            if isinstance(each, Copy) and not self.is_read(each)
            for path in [each.followed(change)]
            if path is not None
        ]
        short = {*self.ways, *(each for each, _ in self.followed)}
        self.maintenances = [each for each in self.maintenances if each not in short]

    def read_row(self, row: Row, change: Change) -> None:
        """Read the old values, and leave the maintenances that the write cannot matter to."""
        found = change.previous is not None and row.remember(change.previous, change.values or {})
        found = found or row.read(lock=True)
        change.locked = True
        if not found:  # Django will insert it, or there is nothing to delete.
            self.maintenances = []
        elif change.kind == "update":
            change.columns = row.changed(change.values or {})
            self.maintenances = concerned(self.changes)

    def after(self) -> None:
        lock_hops(self.using, self.changes, self.maintenances, {"insert"})
        effects = Effects()
        if self.row is not None:
            self.row.after(self.ways, effects)
        for each, known in zip(self.maintenances, self.known, strict=True):
            if scope.repairing_drift():
                effects.stale[each] |= known | each.targets(self.changes, self.using)
            else:
                each.after(self.changes, self.using, known, effects)
        effects.spare(self.changes)
        for maintenance, path in self.followed:
            targets.follow(self.using, maintenance, path, self.changes[0].pks[0])
        if pending.waits(self.using) and not scope.repairing_drift():
            effects.leave_extremes(registry.plan().targets)
            pending.of(self.using, apply).note(effects)
        else:
            apply(self.using, effects)


def perform(using: str, changes: Sequence[Change], write: Callable[[], Result]) -> Result:
    """Carry out ``write``, which makes ``changes``, and keep all targets right."""
    keeping = Keeping(using, changes)
    if not keeping.maintenances:
        return write()
    if (suspension := scope.suspended()) is not None:
        return suspension.watch(using, keeping.maintenances, changes, write)
    with transaction.atomic(using=using, savepoint=False):
        keeping.before()
        result = write()
        keeping.after()
    return result


def insert(
    using: str, change: Change, instances: Sequence[Any], write: Callable[[], Result]
) -> Result:
    """Insert targets: their synced fields start at the values of their expressions."""
    with transaction.atomic(using=using, savepoint=False):
        late = initial.assign(using, change, instances)
        result = perform(using, [change], write)
        for maintenance in late:
            recompute(using, maintenance, set(change.pks))
            for instance in instances:
                memory.drop(instance, maintenance.values)
    return result


def lock_sources(
    using: str, changes: Sequence[Change], maintenances: Sequence[Maintenance]
) -> None:
    if not connections[using].features.has_select_for_update:
        return
    for change in changes:
        if change.kind != "insert" and not change.locked:
            lock(change.model, using, change.pks)
    lock_hops(using, changes, maintenances, {"update", "delete"})


def lock_hops(
    using: str, changes: Sequence[Change], maintenances: Sequence[Maintenance], kinds: set[str]
) -> None:
    """Lock what lies between the changed rows and their targets, so that nobody moves it."""
    if not connections[using].features.has_select_for_update:
        return
    for maintenance in maintenances:
        for dependency in maintenance.dependencies:
            for change in changes:
                if change.kind in kinds and change.concerns(dependency) and change.pks:
                    lock_around(dependency, maintenance.dependencies, using, change.pks)


def apply(using: str, effects: Effects) -> None:
    """Write the effects to the targets, the nearest targets first."""
    plan = registry.plan()
    for maintenance in plan.maintenances:
        target = maintenance.target
        if stale := effects.stale.pop(maintenance, None):
            recompute(using, maintenance, stale)
        deltas = effects.deltas.pop(target, {})
        extremes = effects.extremes.pop(target, {})
        if deltas or extremes:
            add(using, target, deltas, extremes)


def recompute(using: str, maintenance: Maintenance, pks: set[Any]) -> None:
    """Evaluate the rules of a maintenance anew for the targets ``pks``."""
    with transaction.atomic(using=using, savepoint=False):
        lock(maintenance.target, using, pks)
        if (waiting := pending.known(using)) is not None:
            waiting.discard(maintenance.target, pks, maintenance.values.keys())
        if isinstance(maintenance, Copy):
            for dependency in maintenance.dependencies:
                lock_path(dependency.path, using, pks)
        columns = targets.written(maintenance.target, maintenance.values)
        change = Change(maintenance.target, "update", sorted_pks(pks), columns, locked=True)
        perform(using, [change], lambda: targets.evaluate(using, maintenance, change.pks))


def add(using: str, target: Model, deltas: dict[Any, Any], extremes: dict[Any, Any]) -> None:
    """Apply deltas, and values that joined an extreme, to the rows of one target model."""
    pks = sorted_pks(deltas.keys() | extremes.keys())
    names = {name for rows in (deltas, extremes) for row in rows.values() for name in row}
    columns = targets.written(target, names)
    change = Change(target, "update", pks, columns)

    healed = perform(using, [change], lambda: targets.add(using, target, pks, deltas, extremes))
    if healed:
        # What reads a healed value was right or wrong by itself, and the difference says nothing.
        again = Change(target, "update", healed, columns, locked=True)
        with scope.repairs():
            perform(using, [again], lambda: None)


def sorted_pks(pks: Any) -> list[Any]:
    try:
        return sorted(pks)
    except TypeError:
        return sorted(pks, key=repr)


def in_plan_order(
    touched: dict[tuple[str, Maintenance], set[Any]],
) -> list[tuple[tuple[str, Maintenance], set[Any]]]:
    order = {each: number for number, each in enumerate(registry.plan().maintenances)}
    return sorted((item for item in touched.items() if item[1]), key=lambda item: order[item[0][1]])
