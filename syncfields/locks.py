"""Which rows are locked, in which order, and why.

The order:

1. *Parents first, on MySQL and MariaDB*: the rows that a new key names, before the row that holds
   it. InnoDB checks the key by a shared lock on the parent. Two inserts would both get it, and then
   each would wait for the other to give it up for the UPDATE.
2. *Source rows*, before their old values are read: otherwise two processes could both take back
   the same old contribution.
3. *Beyond them*, away from the target, the rows whose columns the rule reads, nearest first. Who
   makes a connection locks what it leads to. So a writer of the far row need not lock what leads
   to it: either it sees the connection, or it was waited for.
4. *Between them and the target*, from source to target, one table after the other: while these
   rows are locked nobody moves them to another target, and everybody meets them in this order.
   Rules over to-one relations only (copies) have no need of that: 3 is enough for them.
5. *Targets* last, by the UPDATE; before it, where they are evaluated anew: a later statement then
   sees all that those before have committed. A minimum or maximum is locked also where the value
   that leaves is not the stored one: else two that leave together would each count on the other.

Several rows of one table are locked by primary key, in one statement, so that two writers of A, B
and B, A queue up. What comes to be connected only by the write is locked after it.

The modes:

- PostgreSQL: ``FOR NO KEY UPDATE``. The foreign key checks of other inserts (``FOR KEY SHARE``)
  pass. At REPEATABLE READ a lock alone goes unnoticed by older snapshots: see ``must_write()``.
- MariaDB, MySQL: ``FOR UPDATE``, exclusive record locks. Foreign keys are checked by shared ones.
  From REPEATABLE READ on also the gaps between the rows are locked, against inserts, and plain
  reads answer from an old snapshot: see ``reading()``.
- SQLite: one writer at a time, which ``transaction_mode`` IMMEDIATE makes wait at its beginning. No
  row locks, and no need of any.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.db import connections
from django.db.models import F, QuerySet

from syncfields import statements
from syncfields.paths import Dependency, Model, Path, concrete
from syncfields.trees import among, connected, rows, rows_with, tables


def locking(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset, of one table, with its rows locked on databases that have row locks."""
    features = connections[queryset.db].features
    if not features.has_select_for_update:
        return queryset
    return queryset.select_for_update(no_key=features.has_select_for_no_key_update)


def take(queryset: QuerySet[Any]) -> list[Any]:
    """Lock the rows in the order of their primary keys, which are returned."""
    pks = list(locking(queryset.order_by("pk")).values_list("pk", flat=True))
    if pks and must_write(queryset.db):
        model = queryset.model
        own = (field for field in model._meta.local_concrete_fields if not field.generated)
        name = next((field.attname for field in own if not field.primary_key), model._meta.pk.name)
        chosen = rows(model, queryset.db).filter(pk__in=pks)
        statements.update(chosen, {name: F(name)}).update()
    return pks


def must_write(using: str) -> bool:
    """Whether a row must be written for others to notice that it was locked.

    PostgreSQL at REPEATABLE READ refuses to write a row that was written after the snapshot was
    taken. One that was only locked it lets pass, although what was connected with it meanwhile is
    not in the snapshot.
    """
    level = getattr(connections[using], "isolation_level", None)
    return getattr(level, "name", None) == "REPEATABLE_READ"


def lock(model: Model, using: str, pks: Iterable[Any]) -> list[Any]:
    """Lock rows of one table; the keys of those that are there."""
    pks = list(pks)
    if pks and connections[using].features.has_select_for_update:
        return take(rows_with(model, using, pks))
    return pks


def lock_out(model: Model, using: str, pks: Iterable[Any]) -> None:
    """Lock rows that are going to be deleted, so that nobody can come to refer to them."""
    if connections[using].features.has_select_for_update:
        list(
            rows_with(model, using, list(pks)).select_for_update().order_by("pk").values_list("pk")
        )


