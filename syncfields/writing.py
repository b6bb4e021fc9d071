"""The statement that writes targets: what is added to them, what joined or left an extreme, and
what is evaluated anew, in one UPDATE for a batch of rows of one target model.

Those for few rows are compiled once. Of more than two rows to which numbers are added there are as
many as the next power of two, the last one being named again, so that few numbers of rows occur.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import or_
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
from django.db.models.lookups import GreaterThan, In, LessThan

from syncfields import registry, statements
from syncfields.drift import as_stored, ordered
from syncfields.expressions import Tally
from syncfields.locks import locking, reading
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
    settable,
    takes_as_one,
)
from syncfields.updates import Update

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


class AtLeast(Func):
    output_field = BooleanField()
    template = "(%(expressions)s)"
    arg_joiner = " >= "


def write(
    using: str, update: Update, cursor: Any = None, returned: tuple[str, ...] = ()
) -> statements.Written:
    """Send the UPDATE; ``evaluates`` among what it says needs the rows locked before."""
    target, pks = update.target, update.pks
    if not (update.joined or update.evaluates):
        adding = add_numbers if len(pks) <= COMPILED_ROWS else add_many
        added = adding(using, target, pks, update.deltas, cursor, returned)
        if added is not None and added.number:
            return added
    if update.evaluates and not reads_in_update(using):
        update = settled(using, update)
        if not update.names:  # No value that has left was the extreme.
            return statements.Written(len(pks))
    shape = shape_of(using, update, returned)
    if compiles(update):
        values = values_of(update)
        if not any(map(is_expression, values.values())):
            statement = once(shape, lambda: build(shape, Params(target)))
            return statement.written(cursor, **values)
    return build(shape, Values(using, update)).written(cursor)


def compiles(update: Update) -> bool:
    """Whether the statement is compiled once."""
    if len(update.pks) > PAIR or len(update.target._meta.pk_fields) > 1:
        return False
    names = {*update.anew}.union(*update.left.values())
    return not names or names <= steady(update.target)


def steady(target: Model) -> frozenset[str]:
    """The rules whose expressions compile to the same statement at any time: aggregates over one
    path, of which each row says by itself what it contributes, and that is of no generic relation
    (the content type of which has another key for another tenant).
    """

    def find() -> frozenset[str]:
        return frozenset(
            name
            for each in registry.plan().targets[target]
            for name in each.grouped
            if not any(hop.generic for read in each.dependencies for hop in read.path.hops)
        )

    return once(("steady", target), find)


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


def reads_in_update(using: str) -> bool:
    """Whether an UPDATE is to evaluate the expressions by itself.

    MySQL cannot. MariaDB locks the rows that it reads then, which their writers may hold while they
    wait for this target; at READ COMMITTED a SELECT before it does not.
    """
    connection: Any = connections[using]
    if connection.vendor == "mysql" and connection.isolation_level == "read committed":
        return False
    return bool(connection.features.update_can_self_select)


def settled(using: str, update: Update) -> Update:
    """The same with values instead of expressions, which one SELECT evaluates."""
    target, pks = update.target, update.pks
    shape = replace(shape_of(using, update), deltas=())
    names = sorted({*update.anew}.union(*update.left.values()))
    width = len(target._meta.pk_fields)

    def select(given: Params | Values) -> Statement:
        whether, asked_for = asked(shape, given, names)
        values = as_stored(target, asked_for, connections[using].vendor)
        named = {f"_syncfields_{number}": values[name] for number, name in enumerate(names)}
        flags = {f"_syncfields_is_{number}": whether[name] for number, name in enumerate(names)}
        queryset = reading(chosen_plainly(shape, given)).annotate(**named, **flags)
        return statements.select(queryset.values_list("pk", *named, *flags))

    given = values_of(update)
    if compiles(update) and not any(map(is_expression, given.values())):
        found = once(("settled", shape), lambda: select(Params(target))).rows(**given)
    else:
        found = select(Values(using, update)).rows()
    fixed: dict[str, dict[Any, Any]] = defaultdict(dict)
    joined = {pk: dict(row) for pk, row in update.joined.items()}
    for row in found:
        pk = row[0] if width == 1 else row[:width]
        for name, value, is_evaluated in zip(
            names, row[width:], row[width + len(names) :], strict=False
        ):
            if is_evaluated:
                fixed[name][pk] = value
                joined.get(pk, {}).pop(name, None)
    # Rows of which nothing is written are named all the same, as they are counted.
    kept = {pk: update.deltas.get(pk, {}) for pk in pks}
    return Update(target, kept, joined, fixed=fixed)


def asked(
    shape: Shape, given: Params | Values, names: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """For each field whether it is evaluated anew, and the value if it is."""
    anew, extremes = dict(shape.anew), {each.name: each for each in shape.extremes}
    whether, values = {}, {}
    for name in names:
        conditions = [given.among(anew[name])] if name in anew else []
        if (extreme := extremes.get(name)) is not None:
            conditions += leaving(shape.using, given, extreme)
        when = reduce(or_, conditions)
        expression = settable(shape.target, values_kept(shape.target)[name])
        field = column(shape.target, name)
        for_all = not when
        values[name] = (
            expression if for_all else Case(When(when, then=expression), output_field=field)
        )
        whether[name] = (
            Value(True) if for_all else Case(When(when, then=Value(True)), default=Value(False))
        )
    return whether, values


def add_numbers(
    using: str,
    target: Model,
    pks: Sequence[Any],
    deltas: Mapping[Any, Mapping[str, Any]],
    cursor: Any = None,
    returned: tuple[str, ...] = (),
) -> statements.Written | None:
    """The most frequent shape, numbers for the same columns of few rows, asked for without building
    its ``Shape``. None if it is another shape.
    """
    if len(pks) > PAIR:
        pks = [*pks, *[pks[-1]] * (2 ** (len(pks) - 1).bit_length() - len(pks))]
    names, values, falling = deltas[pks[0]].keys(), {}, set()
    for number, pk in enumerate(pks):
        row = deltas[pk]
        if row.keys() != names:
            return None
        values[f"pk {number}"] = pk
        for name, amount in row.items():
            if type(amount) not in NUMBERS:
                return None
            values[f"{name} {number}"] = amount
            if amount < 0:
                falling.add(name)
    key = ("add", using, target, len(pks), (*names,), frozenset(falling), returned)
    statement = once(key, lambda: of_numbers(using, target, len(pks), names, falling, returned))
    return statement.written(cursor, **values) if statement is not None else None


def of_numbers(
    using: str,
    target: Model,
    number: int,
    names: Iterable[str],
    falling: Collection[str],
    returned: tuple[str, ...],
) -> Statement | None:
    """The statement, unless it needs several columns to find its row."""
    if len(target._meta.pk_fields) > 1:
        return None
    deltas = tuple((name, (True,) * number, name in falling) for name in sorted(names))
    shape = Shape(using, target, number, deltas, returned=returned)
    return build(shape, Params(target))


def add_many(
    using: str,
    target: Model,
    pks: Sequence[Any],
    deltas: Mapping[Any, Mapping[str, Any]],
    cursor: Any = None,
    returned: tuple[str, ...] = (),
) -> statements.Written | None:
    """Numbers for any number of rows: those to which the same is added are given as one value.
    None if it is another shape.
    """
    if not takes_as_one(using) or in_lookup(using, target, pks) != Among.lookup_name:
        return None
    alike: dict[str, dict[Any, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for pk in pks:
        for name, amount in deltas[pk].items():
            if type(amount) not in NUMBERS:
                return None
            alike[name][amount].append(pk)
    shapes, values = [], {"pks": pks}
    for name, amounts in sorted(alike.items()):
        is_for_all = len(pks) == sum(map(len, amounts.values()))
        # Rows without an amount fall through to the last branch, which then must add nothing.
        least = len(amounts) + (not is_for_all)
        branches = [*amounts.items()]
        branches += [(0, [])] * (2 ** (least - 1).bit_length() - len(amounts))
        if len(branches) > COMPILED_ROWS:
            return None
        for number, (amount, chosen) in enumerate(branches):
            values |= {f"{name} {number}": amount, f"pks {name} {number}": chosen}
        mask = () if is_for_all and len(amounts) == 1 else (True,) * len(branches)
        shapes.append((name, mask, min(amounts) < 0))
    shape = Shape(using, target, ANY, tuple(shapes), returned=returned)
    return once(shape, lambda: build(shape, Lists(target))).written(cursor, **values)


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


def numbers_of(mask: Sequence[bool]) -> list[int]:
    return [number for number, concerned in enumerate(mask) if concerned]


def build(shape: Shape, given: Params | Values) -> Statement:
    target, guards = shape.target, Q()
    owned = registry.plan().owned[target]
    sums: dict[str, Any] = {}
    for name, mask, may_fall in shape.deltas:
        field = owned[name].field
        amount = per_row(given, name, mask, field)
        if isinstance(owned[name].expression, Tally):
            sums[name] = exact(shape, field, Coalesce(F(name), 0, output_field=field) + amount)
            continue
        sums[name] = exact(shape, field, F(name) + amount)
        if may_fall and isinstance(field, PositiveIntegerRelDbTypeMixin):
            # Not "value + delta >= 0": MariaDB fails on the way to a negative unsigned number.
            least = per_row(given, name, mask, field, sign=-1)
            guards &= Q(AtLeast(F(name), least))
        if field.null:
            guards &= Q((f"{name}__isnull", False))
    touched = touches(target, [name for name, _, _ in shape.deltas])
    # First, because MariaDB and MySQL assign from left to right, and these compare old values.
    first = improving(shape, given, touched)
    queryset = chosen(shape, given).filter(guards)
    for condition in checks(target, sums):
        queryset = queryset.alias(**{NEW + name: value for name, value in sums.items()})
        queryset = queryset.filter(condition)
    values = first | dict(evaluated_values(shape, given)) | sums | touched
    return statements.update(queryset, values, shape.returned)


def evaluated_values(shape: Shape, given: Params | Values) -> Iterator[tuple[str, Any]]:
    """The fields that are not added to, each with the expression that it is set to."""
    owned, values = registry.plan().owned[shape.target], values_kept(shape.target)
    anew, fixed = dict(shape.anew), dict(shape.fixed)
    extremes = {each.name: each for each in shape.extremes}
    for name in sorted({*anew, *fixed, *extremes}):
        whens: list[tuple[Any, Any]] = []
        if name in anew:
            whens.append((given.among(anew[name]), settable(shape.target, values[name])))
        for number in numbers_of(fixed.get(name, ())):
            condition = Q() if shape.rows == 1 else Q(pk=given.pk(number))
            whens.append((condition, given.fixed(name, number)))
        if (extreme := extremes.get(name)) is not None:
            if any(extreme.left):
                may_have_left = reduce(or_, leaving(shape.using, given, extreme))
                whens.append((may_have_left, settable(shape.target, values[name])))
            whens += joining(given, extreme)
        condition, value = whens[0]
        if condition:
            cases = (When(condition, then=value) for condition, value in whens)
            value = Case(*cases, default=F(name), output_field=owned[name].field)
        yield name, value


def values_kept(target: Model) -> Mapping[str, Any]:
    """The expressions of all rules of a target."""
    found = registry.plan().targets[target]
    return once(
        ("values", target),
        lambda: {name: value for each in found for name, value in each.values.items()},
    )


def improving(shape: Shape, given: Params | Values, touched: Collection[str]) -> dict[str, Any]:
    """The fields that are touched where a value has improved an extreme."""
    improved: dict[str, list[When]] = defaultdict(list)
    for extreme in shape.extremes:
        for touch in touches(shape.target, [extreme.name]).keys() - touched:
            improved[touch] += (When(each, then=Now()) for each, _ in joining(given, extreme))
    return {touch: Case(*whens, default=F(touch)) for touch, whens in improved.items()}


def chosen_plainly(shape: Shape, given: Params | Values) -> QuerySet[Any]:
    """The rows that are written."""
    if shape.rows == 1:
        return rows(shape.target, shape.using).filter(pk=given.pk(0))
    if isinstance(given, Lists):
        return rows(shape.target, shape.using).filter(given.listed("pks"))
    if isinstance(given, Params):
        # Not pk__in, which takes no expressions where it is a relation.
        pks = [given.pk(number) for number in range(shape.rows)]
        return rows(shape.target, shape.using).filter(In(F("pk"), pks))
    return rows_with(shape.target, shape.using, given.pks)


def chosen(shape: Shape, given: Params | Values) -> QuerySet[Any]:
    """The rows to update; their locks are taken in the order of their keys."""
    queryset = chosen_plainly(shape, given)
    # PostgreSQL updates in whatever order it scans. MariaDB and MySQL follow the primary key.
    if shape.rows != 1 and connections[shape.using].vendor == "postgresql":
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


def joining(given: Params | Values, extreme: Extreme) -> Iterator[tuple[Q, Any]]:
    """For each value that joins an extreme: when it is the better one, and the value."""
    name, worse = extreme.name, "lt" if extreme.better == "gt" else "gt"
    for number in numbers_of(extreme.joined):
        amount = given.amount(name, number)
        beaten = Q((f"{name}__isnull", True)) | Q((f"{name}__{worse}", amount))
        yield Q(pk=given.pk(number)) & beaten, amount


def leaving(using: str, given: Params | Values, extreme: Extreme) -> Iterator[Any]:
    """For each value that leaves an extreme: the condition that it may have been that."""
    for number in numbers_of(extreme.left):
        old = given.old(extreme.name, number)
        yield Q(pk=given.pk(number)) & ~stays(using, old.output_field, extreme, old)


def stays(using: str, field: Any, extreme: Extreme, old: Any) -> Q:
    """The condition that the stored value is better than one that leaves."""
    vendor = connections[using].vendor
    stored, left = (ordered(field, each, vendor) for each in (F(extreme.name), old))
    beats = (GreaterThan if extreme.better == "gt" else LessThan)(stored, left)
    return Q(beats, (f"{extreme.name}__isnull", False))


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
