"""Which statements a write sends beside its own: the steps of the engine, followed without writing.

The row is one that counts wherever it can, its instance says what it writes, and what can change
changes. Fewer are sent where a rule's filter leaves the row out; more, where rows between source
and target are locked. What is said here is compared with all writes of the zoo in
``tests/test_explain.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import connections, models
from django.db.models.deletion import Collector

from syncfields import (
    grouped,
    initial,
    many,
    registry,
    routes,
    targets,
    tracking,
    writing,
)
from syncfields.changes import Change, reach
from syncfields.contributions import sides
from syncfields.fields import UNKNOWN, is_steady
from syncfields.locks import leads_to_one, must_write, referring
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.direct import Direct, Part
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.maintenance.tally import Tallied
from syncfields.order import against_the_order, goes_both_ways
from syncfields.paths import Dependency, Model, Path, column
from syncfields.samples import contribution, is_known
from syncfields.trees import references

Ways = Mapping[Maintenance, Direct]
ROW = (0,)
"""Stands for the primary key of the row that is written."""


@dataclass(slots=True)
class Touched:
    """What a write does to targets, as ``Effects`` would say it."""

    added: dict[Model, set[str]] = field(default_factory=dict)
    stale: set[Maintenance] = field(default_factory=set)

    def add(self, maintenance: Maintenance, names: Iterable[str]) -> None:
        self.added.setdefault(maintenance.target, set()).update(names)


class Sending:
    """The statements of one write, in their order."""

    def __init__(self, using: str, was_extreme: bool = False) -> None:
        self.using = using
        self.was_extreme = was_extreme
        self.features: Any = connections[using].features
        self.locks = self.features.has_select_for_update
        self.sent: list[str] = []
        self.locks_more = False
        """Whether rows are locked that are not counted."""

    def select(self, model: Model) -> None:
        self.sent.append(f"SELECT {model._meta.db_table}")

    def update(self, model: Model) -> None:
        self.sent.append(f"UPDATE {model._meta.db_table}")

    # The engine's steps ----------------------------------------------------------------------

    def one(self, change: Change) -> None:
        """A single row whose values are known, and that was read where that is needed."""
        found = routes.route(change)
        read_again = partial(self.read_again, change, found.ways)
        self.keep(change, found.ways, found.others, found.followed, write=read_again)

    def general(self, change: Change) -> None:
        self.keep(change, {}, routes.route(change).maintenances)

    def keep(
        self,
        change: Change,
        ways: Ways,
        others: Sequence[Maintenance],
        followed: Sequence[tuple[Maintenance, Path]] = (),
        write: Callable[[], None] | None = None,
    ) -> None:
        self.lock_parents(change)
        self.lock_hops(change, others)
        if others and change.kind != "insert" and not change.locked and self.locks:
            self.select(change.model)
        self.read(change, others, before=True)
        if write is not None:
            write()
        touched = Touched()
        self.after_rows(change, ways, touched)
        self.read(change, others, before=False)
        for each in others:
            note(each, change, touched)
        for each, path in followed:
            self.follow(each, path)
        self.apply(touched)

    def lock_parents(self, change: Change) -> None:
        if connections[self.using].vendor != "mysql" or not change.rows:
            return
        last_hops = {
            dependency.path.after(len(dependency.path.hops) - 1): None
            for maintenance in routes.route(change).maintenances
            for dependency in maintenance.dependencies
            if dependency.path.hops and change.concerns(dependency)
        }
        found = [path for path in last_hops if referring(path)]
        if any(change.writes(referring(path)) for path in found):
            for target in dict.fromkeys(path.target for path in found):
                self.select(target)

    def lock_relatives(self, change: Change) -> None:
        """What copies from the row is not counted where it is locked before it."""
        found = against_the_order(change.model) if self.locks else ()
        self.locks_more |= any(change.writes(dependency.columns) for dependency in found)

    def lock_hops(self, change: Change, others: Iterable[Maintenance]) -> None:
        """What is locked between and beyond is not counted: it depends on where the row leads."""
        self.locks_more |= self.locks and any(
            change.concerns(dependency) and is_on_the_way(dependency, each.dependencies)
            for each in others
            for dependency in each.dependencies
        )

    def read(self, change: Change, maintenances: Sequence[Maintenance], before: bool) -> None:
        """The SELECT of the row itself, and those from the side of its targets."""
        ways, others = sides([change], maintenances)
        if ways and change.kind != ("insert" if before else "delete"):
            self.select(change.model)
        for each in others:
            self.look(each, change, before)

    def look(self, maintenance: Maintenance, change: Change, before: bool) -> None:
        """The SELECT for what a row contributes, or which targets it leads to."""
        looked = [change] if change.kind != ("insert" if before else "delete") else []
        if isinstance(maintenance, Tallied):
            looked = [] if before else maintenance.events(looked)
        if before and isinstance(maintenance, Copy) and change.kind != "delete":
            looked = [each for each in looked if maintenance.moves_targets(each)]
        found = reach(maintenance.dependencies, looked)
        known = isinstance(maintenance, Recompute) and all(not path.hops for path, _ in found)
        if found and not known:
            self.select(maintenance.target)

    def after_rows(self, change: Change, ways: Ways, touched: Touched) -> None:
        for maintenance, way in ways.items():
            if isinstance(maintenance, Recompute):
                touched.stale.add(maintenance)
            elif not isinstance(maintenance, Extreme):
                touched.add(maintenance, (part.attname for part in way.parts))
            else:
                if change.kind != "insert":
                    self.look_at_extreme(maintenance, moved=way.key in (change.columns or ()))
                    if self.was_extreme:
                        touched.stale.add(maintenance)
                stays = way.key not in (change.columns or ())
                if change.kind != "delete" and not (maintenance in touched.stale and stays):
                    touched.add(maintenance, [maintenance.attname])

    def look_at_extreme(self, maintenance: Maintenance, moved: bool) -> None:
        """Whether the value that leaves is the stored one."""
        if self.locks and (moved or must_write(self.using)):
            self.select(maintenance.target)
        self.select(maintenance.target)

    def read_again(self, change: Change, ways: Ways) -> None:
        """Where memory does not say what the row contributes now."""
        model = change.model
        for maintenance, way in ways.items() if change.kind != "delete" else ():
            reads_itself = maintenance.target is model and not self.features.update_can_self_select
            found = [contribution(part, model, self.using) for part in way.parts]
            if UNKNOWN in found or (reads_itself and not all(map(is_known, found))):
                self.select(model)
                return

    def follow(self, maintenance: Maintenance, path: Path) -> None:
        touches = writing.touches(maintenance.target, list(maintenance.values))
        composite = len(path.model._meta.pk_fields) > 1
        if composite or touches or not self.features.update_can_self_select:
            self.select(maintenance.target)
            self.evaluate(maintenance, locked=False)
        else:
            self.update(maintenance.target)

    def apply(self, touched: Touched) -> None:
        plan = registry.plan()
        order = {*touched.stale, *(plan.targets[target][0] for target in touched.added)}
        for maintenance in sorted(order, key=plan.position.__getitem__):
            if maintenance in touched.stale:
                self.recompute(maintenance)
            if names := touched.added.pop(maintenance.target, None):
                self.add(maintenance.target, names)

    def add(self, target: Model, names: Collection[str]) -> None:
        columns = targets.written(target, frozenset(names))
        change = Change(target, "update", ROW, columns)
        self.perform(change, lambda: self.update(target))

    def recompute(self, maintenance: Maintenance) -> None:
        if self.locks:
            self.select(maintenance.target)
        columns = targets.written(maintenance.target, frozenset(maintenance.values))
        change = Change(maintenance.target, "update", ROW, columns, locked=True)
        self.perform(change, lambda: self.evaluate(maintenance, locked=True))

    def recompute_late(self, maintenances: Iterable[Maintenance]) -> None:
        for each in maintenances:
            self.locks_more |= self.locks and isinstance(each, Copy)
            self.recompute(each)

    def perform(self, change: Change, write: Callable[[], None]) -> None:
        """A write of the engine's own, with what follows from it."""
        self.keep(change, {}, routes.route(change).maintenances, write=write)

    def evaluate(self, maintenance: Maintenance, locked: bool) -> None:
        target = maintenance.target
        touches = writing.touches(target, list(maintenance.values))
        if not touches and writing.reads_in_update(self.using):
            self.update(target)
            return
        if self.locks and not locked:
            self.select(target)
        self.select(target)
        self.update(target)
        for _ in touches:
            self.update(target)

    # The ways in -----------------------------------------------------------------------------

    def create(self, model: Model) -> None:
        parents = frozenset(model._meta.all_parents)
        unordered = not parents and self.knows_keys(model)
        change = Change(model, "insert", ROW, rows=({},), unordered=unordered, inserted=parents)
        late = self.start(change, several=False)
        self.one(change)
        self.recompute_late(late)

    def knows_keys(self, model: Model) -> bool:
        known = not isinstance(model._meta.pk, models.AutoField) and (
            len(model._meta.pk_fields) > 1 or model._meta.pk.db_default is models.NOT_PROVIDED
        )
        return known and bool(self.features.can_defer_constraint_checks)

    def start(self, change: Change, several: bool) -> list[Maintenance]:
        """First values of a new target; those that must be evaluated after the INSERT."""
        late: list[Maintenance] = []
        copied = False
        for maintenance in registry.plan().targets.get(change.model, ()):
            if not maintenance.reconcilable:
                continue
            beginning = initial.beginning(self.using, maintenance, change.inserted)
            reads = bool(beginning.rows) and (beginning.picky or not several)
            is_late = initial.is_late(beginning, change.unordered, reads)
            for _, _, value in beginning.rows if reads else ():
                known = list(self.known(change, value))
                copied |= all(meant is not None for meant, _ in known)
                is_late |= not all(certain for _, certain in known)
            if is_late:
                late.append(maintenance)
            if isinstance(maintenance, Copy):
                paths = [each.path for each in maintenance.dependencies]
                more = any(len(path.hops) > 1 for path in paths) or goes_both_ways(change.model)
                self.locks_more |= self.locks and more
        if copied:
            source = next(iter(self.copied_from(change.model)), change.model)
            self.select(source)
        return late

    def known(self, change: Change, value: Any) -> Iterator[tuple[Any, bool]]:
        compared, blank = initial.compares(value), Blank()
        for name in references(value, change.model):
            yield initial.known(self.using, change, name, blank, compared)

    def copied_from(self, target: Model) -> Iterator[Model]:
        for maintenance in registry.plan().targets[target]:
            for dependency in maintenance.dependencies if isinstance(maintenance, Copy) else ():
                if dependency.path.hops:
                    yield dependency.path.hops[0].model

    def save(self, model: Model, columns: frozenset[str], named: frozenset[str]) -> None:
        """A save that writes ``named`` and changes ``columns`` of them."""
        plan = registry.plan()
        change = Change(model, "update", ROW, named, rows=({},), saved=True)
        if not (model in plan.counted or named & plan.columns[model]):
            return
        if not routes.route(change).maintenances:
            return
        self.lock_relatives(change)
        if plan.columns[model]:
            change.columns = columns | (named & unsteady(model))
            if not self.remembers(model, change.columns):
                self.select(model)
        change.locked = True
        self.one(change)

    def remembers(self, model: Model, changed: frozenset[str]) -> bool:
        """Whether the instance knows the old values (``tracking="memory"``)."""
        if not tracking.is_trusted(model):
            return False
        ways = registry.plan().directs.get(model, {}).values()
        found = [way for way in ways if not way.columns.isdisjoint(changed)]
        return self.are_known(model, parts_of(found))

    def delete(self, model: Model) -> None:
        change = Change(model, "delete", ROW)
        alone = Collector(using=self.using).can_fast_delete(model)  # type: ignore[arg-type]
        if alone and not routes.route(change).maintenances:
            return
        ways = many.ways_of_deleted(change) if alone else None
        if ways and len(model._meta.pk_fields) == 1 and grouped.can_return(self.using, model, ways):
            self.keep(change, ways, ())
            return
        if registry.plan().columns[model]:
            self.select(model)
            change.locked = True
        self.one(change)

    def bulk_create(self, model: Model) -> None:
        change = Change(model, "insert", ROW, rows=({},), unordered=self.knows_keys(model))
        late = self.start(change, several=True)
        found = routes.route(change)
        ways = found.ways if grouped.fits(found.ways) else {}
        others = [each for each in found.maintenances if each not in ways]
        if ways and not self.are_known(model, parts_of(ways.values())):
            ways, others = {}, list(found.maintenances)
        self.keep(change, ways, others)
        self.recompute_late(late)

    def bulk_create_partly(self, model: Model) -> None:
        """``ignore_conflicts``: only the database knows which rows are new."""
        self.general(Change(model, "insert", ROW, rows=({},)))

    def bulk_create_unknown(self, model: Model) -> None:
        """A ``bulk_create()`` that does not say which rows it inserted."""
        for maintenance in routes.route(Change(model, "insert", ROW)).maintenances:
            if maintenance.reconcilable:
                self.recompute(maintenance)

    def update_many(self, model: Model, columns: frozenset[str]) -> None:
        change = Change(model, "update", ROW, columns, rows=({},), locked=True)
        self.lock_relatives(change)
        self.select(model)
        ways = many.short_ways(change)
        if ways and self.are_known(model, parts_of(ways.values())):
            self.keep(change, ways, ())
            return
        if ways and not self.locks:
            self.select(model)
        both = self.locks and goes_both_ways(model)
        if (both or connections[self.using].vendor == "mysql") and writes_keys(change):
            self.select(model)
        self.general(change)

    def delete_many(self, model: Model) -> None:
        change = Change(model, "delete", ROW)
        if not Collector(using=self.using).can_fast_delete(model):  # type: ignore[arg-type]
            self.general(change)
            return
        if not routes.route(change).maintenances:
            return
        if ways := many.ways_of_deleted(change):
            if not grouped.can_return_many(self.using, model, ways):
                self.select(model)
            self.keep(change, ways, ())
            return
        self.select(model)
        change.locked = True
        self.general(change)

    def are_known(self, model: Model, parts: Iterable[Part]) -> bool:
        return all(is_known(contribution(part, model, self.using)) for part in parts)


