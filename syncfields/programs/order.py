"""In which order tables are locked, and which rows of them a write must lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.constants import LOOKUP_SEP

from syncfields.declare.paths import Dependency, Hop, Model, concrete
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change
from syncfields.maintenance.copies import Copy
from syncfields.plan import registry
from syncfields.plan.routes import concerned
from syncfields.programs.connections import Connections, beyond
from syncfields.sql.along import connecting, naming, values
from syncfields.sql.databases import has_row_locks
from syncfields.sql.holding import UNKNOWN, holding_of
from syncfields.sql.once import kept, once
from syncfields.sql.rows import connected
from syncfields.sql.wanted import Wanted


@kept
def ranks() -> Mapping[Model, int]:
    """The one order of the tables that rules read or keep: see ``sql/locks.py``."""
    return in_order(registry.plan().maintenances)


def in_order(maintenances: Sequence[Maintenance]) -> dict[Model, int]:
    """Each table before those that its writers go on to. Where rules go in both directions, those
    that count are followed: see ``lock_relatives()`` for the others.

    What is nothing but a target is locked by its UPDATE, after all else; UPDATEs come in the order
    of the plan.
    """
    later: dict[Model, dict[Model, None]] = {each.target: {} for each in maintenances}
    for maintenance in sorted(maintenances, key=lambda each: isinstance(each, Copy)):
        for near, far in steps(maintenance):
            later.setdefault(near, {})
            if near not in reached(far, later):
                later[near][far] = None
    position: dict[Model, int] = {}
    for number, maintenance in enumerate(maintenances):
        position.setdefault(maintenance.target, number)
    sorter = TopologicalSorter(dict.fromkeys(later, ()))
    for near, models in later.items():
        for far in models:
            sorter.add(far, near)
    sorter.prepare()
    found: list[Model] = []
    ready: list[Model] = []
    while sorter.is_active():
        ready += sorter.get_ready()
        ready.sort(key=lambda model: (not later.get(model), position.get(model, -1)))
        found.append(ready.pop(0))
        sorter.done(found[-1])
    return {model: number for number, model in enumerate(found)}


def reached(model: Model, later: Mapping[Model, Iterable[Model]]) -> set[Model]:
    """The table and all that come later."""
    found, waiting = {model}, [model]
    while waiting:
        fresh = set(later.get(waiting.pop(), ())) - found
        found |= fresh
        waiting += fresh
    return found


def steps(maintenance: Maintenance) -> Iterator[tuple[Model, Model]]:
    """Pairs of tables, of which the first is to be locked before the second."""
    for dependency in maintenance.dependencies:
        path = dependency.path
        models = [path.until(number).model for number in range(len(path.hops) + 1)]
        last = len(path.stem.hops)
        if isinstance(maintenance, Copy) or not last:
            # By the keys that rows hold, so that what a row leads to can be locked with it.
            yield from pairwise(models[1:])
            yield from ((model, models[0]) for model in models[1:])
            continue
        yield from pairwise(models[last:])
        yield from ((model, models[last - 1]) for model in models[last:])
        yield from pairwise(reversed(models[:last]))


def lock_parents(connection: Any, changes: Sequence[Change]) -> None:
    """Lock the rows that new keys refer to, where the database would lock them shared."""
    lock_sources(connection, changes, ())


def lock_sources(
    connection: Any, changes: Sequence[Change], maintenances: Sequence[Maintenance]
) -> Mapping[Model, Collection[Any]]:
    """Lock, before a write, the rows that it changes and all that they are connected with: by the
    keys that they hold, and by those that they are going to hold. The keys of those that are there.
    """
    shares = connection.vendor == "mysql"
    if not connection.features.has_select_for_update or not (maintenances or shares):
        return {}
    wanted = Wanted(connection.alias, ranks())
    if shares:
        want_parents(wanted, changes, None)
    for change in changes if maintenances else ():
        if change.kind != "insert" and not change.learnt.locked:
            wanted.rows(change.model, change.learnt.pks)
        change.learnt.foreseen = want_connections(wanted, change, maintenances)
    if not shares:
        want_parents(wanted, changes, [*wanted.models()])
    all_are_there = wanted.take()
    for change in changes:
        change.learnt.foreseen &= all_are_there
        if maintenances and change.kind != "insert" and not change.learnt.locked:
            change.learnt.pks = wanted.taken_of(change.model, change.learnt.pks)
    return wanted.taken


def lock_after(using: str, changes: Sequence[Change], maintenances: Sequence[Maintenance]) -> None:
    """Lock what a write has led to and could not be known before it."""
    if not has_row_locks(using):
        return
    wanted = Wanted(using, ranks())
    for change in changes:
        if not change.learnt.pks or change.learnt.foreseen or change.kind == "delete":
            continue
        for maintenance, dependency in read_by(maintenances, change):
            if comes_to_be_connected(change, dependency, maintenance.dependencies):
                Connections(wanted, maintenance, dependency, change.learnt.pks).want()
    wanted.take()


def lock_copied(using: str, changes: Sequence[Change], inserts: bool = False) -> None:
    """Lock what rows will copy from, by the keys that they are going to hold, before the rows
    themselves: as those do who change what is copied.
    """
    if not has_row_locks(using):
        return
    for change in changes:
        wanted = Wanted(using, ranks())
        for maintenance in registry.plan().targets.get(change.model, ()):
            for dependency in maintenance.dependencies if isinstance(maintenance, Copy) else ():
                if not dependency.path.hops and change.writes(dependency.columns):
                    Connections(wanted, maintenance, dependency, (), change.rows).want()
            for hop in leading(maintenance) if inserts else ():
                ((held, name),) = hop.columns
                wanted.name(hop.model, name, values(change.rows, held))
        wanted.take(None if inserts else change.model)


def leading(maintenance: Maintenance) -> Iterator[Hop]:
    """The relations by which a target, that does not only copy, refers to rows."""
    if not isinstance(maintenance, Copy):
        hops = [each.path.hops[0] for each in maintenance.dependencies if each.path.hops]
        yield from dict.fromkeys(hop for hop in hops if hop.forward and len(hop.columns) == 1)


def lock_relatives(connection: Any, change: Change, pks: Callable[[], Sequence[Any]]) -> None:
    """Lock the targets of the rows about to be changed whose tables do not come after theirs: rows
    that copy from them and are counted by them, and rows of the same table, with them.

    What comes to be a target in the meantime is locked when it is written.
    """
    if not connection.features.has_select_for_update:
        return
    found = [each for each in against_the_order(change.model) if change.writes(each.columns)]
    if not found:
        return
    using = connection.alias
    wanted, keys = Wanted(using, ranks()), pks()
    for dependency in found if keys else ():
        path = dependency.path
        copies = connected(using, [(path, keys)])
        if not path.ambiguous and (same := unchanged(using, change, dependency)) is not None:
            copies = copies.exclude(same)
        wanted.find(path.target, copies.values_list("pk", flat=True), path, "pk", keys)
        if path.target is change.model:
            wanted.join(change.model, keys)
    wanted.take()


def goes_both_ways(model: Model) -> bool:
    """Whether rows of the model copy from rows that other rules take them on to."""
    return any(
        ranks()[dependency.model] > ranks()[model]
        for maintenance in registry.plan().targets.get(model, ())
        for dependency in (maintenance.dependencies if isinstance(maintenance, Copy) else ())
    )


def against_the_order(model: Model) -> Sequence[Dependency]:
    """What leads from rows of a model to targets that are not to be locked after them."""
    return once(
        ("against", model),
        lambda: [
            watch.dependency
            for watch in registry.plan().sources.get(model, ())
            if watch.dependency.path.hops
            and (
                watch.dependency.path.target is model
                or (
                    isinstance(watch.maintenance, Copy)
                    and ranks()[watch.dependency.path.target] < ranks()[model]
                )
            )
        ],
    )


def unchanged(using: str, change: Change, dependency: Dependency) -> Q | None:
    """The condition that a row copies what a change will write all the same."""
    conditions = Q()
    for name in dependency.columns & (change.learnt.columns or dependency.columns):
        value = (change.values or {}).get(name, UNKNOWN)
        if value is UNKNOWN or holding_of(using, change.model, name)(value) is UNKNOWN:
            return None
        lookup = LOOKUP_SEP.join([dependency.path.lookup, name])
        conditions &= Q((f"{lookup}__isnull", True)) if value is None else Q((lookup, value))
    return conditions


def lock_ancestors(queryset: QuerySet[Any], changes: Sequence[Change]) -> None:
    """Lock the rows of other tables that an ``update()`` writes, as ``save()`` does: before those
    of the model itself.
    """
    others = [each.model for each in changes if each.model is not concrete(queryset.model)]
    if others and has_row_locks(queryset.db):
        wanted, pks = Wanted(queryset.db, ranks()), list(queryset.values_list("pk", flat=True))
        for model in others:
            wanted.rows(model, pks)
        wanted.take()


def want_parents(
    wanted: Wanted, changes: Sequence[Change], models: Collection[Model] | None
) -> None:
    """The rows that new keys refer to, which MySQL and MariaDB would lock shared.

    All other rows that the written ones refer to, or have referred to as they were, are locked in
    one order with them. ``models``: only rows of these.
    """
    for change in changes:
        paths = {
            dependency.path.after(len(dependency.path.hops) - 1): None
            for _, dependency in read_by(concerned([change]), change)
            if dependency.path.hops and change.rows
        }
        new = {far for path in paths for far in naming(path) if change.writes((far,))}
        if any(row.get(far) is not None for row in change.rows for far in new):
            for path in paths:
                for far in naming(path) if models is None or path.target in models else ():
                    ((near, _), *_) = path.hops[-1].columns
                    wanted.name(
                        path.target, near, values([*change.rows, *change.learnt.former], far)
                    )


def read_by(
    maintenances: Iterable[Maintenance], change: Change
) -> Iterator[tuple[Maintenance, Dependency]]:
    for maintenance in maintenances:
        for dependency in maintenance.dependencies:
            if change.concerns(dependency):
                yield maintenance, dependency


def keys_held(change: Change) -> Collection[str]:
    """The columns by which the rows of a change lead to others that decide with them."""

    def find() -> frozenset[str]:
        found = read_by(concerned([change]), change)
        return frozenset(
            name for each, dependency in found for name in connecting(dependency, each.dependencies)
        )

    return once(("keys held", change.model, change.kind), find)


def want_connections(wanted: Wanted, change: Change, maintenances: Sequence[Maintenance]) -> bool:
    """Whether it is known which rows the write will lead to."""
    foreseen = True
    for maintenance, dependency in read_by(maintenances, change):
        others = maintenance.dependencies
        if change.kind != "insert" and not isinstance(maintenance, Copy):
            Connections(
                wanted, maintenance, dependency, change.learnt.pks, change.learnt.former
            ).want()
        if comes_to_be_connected(change, dependency, others):
            if is_foreseen(wanted.using, change, dependency, others):
                Connections(wanted, maintenance, dependency, (), change.rows).want()
            else:
                foreseen = False
    return foreseen


def comes_to_be_connected(
    change: Change, dependency: Dependency, others: Sequence[Dependency]
) -> bool:
    """Whether the write leads to rows that the changed ones were not connected with."""
    if change.kind == "update":
        keys = connecting(dependency, others)
        return change.writes(keys)
    return change.kind == "insert"


def is_foreseen(
    using: str, change: Change, dependency: Dependency, others: Sequence[Dependency]
) -> bool:
    """Whether the keys that the write changes are known, and name rows that must be there."""
    path = dependency.path
    leading = [hop for _, hop in beyond(path, others)]
    names = {near for hop in leading for near, _ in hop.columns}
    for hop in path.hops[-1:]:
        led_to = change.kind == "insert" or change.writes({far for _, far in hop.columns})
        if hop.forward and led_to:  # By rows that hold the new key already.
            return False
        if not hop.forward:
            leading.append(hop)
            names |= {far for _, far in hop.columns}
    if change.unordered or not change.rows or any(map(is_loose, leading)):
        return False
    if change.kind == "update":
        names &= change.learnt.columns or names
    return all(
        any(name in row for row in change.rows)
        and not any(holds(row[name]) is UNKNOWN for row in change.rows if name in row)
        for name in names
        for holds in [holding_of(using, change.model, name)]
    )


def is_loose(hop: Hop) -> bool:
    """Whether a key alone does not tell which row it leads to, now and until COMMIT."""
    return hop.generic or hop.outlives_target or hop.by_value or len(hop.columns) > 1
