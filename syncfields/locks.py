"""Which rows are locked, in which order, and why.

1. *Source rows first*, before their old values are read: otherwise two processes could both take
   back the same old contribution.
2. *Then along the path, from source to target*, one table after the other: while the rows between
   are locked nobody can move them to another target, and everybody meets them in the same order.
3. *Several rows of one table by primary key*, so that two writers of A, B and B, A queue up
   instead of waiting for each other.

Rows are locked with ``FOR NO KEY UPDATE`` where the database has it (PostgreSQL): the foreign key
checks of concurrent inserts (``FOR KEY SHARE``) then pass. Elsewhere it is ``FOR UPDATE``. SQLite
has one writer at a time and needs none of this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from syncfields.paths import Dependency, Model, Path, concrete
from syncfields.trees import among, connected, rows, rows_with


def locking(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset, of one table, with its rows locked on databases that have row locks."""
    features = connections[queryset.db].features
    if not features.has_select_for_update:
        return queryset
    return queryset.select_for_update(no_key=features.has_select_for_no_key_update)


def lock(model: Model, using: str, pks: Iterable[Any]) -> None:
    """Lock rows of one table in the order of their primary keys."""
    pks = list(pks)
    if pks and connections[using].features.has_select_for_update:
        list(locking(rows_with(model, using, pks).order_by("pk").values_list("pk")))


def rows_of(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The rows of a queryset as rows of one table, in the order in which they are to be locked.

    Asked by its own conditions, where they are of that table, a row that was waited for must meet
    them still.
    """
    query = queryset.query
    several = sum(map(bool, query.alias_refcount.values())) > 1
    if not (several or query.is_sliced or query.distinct or query.combinator or query.group_by):
        return queryset.order_by("pk")
    model = concrete(queryset.model)
    return rows(model, queryset.db).filter(pk__in=queryset.order_by().values("pk")).order_by("pk")


def lock_chosen(queryset: QuerySet[Any]) -> list[Any]:
    """The primary keys of the rows of a queryset, locked in their order."""
    return list(locking(rows_of(queryset)).values_list("pk", flat=True))


def keep_to(queryset: QuerySet[Any], pks: Collection[Any]) -> QuerySet[Any]:
    """Only those of its rows: others may have come to match in the meantime."""
    return queryset.filter(among(queryset.db, queryset.model, pks))


def lock_referred(
    path: Path, using: str, written: Iterable[Mapping[str, Any]], columns: Collection[str] | None
) -> None:
    """Lock the rows, one hop nearer to the target, that the keys of rows about to be written name.

    InnoDB checks a foreign key by a shared lock on the row it names. Two inserts under one parent
    would both get it, and then wait for each other to give it up for the UPDATE.
    """
    if not path.hops or path.hops[-1].forward or path.hops[-1].generic:
        return
    ((near, far), *_) = path.hops[-1].columns
    if columns is not None and far not in columns:
        return
    model = Path(path.target, path.hops[:-1]).model
    keys = {row[far] for row in written if row.get(far) is not None}
    keys = {key for key in keys if not hasattr(key, "resolve_expression")}
    if keys:
        list(
            locking(rows(model, using).filter(**{f"{near}__in": keys}).order_by("pk").values("pk"))
        )


def lock_path(path: Path, using: str, pks: Iterable[Any]) -> None:
    """Lock the rows that the targets ``pks`` reach along a path of to-one relations."""
    if not connections[using].features.has_select_for_update:
        return
    found = rows_with(path.target, using, list(pks))
    for number in range(1, len(path.hops) + 1):
        part = Path(path.target, path.hops[:number])
        lock_found(part.model, using, found.values(part.pk_lookup("")))


def lock_around(
    dependency: Dependency, others: Iterable[Dependency], using: str, pks: Iterable[Any]
) -> None:
    """Lock what else decides on the contribution of the rows ``pks`` at the end of a path.

    Those are the rows that the changed rows lead to: further away from the target, by the keys
    they hold, then the rows between them and the target, and the target itself where the rule
    reads its columns.
    """
    if not connections[using].features.has_select_for_update:
        return
    path, pks = dependency.path, list(pks)
    for other in sorted(others, key=lambda each: -len(each.path.hops)):
        if other.columns and leads_to_one(path, other.path):
            beyond = other.path.after(len(path.hops))
            changed = rows_with(path.model, using, pks)
            lock_found(beyond.model, using, changed.values(beyond.pk_lookup("")))
    for number in range(len(path.hops) - 1, 0, -1):
        rest = path.after(number)
        lock_found(rest.target, using, connected(using, [(rest, pks)]).values("pk"))
    if path.hops and any(each.columns and not each.path.hops for each in others):
        lock_found(path.target, using, connected(using, [(path, pks)]).values("pk"))


def lock_found(model: Model, using: str, keys: QuerySet[Any]) -> None:
    chosen = rows(model, using).filter(pk__in=keys)
    list(locking(chosen.order_by("pk").values_list("pk")))


def leads_to_one(near: Path, far: Path) -> bool:
    depth = len(near.hops)
    return (
        len(far.hops) > depth
        and far.hops[:depth] == near.hops
        and all(hop.forward for hop in far.hops[depth:])
    )


def reading(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset as it must be read so that it sees what other processes have committed.

    A transaction of MariaDB or MySQL at REPEATABLE READ answers plain reads from the snapshot of
    its first read; a locking read answers from the newest rows. The other databases raise a
    serialization error instead of letting such a transaction write.
    """
    connection = connections[queryset.db]
    if connection.vendor != "mysql" or connection.isolation_level == "read committed":  # type: ignore[attr-defined]
        return queryset
    return queryset.select_for_update()
