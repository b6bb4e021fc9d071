"""Many rows by the short way (``maintenance/direct.py``): rows that are alike count together.

What rows contribute is read with their columns, once for each combination of values that occurs,
and not read again after the write: the constants of an ``update()`` and the instances of a
``bulk_create()`` are in memory. A DELETE returns what it took away, where the database can do that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Count, QuerySet
from django.db.models.constants import LOOKUP_SEP

from syncfields import registry, statements
from syncfields.locks import locking, reading, rows_of
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.direct import Direct, Part
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.folding import UNKNOWN
from syncfields.paths import Model, column
from syncfields.single import all_parts, contents, fold, key_in_memory, reader, selected
from syncfields.statements import Param, Row, Statement, once
from syncfields.trees import one_of, references, rows, rows_with, tables

Ways = Mapping[Maintenance, Direct]


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of one model. Those with the same values are one, with their number."""

    model: Model
    rows: Sequence[Row]
    """Columns and contributions, as ``contents()`` selects them, or columns alone."""
    numbers: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.numbers)

    def columns(self) -> list[dict[str, Any]]:
        names = names_of(self.model)
        return [dict(zip(names, row, strict=False)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Share:
    """What each of some groups contributes, by one part of a short way."""

    maintenance: Maintenance
    part: Part | None
    """None where the targets are evaluated anew."""
    keys: Sequence[Any]
    amounts: Sequence[Any]


def fits(ways: Ways) -> bool:
    """Whether sums say it all, as they do not where it matters which value is the extreme."""
    return bool(ways) and not any(isinstance(maintenance, Extreme) for maintenance in ways)


def names_of(model: Model) -> list[str]:
    return sorted(registry.plan().columns[model])


def group(model: Model, found: Iterable[Row]) -> Groups:
    found = list(found)
    try:
        numbers = Counter(found)
    except TypeError:  # A value that cannot be hashed, like a JSON document.
        return Groups(model, found, [1] * len(found))
    return Groups(model, list(numbers), list(numbers.values()))


def counted(model: Model, found: Sequence[Row]) -> Groups:
    """Rows that the database has grouped, their number last."""
    return Groups(model, [row[:-1] for row in found], [row[-1] for row in found])


def read(queryset: QuerySet[Any], model: Model) -> tuple[list[Any] | None, Groups]:
    """The rows of a queryset before a write: their keys, locked in order, and what they hold.

    SQLite has one writer at a time: there the database groups them, and the keys are None.
    """
    if not connections[queryset.db].features.has_select_for_update:
        chosen = contents(rows_of(queryset).order_by())
        return None, counted(model, list(chosen.annotate(_syncfields_number=Count("*"))))
    names, parts = selected(model)
    keys = [field.attname for field in model._meta.pk_fields]
    width = len(keys)
    chosen = rows_of(queryset).annotate(**parts).values_list(*keys, *names, *parts)
    found = list(locking(chosen))
    pks = [row[0] if width == 1 else row[:width] for row in found]
    return pks, group(model, (row[width:] for row in found))


def left_over(using: str, model: Model, pks: Sequence[Any]) -> Groups:
    """What locked rows hold now, those that are there."""
    return group(model, reading(contents(rows_with(model, using, pks))))


def read_one(using: str, model: Model, pk: Any) -> Groups:
    row = reader(using, model, lock=True).row(pk0=pk)
    return group(model, () if row is None else (row,))


def can_return(using: str, model: Model) -> bool:
    """Whether a DELETE of rows of the model can return what they hold."""
    # The databases return rows from DELETE if they do from INSERT.
    if not connections[using].features.can_return_columns_from_insert:
        return False
    return once(("can return", using, model), lambda: returns(contents(rows(model, using))))


def returns(queryset: QuerySet[Any]) -> bool:
    compiler = queryset.query.get_compiler(queryset.db)
    compiler.as_sql()
    # SQLite's RETURNING takes "column IS NULL" for false after DELETE (seen with 3.40).
    asks_null = any(" IS " in text for _, (text, _), _ in compiler.select)
    return tables(queryset) == 1 and not (asks_null and compiler.connection.vendor == "sqlite")


def can_return_many(using: str, model: Model) -> bool:
    """Whether it is to return many rows. SQLite groups them faster, before they are deleted."""
    return connections[using].features.has_select_for_update and can_return(using, model)


def delete(queryset: QuerySet[Any], model: Model, write: Callable[[QuerySet[Any]], Any]) -> Groups:
    """Delete the rows of a queryset; what they held."""
    using = queryset.db
    if not can_return_many(using, model):
        pks, groups = read(queryset, model)
        write(queryset if pks is None else rows_with(model, using, pks))
        return groups
    if connections[using].vendor == "postgresql":
        # A DELETE by itself locks its rows as it finds them.
        queryset = rows(model, using).filter(one_of(rows_of(queryset).select_for_update()))
    try:
        statement = statements.delete(queryset, contents(rows(model, using)))
    except EmptyResultSet:
        return group(model, ())
    if statements.can_count(statement):
        return counted(model, statements.counted(statement).rows())
    return group(model, statement.rows())


def delete_one(using: str, model: Model, pk: Any) -> Groups:
    def make() -> Statement:
        key = Param("pk", model._meta.pk)
        return statements.delete(rows(model, using).filter(pk=key), contents(rows(model, using)))

    return group(model, once(("delete", using, model), make).rows(pk=pk))


def in_memory(model: Model, instances: Sequence[Mapping[str, Any]]) -> Groups:
    """Instances by what their columns are going to be."""
    names = names_of(model)
    return group(model, (tuple(row.get(name, UNKNOWN) for name in names) for row in instances))


def moved(ways: Ways, groups: Groups, effects: Effects, sign: int) -> None:
    """The rows are gone (-1), or found to be there (1)."""
    places = [*names_of(groups.model), *all_parts(groups.model)]

    def values_of(name: str | Part) -> list[Any]:
        return list(map(itemgetter(places.index(name)), groups.rows))

    for maintenance, way in ways.items():
        keys = values_of(way.key)
        for part in way.parts or (None,):
            amounts = [] if part is None else values_of(part)
            add(effects, Share(maintenance, part, keys, amounts), groups.numbers, sign)


def came(
    using: str, model: Model, ways: Ways, groups: Groups, values: Mapping[str, Any]
) -> Effects | None:
    """The rows are there, with new ``values``; None where memory does not say what they add."""
    shares = foreseen(using, ways, groups, values)
    if shares is None:
        return None
    effects = Effects()
    add_all(effects, shares, groups)
    return effects


def foreseen(
    using: str, ways: Ways, groups: Groups, values: Mapping[str, Any]
) -> list[Share] | None:
    """What the rows will contribute, with new ``values``; None where memory does not say that."""
    shares: list[Share] = []
    for maintenance, way in ways.items():
        keys = keys_in_memory(way, groups, values)
        if any(key is UNKNOWN for key in keys):
            return None
        for part in way.parts or (None,):
            amounts = [] if part is None else folded(using, part, groups, values)
            if amounts is None:
                return None
            shares.append(Share(maintenance, part, keys, amounts))
    return shares


def keys_in_memory(way: Direct, groups: Groups, values: Mapping[str, Any]) -> list[Any]:
    name = way.key
    if name in values:
        return [key_in_memory(way, values)] * len(groups.rows)
    held = map(itemgetter(names_of(groups.model).index(name)), groups.rows)
    return [
        key if type(key) is int and way.key_is_integer else key_in_memory(way, {name: key})
        for key in held
    ]


def folded(using: str, part: Part, groups: Groups, values: Mapping[str, Any]) -> list[Any] | None:
    """What each group will contribute, asked once for those that are alike in what the part reads.

    None where memory does not say it.
    """
    model, names = groups.model, names_of(groups.model)
    read = once(("columns", part), lambda: columns_read(part, model)) - values.keys()
    places = [place for place, name in enumerate(names) if name in read]
    kinds: Sequence[Any] = [tuple(row[place] for place in places) for row in groups.rows]
    try:
        samples = dict(zip(kinds, groups.rows, strict=True))
    except TypeError:  # As in group().
        kinds, samples = range(len(kinds)), dict(enumerate(groups.rows))
    amounts = {
        kind: fold(part, model, {**dict(zip(names, row, strict=False)), **values}, using)
        for kind, row in samples.items()
    }
    if any(each is UNKNOWN or hasattr(each, "resolve_expression") for each in amounts.values()):
        return None
    return [amounts[kind] for kind in kinds]


def columns_read(part: Part, model: Model) -> frozenset[str]:
    first = {name.split(LOOKUP_SEP)[0] for name in references(part.expression, model)}
    pk = model._meta.pk
    return frozenset((pk if each == "pk" else column(model, each)).attname for each in first)


def add_all(effects: Effects, shares: Iterable[Share], groups: Groups) -> None:
    for share in shares:
        add(effects, share, groups.numbers, 1)


def add(effects: Effects, share: Share, numbers: Iterable[int], sign: int) -> None:
    if share.part is None:
        effects.stale[share.maintenance] |= {*share.keys} - {None}
        return
    name, sign = share.part.attname, sign * share.part.sign
    deltas = effects.deltas[share.maintenance.target]
    for key, amount, number in zip(share.keys, share.amounts, numbers, strict=True):
        if key is not None and amount:
            row = deltas[key]
            row[name] = row.get(name, 0) + sign * amount * number
