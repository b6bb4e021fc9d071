"""Which rows are locked, in which order, and why.

All that a write is known to lead to is locked before it (``programs/locking.py``: by one
statement, where keys say it all), in one order of the tables: that of ``programs/order.py``, which
follows the rules from source to target, so that everybody meets the tables in that order:

1. *Parents first, on MySQL and MariaDB*: the rows that a new key names, before the row that holds
   it. InnoDB checks the key by a shared lock on the parent. Two inserts would both get it, and then
   each would wait for the other to give it up for the UPDATE. So it is with what a new row copies.
2. *Source rows*, before their old values are read: otherwise two processes could both take back
   the same old contribution. Of a cascade the rows that refer to others come before those.
3. *Beyond them*, away from the target, the rows whose columns the rule reads, nearest first. Who
   makes a connection locks what it leads to. So a writer of the far row need not lock what leads
   to it: either it sees the connection, or it was waited for. What is copied comes before what
   copies it: so its own writers go on.
4. *Between them and the target*, from source to target, one table after the other: while these
   rows are locked nobody moves them to another target. Rules over to-one relations only (copies)
   have no need of that: 3 is enough for them.
5. *Targets* last, by the UPDATE; before it, where they are evaluated anew: a later statement then
   sees all that those before have committed. A minimum or maximum is locked also where the value
   that leaves is not the stored one: else two that leave together would each count on the other.

Rows are named by the keys that a row holds and by those that it is going to hold, so that the old
parents and the new ones are locked in one statement. What cannot be known before the write (keys
that the database computes, generic relations, rows that are not there yet) is locked after it.

Where rules go in both directions along a relation (a count of the children, and a copy from the
parent), the order is the children's, who are written more often: who changes what is copied locks
the copies first. So are the targets of a row in its own table, with the row, by primary key.

Several rows of one table are locked by primary key, in one statement, so that two writers of A, B
and B, A queue up.

The modes:

- PostgreSQL: ``FOR NO KEY UPDATE``. The foreign key checks of other inserts (``FOR KEY SHARE``)
  pass, as does ``kept_there()``, which stands for such a check where there is no constraint. At
  REPEATABLE READ a lock alone goes unnoticed by older snapshots: see ``must_write()``.
- MariaDB, MySQL: ``FOR UPDATE``, exclusive record locks. Foreign keys are checked by shared ones.
  A locking read locks whatever it comes across, in subqueries, in indexes and beside the way. So
  rows are found by a plain read, and then locked by primary key.
  From REPEATABLE READ on also the gaps between the rows are locked, against inserts, and plain
  reads answer from an old snapshot: see ``reading()``.
- SQLite: one writer at a time, which ``transaction_mode`` IMMEDIATE makes wait at its beginning. No
  row locks, and no need of any.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import connections
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.expressions import Col

from syncfields.declare.paths import Model, concrete
from syncfields.sql import statements
from syncfields.sql.databases import has_row_locks, vendor_of
from syncfields.sql.rows import among, for_writing, plain, rows, rows_with, tables


def locking(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset, of one table, with its rows locked on databases that have row locks."""
    queryset = for_writing(queryset)
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


def lock_unread(queryset: QuerySet[Any]) -> None:
    """As ``take()``, for any number of rows, of whose primary keys nobody asks."""
    if must_write(queryset.db):
        take(queryset)
        return
    keys = statements.select(locking(queryset.order_by("pk")).values_list("pk"))
    keys.with_sql(f"SELECT COUNT(*) FROM ({keys.sql}) AS locked").row()  # noqa: S608


def must_write(using: str) -> bool:
    """Whether a row must be written for others to notice that it was locked.

    PostgreSQL at REPEATABLE READ refuses to write a row that was written after the snapshot was
    taken. One that was only locked it lets pass, although what was connected with it meanwhile is
    not in the snapshot.
    """
    if vendor_of(using) != "postgresql":
        return False
    level = getattr(connections[using], "isolation_level", None)
    return getattr(level, "name", None) == "REPEATABLE_READ"


def lock(model: Model, using: str, pks: Iterable[Any]) -> list[Any]:
    """Lock rows of one table; the keys of those that are there."""
    pks = list(pks)
    if pks and has_row_locks(using):
        return take(rows_with(model, using, pks))
    return pks