def parts_of(ways: Iterable[Direct]) -> Iterator[Part]:
    return (part for way in ways for part in way.parts)


def is_on_the_way(dependency: Dependency, others: Iterable[Dependency]) -> bool:
    """Whether there are rows between the end of the path and the target, or beyond."""
    path = dependency.path
    return len(path.hops) > 1 or any(
        other.columns and (leads_to_one(path, other.path) or (path.hops and not other.path.hops))
        for other in others
    )


def writes_keys(change: Change) -> bool:
    fields = (column(change.model, name) for name in change.columns or ())
    return any(each.is_relation for each in fields)


def unsteady(model: Model) -> set[str]:
    """The columns that matter and that every save of them may change."""
    fields = (column(model, name) for name in registry.plan().columns[model])
    return {
        each.attname for each in fields if getattr(each, "auto_now", False) or not is_steady(each)
    }


class Blank:
    """An instance of which nothing is known."""

    def __getattr__(self, name: str) -> None:
        return None


def note(maintenance: Maintenance, change: Change, touched: Touched) -> None:
    """What a maintenance does to its targets in the general way."""
    if isinstance(maintenance, Delta):
        touched.add(maintenance, (term.attname for term in maintenance.terms))
        return
    if isinstance(maintenance, Extreme) and (change.kind == "insert" or moves(change, maintenance)):
        touched.add(maintenance, [maintenance.attname])
    if not isinstance(maintenance, Extreme) or change.kind != "insert":
        touched.stale.add(maintenance)


def moves(change: Change, maintenance: Maintenance) -> bool:
    """Whether the write changes a key, so that rows come to other targets."""
    keys = {
        far if not hop.forward else near
        for dependency in maintenance.dependencies
        for number, hop in enumerate(dependency.path.hops)
        if dependency.path.until(number + (not hop.forward)).model is change.model
        for near, far in hop.columns
    }
    return change.kind == "update" and not keys.isdisjoint(change.columns or ())