def rows_of(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The rows of a queryset as rows of one table, in the order in which they are to be locked.

    Asked by its own conditions, where they are of that table, a row that was waited for must meet
    them still.
    """
    query = queryset.query
    if not (
        tables(queryset) > 1
        or query.is_sliced
        or query.distinct
        or query.combinator
        or query.group_by
    ):
        return queryset.order_by("pk")
    model = concrete(queryset.model)
    return rows(model, queryset.db).filter(pk__in=queryset.order_by().values("pk")).order_by("pk")


def lock_chosen(queryset: QuerySet[Any]) -> list[Any]:
    """The primary keys of the rows of a queryset, locked in their order."""
    return list(locking(rows_of(queryset)).values_list("pk", flat=True))


def keep_to(queryset: QuerySet[Any], pks: Collection[Any]) -> QuerySet[Any]:
    """Only those of its rows: others may have come to match in the meantime."""
    return queryset.filter(among(queryset.db, queryset.model, pks))


def referring(path: Path) -> Collection[str]:
    """The column of a row at the end of a path that names a row one hop nearer to the target."""
    if not path.hops or path.hops[-1].forward or path.hops[-1].generic:
        return ()
    ((_, far), *_) = path.hops[-1].columns
    return (far,)


def lock_referred(path: Path, using: str, written: Iterable[Mapping[str, Any]]) -> None:
    """Lock the rows, one hop nearer to the target, that the keys of rows about to be written name.

    InnoDB checks a foreign key by a shared lock on the row it names. Two inserts under one parent
    would both get it, and then wait for each other to give it up for the UPDATE.
    """
    if not referring(path):
        return
    ((near, far), *_) = path.hops[-1].columns
    model = Path(path.target, path.hops[:-1]).model
    keys = values(written, far)
    if keys:
        take(rows(model, using).filter(**{f"{near}__in": keys}))


def lock_path(path: Path, using: str, pks: Iterable[Any]) -> None:
    """Lock the rows that the targets ``pks`` reach along a path of to-one relations.

    The farthest first, as whoever writes it goes on towards the targets. It was found through rows
    that were not locked yet and may have moved, so the way is gone once more.
    """
    if not connections[using].features.has_select_for_update:
        return
    found, length = rows_with(path.target, using, list(pks)), len(path.hops)
    for number in (*range(length, 0, -1), *range(2, length + 1)):
        part = Path(path.target, path.hops[:number])
        lock_found(part.model, using, found.values(part.pk_lookup("")))


def lock_far(path: Path, using: str, row: Mapping[str, Any]) -> None:
    """Lock what a row yet to be inserted will reach over more than one relation, before the row
    next to it is read and locked: in the order of ``lock_path()``.
    """
    rest = path.after(1) if path.hops else path
    if not rest.hops or not connections[using].features.has_select_for_update:
        return
    ((held, name), *_) = path.hops[0].columns
    near = rows(rest.target, using).filter(**{f"{name}__in": values([row], held)})
    for number in range(len(rest.hops), 0, -1):
        part = Path(rest.target, rest.hops[:number])
        lock_found(part.model, using, near.values(part.pk_lookup("")))


def lock_beyond(
    dependency: Dependency, others: Iterable[Dependency], using: str, pks: Iterable[Any]
) -> None:
    """Lock what the rows ``pks`` at the end of a path lead to: away from the target, by the keys
    that they hold.
    """
    path = dependency.path
    for other in sorted(others, key=lambda each: len(each.path.hops)):
        if other.columns and leads_to_one(path, other.path):
            beyond = other.path.after(len(path.hops))
            changed = rows_with(path.model, using, list(pks))
            lock_found(beyond.model, using, changed.values(beyond.pk_lookup("")))


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
            lock_found(rest.target, using, connected(using, [(rest, pks)]).values("pk"))
    if path.hops and any(each.columns and not each.path.hops for each in others):
        lock_found(path.target, using, connected(using, [(path, pks)]).values("pk"))


def lock_named(
    dependency: Dependency,
    others: Iterable[Dependency],
    using: str,
    written: Collection[Mapping[str, Any]],
) -> None:
    """Lock what rows yet to be inserted will be connected with, by the keys that they hold: as
    ``lock_beyond()`` and ``lock_between()`` do for rows that are there.
    """
    if not connections[using].features.has_select_for_update:
        return
    path = dependency.path
    for other in sorted(others, key=lambda each: len(each.path.hops)):
        if other.columns and leads_to_one(path, other.path):
            beyond = other.path.after(len(path.hops) + 1)
            ((held, name), *_) = other.path.hops[len(path.hops)].columns
            named = rows(beyond.target, using).filter(**{f"{name}__in": values(written, held)})
            lock_found(beyond.model, using, named.values(beyond.pk_lookup("")))
    nearer = Path(path.target, path.hops[:-1])
    early = nearer.hops or connections[using].vendor == "mysql"  # See lock_referred().
    if early and not path.hops[-1].forward:
        ((name, held), *_) = path.hops[-1].columns
        named = rows(nearer.model, using).filter(**{f"{name}__in": values(written, held)})
        lock_between(replace(dependency, path=nearer), others, using, take(named))


def values(written: Iterable[Mapping[str, Any]], name: str) -> set[Any]:
    """The keys that rows about to be written hold, as far as they are known."""
    found = {row[name] for row in written if row.get(name) is not None}
    return {key for key in found if not hasattr(key, "resolve_expression")}


def lock_found(model: Model, using: str, keys: QuerySet[Any]) -> None:
    take(rows(model, using).filter(pk__in=keys))


def leads_to_one(near: Path, far: Path) -> bool:
    depth = len(near.hops)
    return (
        len(far.hops) > depth
        and far.hops[:depth] == near.hops
        and all(hop.forward for hop in far.hops[depth:])
    )


def connecting(dependency: Dependency, others: Iterable[Dependency]) -> frozenset[str]:
    """The columns of a row at the end of a path that say which other rows matter."""
    depth = len(dependency.path.hops)
    arrival = dependency.path.hops[-1:]
    beyond = (
        other.path.hops[depth]
        for other in others
        if other.columns and leads_to_one(dependency.path, other.path)
    )
    return frozenset(
        {far for hop in arrival for _, far in hop.columns}
        | {near for hop in beyond for near, _ in hop.columns}
    )


def snapshot_is_old(using: str) -> bool:
    """Whether plain reads may be answered as of the first one of the transaction, although writes
    meet the newest rows: so it is on MariaDB and MySQL above READ COMMITTED.
    """
    connection: Any = connections[using]
    return connection.vendor == "mysql" and connection.isolation_level != "read committed"


def reading(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset as it must be read so that it sees what other processes have committed: there,
    a locking read answers from the newest rows.
    """
    return queryset.select_for_update() if snapshot_is_old(queryset.db) else queryset
