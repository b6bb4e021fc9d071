"""The UPDATE of targets, apart from its values, and the values that it is given."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import (
    F,
    Q,
    Value,
)

from syncfields.declare.paths import Model, column
from syncfields.sql.statements import Param
from syncfields.sql.trees import Among, Keys, among
from syncfields.targets.updates import Update


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


def shape_of(using: str, update: Update, returned: tuple[str, ...] = ()) -> Shape:
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


class Params:
    """The values of a statement that is compiled once: by column and row, as ``"total 3"``."""

    def __init__(self, target: Model) -> None:
        self.target = target

    def pk(self, number: int) -> Any:
        return Param(f"pk {number}", self.target._meta.pk)

    def among(self, mask: Sequence[bool]) -> Q:
        """The condition that a row is one of those; none for all rows."""
        if all(mask):
            return Q()
        return reduce(or_, (Q(pk=self.pk(number)) for number in numbers_of(mask)))

    def amount(self, name: str, number: int) -> Any:
        return Param(f"{name} {number}", column(self.target, name))

    def old(self, name: str, number: int) -> Any:
        """A value that has left an extreme."""
        return Param(f"left {name} {number}", column(self.target, name))

    def fixed(self, name: str, number: int) -> Any:
        return Saved(f"fixed {name} {number}", column(self.target, name))

    def amounts(self, name: str, mask: Sequence[bool]) -> list[tuple[Q, Any]]:
        """Each amount, and the condition that the rows meet that it is for; none for all rows."""
        if len(mask) == 1:
            return [(Q(), self.amount(name, 0))]
        return [(Q(pk=self.pk(number)), self.amount(name, number)) for number in numbers_of(mask)]


class Saved(Param):
    """A value as its column stores it."""

    def adapted(self, value: Any, connection: Any) -> Any:
        return self.output_field.get_db_prep_save(value, connection)


class Lists(Params):
    """As ``Params``, for lists of rows: by column and the number of the amount."""

    def amounts(self, name: str, mask: Sequence[bool]) -> list[tuple[Any, Any]]:
        """``mask`` has an item for each amount; none where one is for all rows."""
        if not mask:
            return [(Q(), self.amount(name, 0))]
        return [
            (self.listed(f"pks {name} {number}"), self.amount(name, number))
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

    def amount(self, name: str, number: int) -> Any:
        _, value = self.update.joined[self.pks[number]][name]
        return self.value(name, value)

    def old(self, name: str, number: int) -> Any:
        _, value = self.update.left[self.pks[number]][name]
        return self.value(name, value)

    def fixed(self, name: str, number: int) -> Any:
        return self.value(name, self.update.fixed[name][self.pks[number]])

    def amounts(self, name: str, mask: Sequence[bool]) -> list[tuple[Q, Any]]:
        alike: dict[Any, tuple[Any, list[Any]]] = {}
        for pk in self.pks:
            if (row := self.update.deltas.get(pk)) and name in row:
                amount = row[name]
                key = id(amount) if is_expression(amount) else ("value", amount)
                alike.setdefault(key, (amount, []))[1].append(pk)
        return [(self.one_of(pks), self.value(name, amount)) for amount, pks in alike.values()]

    def value(self, name: str, value: Any) -> Any:
        if is_expression(value):
            return value
        return Value(value, output_field=column(self.update.target, name))


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
