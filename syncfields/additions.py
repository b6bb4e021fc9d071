"""The UPDATE that adds deltas to targets, and lets values join an extreme.

One statement for a batch of rows of one target model, whatever the number of rules. Those for few
rows are compiled once. Of more than two rows there are as many as the next power of two, the last
one being named again, so that few numbers of rows occur.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import connections
from django.db.models import (
    BooleanField,
    Case,
    CheckConstraint,
    DecimalField,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.fields import PositiveIntegerRelDbTypeMixin
from django.db.models.functions import Coalesce, Now, Round
from django.db.models.lookups import In

from syncfields import registry, statements
from syncfields.expressions import Tally
from syncfields.locks import locking
from syncfields.paths import Model, column
from syncfields.statements import Param, Statement, once
from syncfields.trees import (
    Among,
    Keys,
    among,
    in_lookup,
    one_of,
    references,
    renamed,
    rows,
    rows_with,
    takes_as_one,
)

COMPILED_ROWS = 64
"""Up to so many rows, or different amounts, statements are compiled once."""
ANY = 0
"""Number of rows in a ``Shape`` that does not depend on it."""
PAIR = 2
"""What moving one source row needs, whatever of it is added to which."""
NUMBERS = (int, Decimal)
NEW = "_syncfields_new_"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the SQL of an addition depends on, apart from the values."""

    using: str
    target: Model
    rows: int
    deltas: tuple[tuple[str, tuple[bool, ...], bool], ...]
    """Column, which of the rows it concerns (if they are few), whether it may fall."""
    extremes: tuple[tuple[str, tuple[bool, ...], str], ...]
    """Column, which of the rows it concerns, the lookup by which one value beats another."""


class AtLeast(Func):
    output_field = BooleanField()
    template = "(%(expressions)s)"
    arg_joiner = " >= "


def add(
    using: str,
    target: Model,
    pks: Sequence[Any],
    deltas: Mapping[Any, Mapping[str, Any]],
    extremes: Mapping[Any, Mapping[str, tuple[str, Any]]],
    cursor: Any = None,
) -> int:
    """Add to the rows ``pks``; the number of rows that the UPDATE matched."""
    if not extremes:
        if len(pks) <= COMPILED_ROWS:
            added = add_numbers(using, target, pks, deltas, cursor)
        else:
            added = add_many(using, target, pks, deltas)
        if added:
            return added
    if len(pks) <= PAIR and len(target._meta.pk_fields) == 1:
        shape = shape_of(using, target, pks, deltas, extremes)
        values: dict[str, Any] = {}
        for number, pk in enumerate(pks):
            values[f"pk {number}"] = pk
            for name, amount in deltas.get(pk, {}).items():
                values[f"{name} {number}"] = amount
            for name, (_, value) in extremes.get(pk, {}).items():
                values[f"{name} {number}"] = value
        if not any(map(is_expression, values.values())):
            return once(shape, lambda: build(shape, Params(target))).update(**values)
    given = Values(using, target, pks, deltas, extremes)
    return build(given.shape, given).update()


def add_numbers(
    using: str,
    target: Model,
    pks: Sequence[Any],
    deltas: Mapping[Any, Mapping[str, Any]],
    cursor: Any = None,
) -> int:
    """The most frequent shape, numbers for the same columns of few rows, asked for without building
    its ``Shape``. 0 if it is another shape, or if no row matched.
    """
    if len(pks) > PAIR:
        pks = [*pks, *[pks[-1]] * (2 ** (len(pks) - 1).bit_length() - len(pks))]
    names, values, falling = deltas[pks[0]].keys(), {}, set()
    for number, pk in enumerate(pks):
        row = deltas[pk]
        if row.keys() != names:
            return 0
        values[f"pk {number}"] = pk
        for name, amount in row.items():
            if type(amount) not in NUMBERS:
                return 0
            values[f"{name} {number}"] = amount
            if amount < 0:
                falling.add(name)
    key = ("add", using, target, len(pks), (*names,), frozenset(falling))
    statement = once(key, lambda: of_numbers(shape_of(using, target, pks, deltas, {})))
    return statement.update(cursor, **values) if statement is not None else 0


def of_numbers(shape: Shape) -> Statement | None:
    """The statement, unless it needs several columns to find its row."""
    if len(shape.target._meta.pk_fields) > 1:
        return None
    return build(shape, Params(shape.target))


