"""Many rows by the short way (``maintenance/direct.py``): rows that are alike count together.

What rows contribute is read with the keys of their targets, once for each combination of values
that occurs, and not read again after the write: the constants of an ``update()`` and the instances
of a ``bulk_create()`` are in memory. A DELETE returns what it took away, where the database can do
that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from syncfields.declare.paths import Model, concrete
from syncfields.keep.single import contents_of, fold
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.direct import Direct, Part
from syncfields.maintenance.extreme import Extreme
from syncfields.plan.routes import columns_of_part
from syncfields.sql import statements
from syncfields.sql.databases import has_row_locks, vendor_of
from syncfields.sql.holding import UNKNOWN
from syncfields.sql.locks import locking, reading, rows_of
from syncfields.sql.once import once
from syncfields.sql.rows import one_of, rows, rows_with, tables
from syncfields.sql.statements import Param, Row, Statement

Ways = Mapping[Maintenance, Direct]
Known = Sequence[str | Part]
"""What is to be known of rows: columns, and then what they contribute."""
Contributed = Mapping[Maintenance, Mapping[Any, tuple[Any, ...]]]
"""What rows contribute, by the primary keys of the targets, part by part."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of one model. Those of which the same is known are one, with their number."""

    model: Model
    values: Mapping[str | Part, Sequence[Any]]
    numbers: Sequence[int]
    summed: bool = False
    """Contributions are those of all rows of a group; else those of each."""

    @property
    def total(self) -> int:
        return sum(self.numbers)

    def columns(self) -> list[dict[str, Any]]:
        names = [each for each in self.values if isinstance(each, str)]
        rows = zip(*(self.values[name] for name in names), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]


def fits(ways: Ways) -> bool:
    """Whether sums say it all, as they do not where it matters which value is the extreme."""
    return bool(ways) and not any(isinstance(maintenance, Extreme) for maintenance in ways)


def contributed(ways: Ways, columns: Iterable[str] = ()) -> Known:
    """The keys of their targets, and what is contributed to them; and further columns."""
    # The keys first: SQLite compares the columns in this order when it groups rows.
    keys = [way.key for way in ways.values()]
    parts = [part for way in ways.values() for part in way.parts]
    return [*dict.fromkeys([*keys, *columns]), *parts]


def read_by(ways: Ways, model: Model, written: Collection[str]) -> list[str]:
    """The columns that contributions are made of, apart from those that are ``written``."""
    parts = (part for way in ways.values() for part in way.parts)
    names = {name for part in parts for name in columns_of_part(part, model)}
    return sorted(names.difference(written))


def holding(queryset: QuerySet[Any], known: Known, *more: str) -> QuerySet[Any]:
    """Of each row the columns ``more``, and what is to be known."""
    names = (each for each in known if isinstance(each, str))
    parts = (each.expression for each in known if isinstance(each, Part))
    named = {f"_syncfields_{number}": part for number, part in enumerate(parts)}
    return queryset.annotate(**named).values_list(*more, *names, *named)


def group(model: Model, known: Known, found: Iterable[Row]) -> Groups:
    found = list(found)
    try:
        counter = Counter(found)
    except TypeError:  # A value that cannot be hashed, like a JSON document.
        return Groups(model, by_column(known, found), [1] * len(found))
    return Groups(model, by_column(known, list(counter)), list(counter.values()))


def by_column(known: Known, found: Sequence[Row]) -> dict[str | Part, Sequence[Any]]:
    columns: Iterable[Sequence[Any]] = zip(*found, strict=True) if found else [()] * len(known)
    return dict(zip(known, columns, strict=True))


def counted(model: Model, known: Known, statement: Statement) -> Groups:
    """The rows of a statement, grouped by the database."""
    names = sum(isinstance(each, str) for each in known)
    summed = statements.can_sum(statement, names)
    grouping = names if summed else len(known)
    *columns, numbers = statements.counted(statement, grouping).columns()
    return Groups(model, dict(zip(known, columns, strict=True)), numbers, summed)


