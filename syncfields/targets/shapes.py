"""The UPDATE of targets, apart from its values, and the values that it is given."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Expression, F, Q, Value

from syncfields.declare.paths import Model, column
from syncfields.sql.plain import TYPES
from syncfields.sql.rows import Among, Keys, among
from syncfields.sql.saved import Saved
from syncfields.sql.statements import Param
from syncfields.targets.updates import Update

FEW = 2
"""Of more different values each is not given a condition of its own."""
FOR_SAVE = 4
"""The position of that argument of ``resolve_expression()``."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the SQL of an UPDATE depends on, apart from the values."""

    using: str
    target: Model
    rows: int
    deltas: tuple[tuple[str, tuple[bool, ...], bool], ...] = ()
    """Column, which of the rows it concerns (if they are few), whether it may fall."""
    extremes: tuple[Extreme, ...] = ()
    anew: tuple[tuple[str, tuple[bool, ...]], ...] = ()
    """Column, which of the rows are evaluated anew."""
    fixed: tuple[tuple[str, tuple[bool, ...]], ...] = ()
    """Column, which of the rows are given a value that was evaluated before."""
    returned: tuple[str, ...] = ()
    """Columns that are returned of each row."""
    locked: bool = False
    """Whether the rows are locked by now."""


@dataclass(frozen=True, slots=True)
class Extreme:
    """A minimum or maximum in a ``Shape``."""

    name: str
    better: str
    """The lookup by which one value beats another."""
    joined: tuple[bool, ...]
    """Which of the rows a value has joined."""
    left: tuple[bool, ...]
    """Which of them a value has left."""


def shape_of(
    using: str, update: Update, returned: tuple[str, ...] = (), locked: bool = False
) -> Shape:
    pks, deltas = update.pks, update.deltas
    better = {
        name: lookup
        for rows in (update.joined, update.left)
        for row in rows.values()
        for name, (lookup, _) in row.items()
    }
    return Shape(
        using,
        update.target,
        len(pks),
        tuple(
            (name, mask, any(falls(row[name]) for row in deltas.values() if name in row))
            for name, mask in masks(pks, deltas)
        ),
        tuple(
            Extreme(
                name, lookup, mask_of(pks, update.joined, name), mask_of(pks, update.left, name)
            )
            for name, lookup in sorted(better.items())
        ),
        tuple(lists(pks, update.anew)),
        tuple(lists(pks, update.fixed)),
        returned,
        locked,
    )


def lists(
    pks: Sequence[Any], rows: Mapping[str, Collection[Any]]
) -> Iterator[tuple[str, tuple[bool, ...]]]:
    """Of each column, which of the rows are listed for it."""
    for name, chosen in sorted(rows.items()):
        yield name, tuple(pk in chosen for pk in pks)


def masks(
    pks: Sequence[Any], rows: Mapping[Any, Mapping[str, Any]]
) -> list[tuple[str, tuple[bool, ...]]]:
    """Of each column, which of the rows say something of it."""
    names = sorted({name for row in rows.values() for name in row})
    return [(name, mask_of(pks, rows, name)) for name in names]


def mask_of(pks: Sequence[Any], rows: Mapping[Any, Collection[str]], name: str) -> tuple[bool, ...]:
    return tuple(name in rows.get(pk, ()) for pk in pks)


def numbers_of(mask: Sequence[bool]) -> list[int]:
    return [number for number, concerned in enumerate(mask) if concerned]


def falls(amount: Any) -> bool:
    return is_expression(amount) or amount < 0


def is_expression(value: Any) -> bool:
    return hasattr(value, "resolve_expression")


Branches = list[tuple[Q, Any]]
"""Values, each with the condition that the rows meet that it is for; none for all rows."""


class Params:
    """The values of a statement that is compiled once: by column and row, as ``"total 3"``.
    ``first``: the number of its first row, where a statement is for one of several.
    """

    def __init__(self, target: Model, first: int = 0) -> None:
        self.target = target
        self.first = first

    def pk(self, number: int) -> Any:
        return Param(f"pk {self.first + number}", self.target._meta.pk)

    def among(self, mask: Sequence[bool]) -> Q:
        """The condition that a row is one of those; none for all rows."""
        if all(mask):
            return Q()
        return reduce(or_, (Q(pk=self.pk(number)) for number in numbers_of(mask)))

    def amounts(self, name: str, mask: Sequence[bool]) -> Branches:
        """What is added to the rows."""
        return self.branches(name, mask, f"{name} ")

    def joined(self, name: str, mask: Sequence[bool]) -> Branches:
        """The values that join an extreme."""
        return self.branches(name, mask, f"{name} ")

    def left(self, name: str, mask: Sequence[bool]) -> Branches:
        """The values that have left an extreme."""
        return self.branches(name, mask, f"left {name} ")

    def fixed(self, name: str, mask: Sequence[bool]) -> Branches:
        """The values that were evaluated before."""
        return self.branches(name, mask, f"fixed {name} ", Saved)

    def branches(
        self, name: str, mask: Sequence[bool], key: str, kind: type[Param] = Param
    ) -> Branches:
        field, is_one = column(self.target, name), len(mask) == 1
        return [
            (Q() if is_one else Q(pk=self.pk(number)), kind(f"{key}{self.first + number}", field))
            for number in numbers_of(mask)
        ]


class Lists(Params):
    """As ``Params``, for lists of rows: by column and the number of the amount."""

    def amounts(self, name: str, mask: Sequence[bool]) -> list[tuple[Any, Any]]:
        """``mask`` has an item for each amount; none where one is for all rows."""
        field = column(self.target, name)
        if not mask:
            return [(Q(), Param(f"{name} 0", field))]
        return [
            (self.listed(f"pks {name} {number}"), Param(f"{name} {number}", field))
            for number, _ in enumerate(mask)
        ]

    def listed(self, name: str) -> Among:
        return Among(F("pk"), Keys(name, self.target._meta.pk))