def add_many(
    using: str, target: Model, pks: Sequence[Any], deltas: Mapping[Any, Mapping[str, Any]]
) -> int:
    """Numbers for any number of rows: those to which the same is added are given as one value.
    0 if it is another shape, or if no row matched.
    """
    if not takes_as_one(using) or in_lookup(using, target, pks) != Among.lookup_name:
        return 0
    alike: dict[str, dict[Any, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for pk in pks:
        for name, amount in deltas[pk].items():
            if type(amount) not in NUMBERS:
                return 0
            alike[name][amount].append(pk)
    shapes, values = [], {"pks": pks}
    for name, amounts in sorted(alike.items()):
        is_for_all = len(pks) == sum(map(len, amounts.values()))
        # Rows without an amount fall through to the last branch, which then must add nothing.
        least = len(amounts) + (not is_for_all)
        branches = [*amounts.items()]
        branches += [(0, [])] * (2 ** (least - 1).bit_length() - len(amounts))
        if len(branches) > COMPILED_ROWS:
            return 0
        for number, (amount, chosen) in enumerate(branches):
            values |= {f"{name} {number}": amount, f"pks {name} {number}": chosen}
        mask = () if is_for_all and len(amounts) == 1 else (True,) * len(branches)
        shapes.append((name, mask, min(amounts) < 0))
    shape = Shape(using, target, ANY, tuple(shapes), ())
    return once(shape, lambda: build(shape, Lists(target))).update(**values)


def shape_of(using: str, target: Model, pks: Sequence[Any], deltas: Any, extremes: Any) -> Shape:
    changed = sorted({name for pk in pks for name in deltas.get(pk, ())})
    joined = sorted({name for pk in pks for name in extremes.get(pk, ())})
    return Shape(
        using,
        target,
        len(pks),
        tuple(
            (
                name,
                tuple(name in deltas.get(pk, ()) for pk in pks),
                any(falls(deltas[pk][name]) for pk in pks if name in deltas.get(pk, ())),
            )
            for name in changed
        ),
        tuple(
            (
                name,
                tuple(name in extremes.get(pk, ()) for pk in pks),
                next(extremes[pk][name][0] for pk in pks if name in extremes.get(pk, ())),
            )
            for name in joined
        ),
    )


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

    def amount(self, name: str, number: int) -> Any:
        return Param(f"{name} {number}", column(self.target, name))

    def amounts(self, name: str, mask: Sequence[bool]) -> list[tuple[Q, Any]]:
        """Each amount, and the condition that the rows meet that it is for; none for all rows."""
        if len(mask) == 1:
            return [(Q(), self.amount(name, 0))]
        numbers = (number for number, concerned in enumerate(mask) if concerned)
        return [(Q(pk=self.pk(number)), self.amount(name, number)) for number in numbers]


class Lists(Params):
    """As ``Params``, for lists of rows: by column and the number of the amount."""

    def amounts(self, name: str, mask: Sequence[bool]) -> list[tuple[Any, Any]]:
        """``mask`` has an item for each amount; none where one is for all rows."""
        if not mask:
            return [(Q(), self.amount(name, 0))]
        return [
            (self.among(f"pks {name} {number}"), self.amount(name, number))
            for number, _ in enumerate(mask)
        ]

    def among(self, name: str) -> Among:
        return Among(F("pk"), Keys(name, self.target._meta.pk))


class Values:
    """The values of a statement that is used once. Rows to which the same is added go together."""

    def __init__(
        self, using: str, target: Model, pks: Sequence[Any], deltas: Any, extremes: Any
    ) -> None:
        self.pks = pks
        self.extremes = extremes
        self.alike: dict[str, dict[Any, tuple[Any, list[Any]]]] = {}
        for pk in pks:
            for name, amount in deltas.get(pk, {}).items():
                key = id(amount) if is_expression(amount) else ("value", amount)
                self.alike.setdefault(name, {}).setdefault(key, (amount, []))[1].append(pk)
        falling = {
            name: any(falls(amount) for amount, _ in alike.values())
            for name, alike in self.alike.items()
        }
        self.shape = replace(
            shape_of(using, target, pks if extremes else (), {}, extremes),
            rows=len(pks),
            deltas=tuple((name, (), falling[name]) for name in sorted(falling)),
        )

    def pk(self, number: int) -> Any:
        return self.pks[number]

    def amount(self, name: str, number: int) -> Any:
        _, value = self.extremes[self.pks[number]][name]
        return self.value(name, value)

    def amounts(self, name: str, mask: Sequence[bool]) -> list[tuple[Q, Any]]:
        using, target, every = self.shape.using, self.shape.target, len(self.pks)
        return [
            (Q() if len(pks) == every else among(using, target, pks), self.value(name, amount))
            for amount, pks in self.alike[name].values()
        ]

    def value(self, name: str, value: Any) -> Any:
        if is_expression(value):
            return value
        return Value(value, output_field=column(self.shape.target, name))


def build(shape: Shape, given: Params | Values) -> Statement:
    target, values, guards = shape.target, {}, Q()
    owned = registry.plan().owned[target]
    for name, mask, may_fall in shape.deltas:
        field = owned[name].field
        amount = per_row(given, name, mask, field)
        if isinstance(owned[name].expression, Tally):
            values[name] = exact(shape, field, Coalesce(F(name), 0, output_field=field) + amount)
            continue
        values[name] = exact(shape, field, F(name) + amount)
        if may_fall and isinstance(field, PositiveIntegerRelDbTypeMixin):
            # Not "value + delta >= 0": MariaDB fails on the way to a negative unsigned number.
            least = per_row(given, name, mask, field, sign=-1)
            guards &= Q(AtLeast(F(name), least))
        if field.null:
            guards &= Q((f"{name}__isnull", False))
    touched = touches(target, [name for name, _, _ in shape.deltas])
    improved: dict[str, list[When]] = {}
    for name, mask, better in shape.extremes:
        whens = list(joining(given, name, mask, better))
        values[name] = Case(
            *(When(each, then=amount) for each, amount in whens),
            default=F(name),
            output_field=owned[name].field,
        )
        for touch in touches(target, [name]).keys() - touched.keys():
            improved.setdefault(touch, []).extend(When(each, then=Now()) for each, _ in whens)
    # First, because MariaDB and MySQL assign from left to right, and these compare old values.
    first = {touch: Case(*whens, default=F(touch)) for touch, whens in improved.items()}
    sums = {name: values[name] for name, _, _ in shape.deltas}
    queryset = chosen(shape, given).filter(guards)
    for condition in checks(target, sums):
        queryset = queryset.alias(**{NEW + name: value for name, value in sums.items()})
        queryset = queryset.filter(condition)
    return statements.update(queryset, first | values | touched)


def chosen(shape: Shape, given: Params | Values) -> QuerySet[Any]:
    """The rows to update; their locks are taken in the order of their keys."""
    if shape.rows == 1:
        return rows(shape.target, shape.using).filter(pk=given.pk(0))
    if isinstance(given, Lists):
        queryset = rows(shape.target, shape.using).filter(given.among("pks"))
    elif isinstance(given, Params):
        # Not pk__in, which takes no expressions where it is a relation.
        pks = [given.pk(number) for number in range(shape.rows)]
        queryset = rows(shape.target, shape.using).filter(In(F("pk"), pks))
    else:
        queryset = rows_with(shape.target, shape.using, given.pks)
    # PostgreSQL updates in whatever order it scans. MariaDB and MySQL follow the primary key.
    if connections[shape.using].vendor == "postgresql":
        ordered = locking(queryset.order_by("pk"))
        return rows(shape.target, shape.using).filter(one_of(ordered, isinstance(given, Lists)))
    return queryset


def per_row(
    given: Params | Values, name: str, mask: Sequence[bool], field: Any, sign: int = 1
) -> Any:
    """One amount where it is the same for all rows, else a CASE by primary key."""

    def signed(amount: Any) -> Any:
        return amount if sign == 1 else Negated(amount)

    amounts = given.amounts(name, mask)
    if not amounts[0][0]:
        return signed(amounts[0][1])
    # The last of them needs no condition, where there is one for each of the chosen rows.
    _, default = amounts.pop() if mask and all(mask) else (Q(), None)
    whens = (When(condition, then=signed(amount)) for condition, amount in amounts)
    return Case(
        *whens,
        default=Value(0) if default is None else signed(default),
        output_field=field if sign == 1 else IntegerField(),
    )


class Negated(Func):
    template = "-(%(expressions)s)"
    output_field = IntegerField()


def joining(
    given: Params | Values, name: str, mask: Sequence[bool], better: str
) -> Iterator[tuple[Q, Any]]:
    """For each value that joins an extreme: when it is the better one, and the value."""
    worse = "lt" if better == "gt" else "gt"
    for number, concerned in enumerate(mask):
        if concerned:
            amount = given.amount(name, number)
            beaten = Q((f"{name}__isnull", True)) | Q((f"{name}__{worse}", amount))
            yield Q(pk=given.pk(number)) & beaten, amount


def exact(shape: Shape, field: Any, value: Any) -> Any:
    """SQLite adds decimals as floats: rounding each sum keeps the error from growing."""
    if isinstance(field, DecimalField) and connections[shape.using].vendor == "sqlite":
        return Round(value, precision=field.decimal_places)
    return value


def checks(target: Model, sums: Mapping[str, Any]) -> Iterator[Q]:
    """The CHECK constraints of the target, asked of the values that the UPDATE would store.

    A row that would break one has drifted. It is left out and evaluated anew, which is better than
    an error in a request that did nothing wrong.
    """
    for constraint in target._meta.constraints:
        if not isinstance(constraint, CheckConstraint):
            continue
        names = {name.split("__")[0] for name in references(constraint.condition, target)}
        if names & sums.keys():
            yield renamed(constraint.condition, lambda name: of_new(name, sums))


def of_new(name: str, sums: Mapping[str, Any]) -> str:
    return NEW + name if name.split("__", maxsplit=1)[0] in sums else name


def touches(model: Model, columns: Iterable[str]) -> dict[str, Any]:
    owned = registry.plan().owned[model]
    names = {owned[column].declaration.touch for column in columns}
    return {name: Now() for name in names if name is not None}