def read(queryset: QuerySet[Any], known: Known) -> tuple[list[Any] | None, Groups]:
    """The rows of a queryset before a write: their keys, locked in order, and what is known of
    them.

    SQLite has one writer at a time: there the database groups them, and the keys are None.
    """
    model, chosen = concrete(queryset.model), rows_of(queryset)
    locks = has_row_locks(queryset.db)
    keys = [field.attname for field in model._meta.pk_fields] if locks else []
    try:
        statement = statements.select(
            locking(holding(chosen if locks else chosen.order_by(), known, *keys))
        )
    except EmptyResultSet:
        return [] if locks else None, group(model, known, ())
    if not locks:
        return None, counted(model, known, statement)
    columns, width = statement.columns(), len(keys)
    pks = columns[0] if width == 1 else zip(*columns[:width], strict=True)
    return list(pks), group(model, known, zip(*columns[width:], strict=True))


def left_over(using: str, model: Model, ways: Ways, pks: Sequence[Any]) -> Groups:
    """What locked rows contribute now, those that are there."""
    known = contributed(ways)
    return group(model, known, reading(holding(rows_with(model, using, pks), known)))


def read_one(using: str, model: Model, ways: Ways, pk: Any) -> Groups:
    known = contributed(ways)

    def make() -> Statement:
        chosen = rows(model, using).filter(pk=Param("pk", model._meta.pk))
        return statements.select(locking(holding(chosen, known)))

    return group(model, known, once(("read to delete", using, model), make).rows(pk=pk))


def can_return(using: str, model: Model, ways: Ways) -> bool:
    """Whether a DELETE of rows of the model can return what they contribute."""
    # The databases return rows from DELETE if they do from INSERT.
    if not connections[using].features.can_return_columns_from_insert:
        return False
    return once(
        ("can return", using, model),
        lambda: returns(holding(rows(model, using), contributed(ways))),
    )


def returns(queryset: QuerySet[Any]) -> bool:
    compiler = queryset.query.get_compiler(queryset.db)
    compiler.as_sql()
    # SQLite's RETURNING takes "column IS NULL" for false after DELETE (seen with 3.40).
    asks_null = any(" IS " in text for _, (text, _), _ in compiler.select)
    return tables(queryset) == 1 and not (asks_null and compiler.connection.vendor == "sqlite")


def can_return_many(using: str, model: Model, ways: Ways) -> bool:
    """Whether it is to return many rows. SQLite groups them faster, before they are deleted."""
    return has_row_locks(using) and can_return(using, model, ways)


def delete(queryset: QuerySet[Any], ways: Ways, write: Callable[[QuerySet[Any]], Any]) -> Groups:
    """Delete the rows of a queryset; what they contributed."""
    using, model, known = queryset.db, concrete(queryset.model), contributed(ways)
    # MariaDB's DELETE of a join returns nothing.
    joins = vendor_of(using) == "mysql" and tables(queryset) > 1
    if joins or not can_return_many(using, model, ways):
        pks, groups = read(queryset, known)
        write(queryset if pks is None else rows_with(model, using, pks))
        return groups
    if vendor_of(using) == "postgresql":
        # A DELETE by itself locks its rows as it finds them.
        ordered = rows_of(queryset).select_for_update()
        queryset = rows(model, using).filter(one_of(ordered, many=True))
    try:
        statement = statements.delete(queryset, holding(rows(model, using), known))
    except EmptyResultSet:
        return group(model, known, ())
    if statements.can_count(statement):
        return counted(model, known, statement)
    return group(model, known, statement.rows())


def delete_one(using: str, model: Model, ways: Ways, pk: Any) -> Groups:
    known = contributed(ways)

    def make() -> Statement:
        chosen = rows(model, using).filter(pk=Param("pk", model._meta.pk))
        return statements.delete(chosen, holding(rows(model, using), known))

    return group(model, known, once(("delete", using, model), make).rows(pk=pk))