class Values:
    """The values of a statement that is used once. Rows to which the same is added go together."""

    def __init__(self, using: str, update: Update) -> None:
        self.using = using
        self.update = update
        self.pks = update.pks

    def pk(self, number: int) -> Any:
        return self.pks[number]

    def among(self, mask: Sequence[bool]) -> Q:
        if all(mask):
            return Q()
        return self.one_of([self.pks[number] for number in numbers_of(mask)])

    def one_of(self, pks: Sequence[Any]) -> Q:
        return Q() if len(pks) == len(self.pks) else among(self.using, self.update.target, pks)

    def amounts(self, name: str, mask: Sequence[bool]) -> Branches:
        return self.branches(name, of_column(self.update.deltas, name))

    def joined(self, name: str, mask: Sequence[bool]) -> Branches:
        found = of_column(self.update.joined, name)
        return self.branches(name, {pk: value for pk, (_, value) in found.items()})

    def left(self, name: str, mask: Sequence[bool]) -> Branches:
        found = of_column(self.update.left, name)
        return self.branches(name, {pk: value for pk, (_, value) in found.items()})

    def fixed(self, name: str, mask: Sequence[bool]) -> Branches:
        return self.branches(name, self.update.fixed.get(name, {}))

    def branches(self, name: str, values: Mapping[Any, Any]) -> Branches:
        field, alike = column(self.update.target, name), self.alike(values)
        is_plain = len(self.update.target._meta.pk_fields) == 1
        if is_plain and len(alike) > FEW and not any(map(is_expression, values.values())):
            return [(self.one_of([*values]), ByKey(field, values))]
        return [
            (self.one_of(pks), value if is_expression(value) else Value(value, output_field=field))
            for value, pks in alike
        ]

    def alike(self, values: Mapping[Any, Any]) -> Collection[tuple[Any, list[Any]]]:
        """Each value, with the rows that it is for."""
        found: dict[Any, tuple[Any, list[Any]]] = {}
        for pk, value in values.items():
            plain = isinstance(value, Hashable) and not is_expression(value)
            key = (type(value), value) if plain else id(value)
            found.setdefault(key, (value, []))[1].append(pk)
        return found.values()


def of_column(rows: Mapping[Any, Mapping[str, Any]], name: str) -> dict[Any, Any]:
    return {pk: row[name] for pk, row in rows.items() if name in row}


class ByKey(Expression):
    """A value for each of many rows, by primary key; NULL for others. It compiles in a fraction of
    the time of a ``Case`` with a condition for each.
    """

    def __init__(self, field: Any, values: Mapping[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.values = values
        self.pk: Any = F("pk")
        self.for_save = False

    def get_source_expressions(self) -> list[Any]:
        return [self.pk]

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        (self.pk,) = exprs

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        resolved: Any = super().resolve_expression(*args, **kwargs)
        resolved.for_save = kwargs.get("for_save", len(args) > FOR_SAVE and args[FOR_SAVE])
        return resolved

    @property
    def identity(self) -> Any:
        return type(self), id(self.values)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        text, params = compiler.compile(self.pk)
        parts, given = [f"CASE {text}"], [*params]
        for pk, value in self.values.items():
            for word, each, field in (
                ("WHEN", pk, self.pk.output_field),
                ("THEN", value, self.output_field),
            ):
                constant: Any = Value(each, output_field=field)
                constant.for_save = self.for_save
                text, params = compiler.compile(constant)
                parts.append(f"{word} {text}")
                given += params
        return f"{' '.join(parts)} END", given


def values_of(update: Update) -> dict[str, Any]:
    """What a compiled statement is given."""
    found: dict[str, Any] = {}
    for number, pk in enumerate(update.pks):
        found[f"pk {number}"] = pk
        for name, amount in update.deltas.get(pk, {}).items():
            found[f"{name} {number}"] = amount
        for name, (_, value) in update.joined.get(pk, {}).items():
            found[f"{name} {number}"] = value
        for name, (_, value) in update.left.get(pk, {}).items():
            found[f"left {name} {number}"] = value
        for name, row in update.fixed.items():
            if pk in row:
                found[f"fixed {name} {number}"] = row[pk]
    return found


def kind_of(update: Update) -> tuple[Hashable, list[Any]] | None:
    """What the ``Shape`` of an UPDATE of few rows depends on, found in one pass, and the values in
    the order of ``values_of()``. None where an expression is among them.
    """
    key: list[Any] = [len(update.pks)]  # Of some nothing may be written.
    values: list[Any] = []
    deltas, joined, left, fixed = update.deltas, update.joined, update.left, update.fixed
    for number, pk in enumerate(update.pks):
        values.append(pk)
        for name, amount in deltas[pk].items() if pk in deltas else ():
            if type(amount) is not int and is_expression(amount):
                return None
            key.append((number, name, amount < 0))
            values.append(amount)
        for sign, rows in (("+", joined), ("-", left)) if joined or left else ():
            for name, (lookup, value) in rows[pk].items() if pk in rows else ():
                if type(value) not in TYPES and is_expression(value):
                    return None
                key.append((number, name, sign, lookup))
                values.append(value)
        for name, row in fixed.items() if fixed else ():
            if pk in row:
                key.append((number, name))
                values.append(row[pk])
    for name, chosen in update.anew.items() if update.anew else ():
        key.append((name, *[number for number, pk in enumerate(update.pks) if pk in chosen]))
    return (*key,), values
