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

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import connections
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.expressions import Col

from syncfields.declare.paths import Dependency, Model, Path, concrete
from syncfields.sql import statements
from syncfields.sql.databases import has_row_locks, vendor_of
from syncfields.sql.trees import (
    among,
    connected,
    for_writing,
    keys_at,
    plain,
    rows,
    rows_with,
    tables,
)


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


def referring(path: Path) -> Collection[str]:
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


class Wanted:
    """Rows to be locked: collected first, then locked in one order, one table after the other."""

    def __init__(self, using: str, ranks: Mapping[Model, int]) -> None:
        self.using = using
        self.ranks = ranks
        self.pks: dict[Model, set[Any]] = defaultdict(set)
        self.joining: dict[Model, set[Any]] = defaultdict(set)
        self.named: dict[tuple[Model, str], set[Any]] = defaultdict(set)
        self.found: dict[Model, dict[Hashable, QuerySet[Any]]] = defaultdict(dict)
        self.again: list[tuple[Model, QuerySet[Any]]] = []
        self.taken: dict[Model, set[Any]] = defaultdict(set)

    def rows(self, model: Model, pks: Iterable[Any]) -> None:
        """Rows that are there, or perhaps not any longer."""
        self.pks[model].update(pks)

    def join(self, model: Model, pks: Iterable[Any]) -> None:
        """Rows that are to be locked with others of their table, if there are any."""
        self.joining[model].update(pks)

    def name(self, model: Model, column: str, keys: Iterable[Any]) -> None:
        """Rows by the values of a unique column; all of them should be there."""
        self.named[model, column].update(keys)

    def find(
        self, model: Model, pks: QuerySet[Any], path: Path, column: str, keys: Iterable[Any]
    ) -> None:
        """Rows by a query for their primary keys, that are connected by a path with those of which
        a column has one of the ``keys``.
        """
        known = self.found[model].setdefault((path, column, frozenset(keys)), pks)
        # Rows on the way that are locked later may lead elsewhere by then.
        on_the_way = [path.until(number).model for number in range(len(path.hops) + 1)]
        if known is pks and any(self.rank(each) > self.rank(model) for each in on_the_way):
            self.again.append((model, pks))

    def rank(self, model: Model) -> int:
        return self.ranks.get(model, len(self.ranks))

    def models(self) -> set[Model]:
        named = {model for (model, _), keys in self.named.items() if keys}
        return named | {model for model, pks in self.pks.items() if pks} | self.found.keys()

    def take(self, before: Model | None = None) -> bool:
        """Lock them all, or those of tables that come before another one; whether all that were
        named are there.
        """
        models = sorted(self.models(), key=self.rank)
        if before is not None:
            models = [model for model in models if self.rank(model) < self.rank(before)]
        self.taken |= {model: self.take_of(model) for model in models}
        for model, queryset in self.again:
            if model in models and (others := keys_among(queryset) - self.taken[model]):
                take(rows_with(model, self.using, list(others)))
        return all(
            name == model._meta.pk.attname and keys <= self.taken[model]
            for (model, name), keys in self.named.items()
            if keys
        )

    def taken_of(self, model: Model, pks: Iterable[Any]) -> list[Any]:
        """Those of the rows that were there to be locked. Others may come at any moment, unread, by
        the keys of those that are gone.
        """
        taken, key = self.taken[model], model._meta.pk
        if len(model._meta.pk_fields) == 1:
            pks = map(key.to_python, pks)  # Memory may say "5" for 5.
        return [pk for pk in pks if pk in taken]

    def take_of(self, model: Model) -> set[Any]:
        """Lock the rows of one table, in one statement."""
        pks, queries = set(self.pks.get(model, ())), [*self.found.get(model, {}).values()]
        for (of, name), keys in self.named.items():
            if of is model and name == model._meta.pk.attname:
                pks |= keys
            elif of is model and keys:
                named = rows(model, self.using).filter(**{f"{name}__in": keys})
                queries.append(named.values_list("pk", flat=True))
        # MariaDB locks what it reads in a subquery, and whatever else it comes across.
        joining = self.joining.get(model)
        if not (pks or joining) and len(queries) == 1 and vendor_of(self.using) != "mysql":
            return set(take(rows(model, self.using).filter(pk__in=queries[0])))
        for query in queries:
            pks |= keys_among(query)
        pks.discard(None)
        if pks and joining:
            pks |= joining
        return set(take(rows_with(model, self.using, list(pks)))) if pks else set()


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