def in_memory(model: Model, ways: Ways, instances: Sequence[Mapping[str, Any]]) -> Groups:
    """Instances by what their columns are going to be."""
    keys = (way.key for way in ways.values())
    known = list(dict.fromkeys([*keys, *read_by(ways, model, ())]))
    columns = ([row.get(name, UNKNOWN) for row in instances] for name in known)
    return group(model, known, zip(*columns, strict=True))


def contributions(ways: Ways, groups: Groups) -> Contributed:
    """What the rows contribute, as it was read."""
    numbers = [1] * len(groups.numbers) if groups.summed else groups.numbers
    return {
        maintenance: for_each_target(
            groups.values[way.key], [groups.values[part] for part in way.parts], numbers
        )
        for maintenance, way in ways.items()
    }


def foreseen(
    using: str, ways: Ways, groups: Groups, values: Mapping[str, Any]
) -> Contributed | None:
    """What the rows will contribute, with new ``values``; None where memory does not say that."""
    found: dict[Maintenance, Mapping[Any, tuple[Any, ...]]] = {}
    for maintenance, way in ways.items():
        keys = keys_in_memory(using, way, groups, values)
        if UNKNOWN in keys:
            return None
        amounts: list[Sequence[Any]] = []
        for part in way.parts:
            if (known := folded(using, part, groups, values)) is None:
                return None
            amounts.append(known)
        found[maintenance] = for_each_target(keys, amounts, groups.numbers)
    return found


def for_each_target(
    keys: Sequence[Any], parts: Sequence[Sequence[Any]], numbers: Iterable[int]
) -> dict[Any, tuple[Any, ...]]:
    """What groups contribute to each target: of each group its key, the amounts of one of its rows,
    part by part, and the number of these.
    """
    found: dict[Any, tuple[Any, ...]] = {}
    amounts = zip(*parts, strict=True) if parts else [()] * len(keys)
    for key, here, number in zip(keys, amounts, numbers, strict=True):
        if key is not None:
            known = found.get(key) or (0,) * len(here)
            found[key] = tuple(
                sum_ + (amount or 0) * number for sum_, amount in zip(known, here, strict=True)
            )
    return found


def compare(ways: Ways, before: Contributed, after: Contributed, effects: Effects) -> None:
    """Add to ``effects`` what comes of what rows contributed and contribute now."""
    for maintenance in ways:
        maintenance.compare(before.get(maintenance, {}), after.get(maintenance, {}), effects)


def gone(ways: Ways, groups: Groups, effects: Effects) -> None:
    """The rows are deleted."""
    compare(ways, contributions(ways, groups), {}, effects)


def keys_in_memory(using: str, way: Direct, groups: Groups, values: Mapping[str, Any]) -> list[Any]:
    name, ask = way.key, contents_of(using, groups.model).keys[way.key]
    if name in values:
        return [ask(values)] * len(groups.numbers)
    return [ask({name: key}) for key in groups.values[name]]


def folded(using: str, part: Part, groups: Groups, values: Mapping[str, Any]) -> list[Any] | None:
    """What each group will contribute, asked once for those that are alike in what the part reads.

    None where memory does not say it.
    """
    model, count = groups.model, len(groups.numbers)
    names = sorted(columns_of_part(part, model) - values.keys())
    columns = [groups.values[name] for name in names]
    kinds: Any = list(zip(*columns, strict=True)) if columns else [()] * count

    def amount_of(kind: Row) -> Any:
        return fold(part, model, {**dict(zip(names, kind, strict=True)), **values}, using)

    try:
        amounts = {kind: amount_of(kind) for kind in set(kinds)}
    except TypeError:  # As in group().
        amounts, kinds = dict(enumerate(map(amount_of, kinds))), range(count)
    if any(each is UNKNOWN or hasattr(each, "resolve_expression") for each in amounts.values()):
        return None
    return [amounts[kind] for kind in kinds]