def lock_out(model: Model, using: str, pks: Iterable[Any]) -> None:
    """Lock rows that are going to be deleted, so that nobody can come to refer to them."""
    if has_row_locks(using):
        list(
            rows_with(model, using, list(pks)).select_for_update().order_by("pk").values_list("pk")
        )


def kept_there(queryset: QuerySet[Any], name: str) -> set[Any]:
    """What is held in a column by rows of one table. On PostgreSQL nobody can delete these rows
    until COMMIT, or give them other keys; they are locked as the check of a foreign key locks them.
    """
    if vendor_of(queryset.db) != "postgresql":
        return set(reading(queryset).values_list(name, flat=True))
    found = statements.select(for_writing(queryset).order_by("pk").values_list(name))
    return {value for (value,) in found.with_sql(f"{found.sql} FOR KEY SHARE").rows()}


def rows_of(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The rows of a queryset as rows of one table, in the order in which they are to be locked.

    Asked by its own conditions, where they are of that table, a row that was waited for must meet
    them still.
    """
    if is_of_one_table(queryset):
        return plain(queryset).order_by("pk")
    model = concrete(queryset.model)
    return rows(model, queryset.db).filter(pk__in=queryset.order_by().values("pk")).order_by("pk")


def is_of_one_table(queryset: QuerySet[Any]) -> bool:
    query = queryset.query
    return not (
        tables(queryset) > 1
        or query.is_sliced
        or query.distinct
        or query.combinator
        or query.group_by
    )


def lock_chosen(queryset: QuerySet[Any]) -> list[Any]:
    """The primary keys of the rows of a queryset, locked in their order."""
    return list(locking(rows_of(queryset)).values_list("pk", flat=True))


def lock_and_read(queryset: QuerySet[Any], *names: str) -> list[dict[str, Any]]:
    """As ``lock_chosen()``; the key of each row, and further columns."""
    return list(locking(rows_of(queryset)).values("pk", *names))


def lock_collected(queryset: QuerySet[Any], *names: str) -> list[dict[str, Any]]:
    """As ``lock_and_read()``, of rows that are found by an index.

    InnoDB would lock the entry of the index first and then the row, and an UPDATE of the column
    the row first and then the entry.
    """
    if vendor_of(queryset.db) != "mysql":
        return lock_and_read(queryset, *names)
    known = list(reading(queryset.values_list("pk", flat=True)))
    if known and is_asked_plainly(queryset):
        return lock_matching(queryset, known, names)
    pks = take(rows_with(concrete(queryset.model), queryset.db, known))
    return list(reading(keep_to(rows_of(queryset), pks)).values("pk", *names)) if pks else []


def is_asked_plainly(queryset: QuerySet[Any]) -> bool:
    """Whether its conditions compare columns of its own table with values."""
    leaves = list(queryset.query.where.leaves())
    return bool(leaves) and all(map(compares_column, leaves)) and is_of_one_table(queryset)


def compares_column(condition: Any) -> bool:
    value = getattr(condition, "rhs", F)
    return isinstance(getattr(condition, "lhs", None), Col) and not hasattr(
        value, "resolve_expression"
    )


def lock_matching(
    queryset: QuerySet[Any], pks: Collection[Any], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Lock rows by primary key; those that still meet the conditions of a queryset."""
    meets = Case(When(queryset.query.where.clone(), then=Value(1)), default=Value(0))
    chosen = rows_with(concrete(queryset.model), queryset.db, pks).order_by("pk")
    locked = locking(chosen).annotate(_syncfields_meets=meets)
    found = list(locked.values("pk", *names, "_syncfields_meets"))
    return [row for row in found if row.pop("_syncfields_meets")]


def keep_to(queryset: QuerySet[Any], pks: Collection[Any]) -> QuerySet[Any]:
    """Only those of its rows: others may have come to match in the meantime."""
    return queryset.filter(among(queryset.db, queryset.model, pks))


def snapshot_is_old(using: str) -> bool:
    """Whether plain reads may be answered as of the first one of the transaction, although writes
    meet the newest rows: so it is on MariaDB and MySQL above READ COMMITTED.
    """
    if vendor_of(using) != "mysql":
        return False
    connection: Any = connections[using]
    return bool(connection.isolation_level != "read committed")


def reading(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset as it must be read so that it sees what other processes have committed: there,
    a locking read answers from the newest rows.
    """
    queryset = for_writing(queryset)
    return queryset.select_for_update() if snapshot_is_old(queryset.db) else queryset
