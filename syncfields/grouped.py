"""Many rows by the short way (``maintenance/direct.py``): rows that are alike count together.

What rows contribute is read with their columns, once for each combination of values that occurs,
and not read again after the write: the constants of an ``update()`` and the instances of a
``bulk_create()`` are in memory. A DELETE returns what it took away, where the database can do that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Count, QuerySet

from syncfields import registry, statements
from syncfields.locks import locking, reading, rows_of
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.direct import Direct, Part
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.folding import UNKNOWN
from syncfields.maintenance.recompute import Recompute
from syncfields.paths import Model
from syncfields.single import all_parts, contents, fold, key_in_memory, reader, selected
from syncfields.statements import Param, Statement, once
from syncfields.trees import rows, rows_with, tables

Ways = Mapping[Maintenance, Direct]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with the same values, and what each of them contributes."""

    columns: Mapping[str, Any]
    contributions: Mapping[Part, Any]
    number: int


def fits(ways: Ways) -> bool:
    """Whether sums say it all, as they do not where it matters which value is the extreme."""
    return bool(ways) and not any(isinstance(maintenance, Extreme) for maintenance in ways)


def group(model: Model, found: Iterable[Sequence[Any]]) -> list[Group]:
    """Rows as ``contents()`` selects them."""
    found = list(found)
    try:
        return [group_of(model, row, number) for row, number in Counter(found).items()]
    except TypeError:  # A value that cannot be hashed, like a JSON document.
        return [group_of(model, row, 1) for row in found]


def group_of(model: Model, row: Sequence[Any], number: int) -> Group:
    names = sorted(registry.plan().columns[model])
    contributions = zip(all_parts(model), row[len(names) :], strict=False)
    return Group(dict(zip(names, row, strict=False)), dict(contributions), number)


def read(queryset: QuerySet[Any], model: Model) -> tuple[list[Any] | None, list[Group]]:
    """The rows of a queryset before a write: their keys, locked in order, and what they hold.

    SQLite has one writer at a time: there the database groups them, and the keys are None.
    """
    if not connections[queryset.db].features.has_select_for_update:
        chosen = contents(rows_of(queryset).order_by())
        counted = chosen.annotate(_syncfields_number=Count("*"))
        return None, [group_of(model, row, number) for *row, number in counted]
    names, parts = selected(model)
    keys = [field.attname for field in model._meta.pk_fields]
    width = len(keys)
    chosen = rows_of(queryset).annotate(**parts).values_list(*keys, *names, *parts)
    found = list(locking(chosen))
    pks = [row[0] if width == 1 else row[:width] for row in found]
    return pks, group(model, (row[width:] for row in found))


def left_over(using: str, model: Model, pks: Sequence[Any]) -> list[Group]:
    """What locked rows hold now, those that are there."""
    return group(model, reading(contents(rows_with(model, using, pks))))


def read_one(using: str, model: Model, pk: Any) -> list[Group]:
    row = reader(using, model, lock=True).row(pk0=pk)
    return [] if row is None else [group_of(model, row, 1)]


def can_return(using: str, model: Model) -> bool:
    """Whether a DELETE of rows of the model can return what they hold."""
    connection = connections[using]
    # SQLite's RETURNING takes "column IS NULL" for false after DELETE (seen with 3.40). The others
    # return rows from DELETE if they do from INSERT.
    if connection.vendor == "sqlite" or not connection.features.can_return_columns_from_insert:
        return False
    return once(("one table", using, model), lambda: is_one_table(contents(rows(model, using))))


def is_one_table(queryset: QuerySet[Any]) -> bool:
    queryset.query.get_compiler(queryset.db).as_sql()
    return tables(queryset) == 1


def delete(
    queryset: QuerySet[Any], model: Model, write: Callable[[QuerySet[Any]], Any]
) -> list[Group]:
    """Delete the rows of a queryset; what they held."""
    using = queryset.db
    if not can_return(using, model):
        pks, groups = read(queryset, model)
        write(queryset if pks is None else rows_with(model, using, pks))
        return groups
    if connections[using].vendor == "postgresql":
        # A DELETE by itself locks its rows as it finds them.
        ordered = rows_of(queryset).select_for_update().values("pk")
        queryset = rows(model, using).filter(pk__in=ordered)
    try:
        statement = statements.delete(queryset, contents(rows(model, using)))
    except EmptyResultSet:
        return []
    return group(model, statement.rows())


def delete_one(using: str, model: Model, pk: Any) -> list[Group]:
    def make() -> Statement:
        key = Param("pk", model._meta.pk)
        return statements.delete(rows(model, using).filter(pk=key), contents(rows(model, using)))

    return group(model, once(("delete", using, model), make).rows(pk=pk))


def in_memory(model: Model, instances: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Instances by what their columns are going to be."""
    names = sorted(registry.plan().columns[model])
    return group(model, (tuple(row.get(name, UNKNOWN) for name in names) for row in instances))


def moved(ways: Ways, groups: Iterable[Group], effects: Effects, sign: int) -> None:
    """The rows are gone (-1), or found to be there (1)."""
    for each in groups:
        for maintenance, way in ways.items():
            key = each.columns[way.key]
            if isinstance(maintenance, Recompute):
                effects.stale[maintenance] |= {key} - {None}
            for part in way.parts:
                add(effects, maintenance, part, key, each.contributions[part], sign * each.number)


def came(
    using: str, model: Model, ways: Ways, groups: Iterable[Group], values: Mapping[str, Any]
) -> Effects | None:
    """The rows are there, with new ``values``; None where memory does not say what they add."""
    effects = Effects()
    for each in groups:
        written = {**each.columns, **values}
        for maintenance, way in ways.items():
            key = key_in_memory(way, written)
            if key is UNKNOWN:
                return None
            if isinstance(maintenance, Recompute):
                effects.stale[maintenance] |= {key} - {None}
            for part in way.parts:
                amount = fold(part, model, written, using)
                if amount is UNKNOWN or hasattr(amount, "resolve_expression"):
                    return None
                add(effects, maintenance, part, key, amount, each.number)
    return effects


def add(
    effects: Effects, maintenance: Maintenance, part: Part, key: Any, amount: Any, number: int
) -> None:
    if key is not None and amount is not None:
        effects.add(maintenance.target, key, part.attname, part.sign * amount * number)
