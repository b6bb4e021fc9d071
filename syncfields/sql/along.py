"""Along the paths of a rule: which rows decide with others, and their locks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet

from syncfields.declare.paths import Dependency, Model, Path
from syncfields.sql.databases import has_row_locks, vendor_of
from syncfields.sql.locks import reading, take
from syncfields.sql.rows import connected, keys_at, rows, rows_with


def naming(path: Path) -> Collection[str]:
    """The column of a row at the end of a path that names a row one hop nearer to the target."""
    if not path.hops or path.hops[-1].forward or path.hops[-1].generic:
        return ()
    ((_, far), *_) = path.hops[-1].columns
    return (far,)


def lock_path(path: Path, using: str, pks: Iterable[Any], ranks: Mapping[Model, int]) -> None:
    """Lock the rows that the targets ``pks`` reach along a path of to-one relations."""
    if has_row_locks(using):
        parts = [path.until(number) for number in range(1, len(path.hops) + 1)]
        lock_reached(rows_with(path.target, using, list(pks)), parts, ranks)


def lock_reached(
    queryset: QuerySet[Any], parts: Sequence[Path], ranks: Mapping[Model, int]
) -> None:
    """Lock the rows at the ends of parts of a path, in the order of the tables. Those that were
    found through rows that were not locked yet, and may have moved, are looked for once more.
    """
    ordered = sorted(parts, key=lambda part: ranks.get(part.model, len(ranks)))
    again = [
        part
        for number, part in enumerate(ordered)
        if any(len(later.hops) < len(part.hops) for later in ordered[number:])
    ]
    for part in (*ordered, *sorted(again, key=lambda part: len(part.hops))):
        lock_found(part.model, queryset.db, keys_at(queryset, part))


def lock_far(path: Path, using: str, row: Mapping[str, Any], ranks: Mapping[Model, int]) -> None:
    """Lock what a row yet to be inserted will reach over more than one relation, before the row
    next to it is read.
    """
    rest = path.after(1) if path.hops else path
    if not rest.hops:
        return
    ((held, name), *_) = path.hops[0].columns
    near = rows(rest.target, using).filter(**{f"{name}__in": values([row], held)})
    lock_reached(near, [rest.until(number) for number in range(len(rest.hops) + 1)], ranks)


def lock_between(
    dependency: Dependency, others: Iterable[Dependency], using: str, pks: Iterable[Any]
) -> None:
    """Lock what lies between the rows ``pks`` at the end of a path and their targets, and the
    targets where the rule reads their columns.

    Rows that hold keys to the changed ones, and so lead to them, are left: who changes such a row
    locks what is beyond it.
    """
    path, pks = dependency.path, list(pks)
    for number in range(len(path.hops) - 1, 0, -1):
        rest = path.after(number)
        if not all(hop.forward for hop in rest.hops):
            lock_found(
                rest.target, using, connected(using, [(rest, pks)]).values_list("pk", flat=True)
            )
    if path.hops and any(each.columns and not each.path.hops for each in others):
        lock_found(path.target, using, connected(using, [(path, pks)]).values_list("pk", flat=True))


def lock_named(
    dependency: Dependency,
    others: Iterable[Dependency],
    using: str,
    written: Collection[Mapping[str, Any]],
) -> None:
    """Lock what rows yet to be inserted will be connected with, by the keys that they hold: as
    ``lock_between()`` does for rows that are there.
    """
    if not has_row_locks(using):
        return
    path = dependency.path
    for other in sorted(others, key=lambda each: len(each.path.hops)):
        if matters_beyond(path, other, others):
            beyond = other.path.after(len(path.hops) + 1)
            ((held, name), *_) = other.path.hops[len(path.hops)].columns
            named = rows(beyond.target, using).filter(**{f"{name}__in": values(written, held)})
            lock_found(beyond.model, using, keys_at(named, beyond))
    nearer = Path(path.target, path.hops[:-1])
    early = nearer.hops or vendor_of(using) == "mysql"  # As in order.want_parents().
    if early and not path.hops[-1].forward:
        ((name, held), *_) = path.hops[-1].columns
        named = rows(nearer.model, using).filter(**{f"{name}__in": values(written, held)})
        lock_between(replace(dependency, path=nearer), others, using, take(named))


def values(written: Iterable[Mapping[str, Any]], name: str) -> set[Any]:
    """The keys that rows about to be written hold, as far as they are known."""
    found = {row[name] for row in written if row.get(name) is not None}
    return {key for key in found if not hasattr(key, "resolve_expression")}


def lock_found(model: Model, using: str, keys: QuerySet[Any]) -> None:
    if vendor_of(using) != "mysql":
        take(rows(model, using).filter(pk__in=keys))
    # A locking read locks what it reads in a subquery, and whatever else it comes across.
    elif found := keys_among(keys):
        take(rows_with(model, using, list(found)))


def keys_among(queryset: QuerySet[Any]) -> set[Any]:
    """Primary keys, of one column or several, without those of rows that are not there."""
    return {key for key in reading(queryset) if None not in (key if type(key) is tuple else (key,))}


def leads_to_one(near: Path, far: Path) -> bool:
    depth = len(near.hops)
    return (
        len(far.hops) > depth
        and far.hops[:depth] == near.hops
        and all(hop.forward for hop in far.hops[depth:])
    )


def matters_beyond(near: Path, far: Dependency, others: Iterable[Dependency]) -> bool:
    """Whether rows at the end of one path lead to one at the end of another whose columns are read,
    or that other rows refer to which are read: who writes those locks it, too.
    """
    depth = len(far.path.hops)
    return leads_to_one(near, far.path) and (
        bool(far.columns)
        or any(
            len(other.path.hops) > depth
            and other.path.starts_with(far.path)
            and not other.path.hops[depth].forward
            for other in others
        )
    )


def connecting(dependency: Dependency, others: Collection[Dependency]) -> frozenset[str]:
    """The columns of a row at the end of a path that say which other rows matter."""
    depth = len(dependency.path.hops)
    arrival = dependency.path.hops[-1:]
    beyond = (
        other.path.hops[depth] for other in others if matters_beyond(dependency.path, other, others)
    )
    return frozenset(
        {far for hop in arrival for _, far in hop.columns}
        | {near for hop in beyond for near, _ in hop.columns}
    )
