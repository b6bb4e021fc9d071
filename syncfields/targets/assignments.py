"""What an UPDATE of targets sets: what is added, what joined or left an extreme, and what is
evaluated anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

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
from django.db.models.lookups import GreaterThan, LessThan

from syncfields.declare.expressions import Tally
from syncfields.declare.paths import Model, column
from syncfields.plan import registry
from syncfields.sql import statements
from syncfields.sql.databases import vendor_of
from syncfields.sql.locks import locking
from syncfields.sql.once import once
from syncfields.sql.rows import one_of, rows, rows_given, rows_with
from syncfields.sql.statements import Statement
from syncfields.sql.trees import references, renamed, settable
from syncfields.targets.drift import ordered
from syncfields.targets.shapes import Extreme, Lists, Params, Shape, Values

NEW = "_syncfields_new_"


class AtLeast(Func):
    output_field = BooleanField()
    template = "(%(expressions)s)"
    arg_joiner = " >= "


class Negated(Func):
    template = "-(%(expressions)s)"
    output_field = IntegerField()


def build(
    shape: Shape, given: Params | Values, evaluated: Mapping[str, Any] | None = None
) -> Statement:
    """``evaluated``: what fields are set to that are evaluated anew, if not their expressions."""
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
    if evaluated is None:
        evaluated = values_kept(target)
    values = first | dict(evaluated_values(shape, given, evaluated, sums))
    values |= {name: value for name, value in sums.items() if name not in values} | touched
    return statements.update(queryset, values, shape.returned)


def evaluated_values(
    shape: Shape, given: Params | Values, values: Mapping[str, Any], sums: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The fields that are evaluated in some rows, each with the expression that it is set to.
    ``sums``: what fields are set to in rows to which is added.
    """
    owned = registry.plan().owned[shape.target]
    anew, fixed = dict(shape.anew), dict(shape.fixed)
    extremes = {each.name: each for each in shape.extremes}
    for name in sorted({*anew, *fixed, *extremes}):
        whens: list[tuple[Any, Any]] = []
        if name in anew:
            whens.append((given.among(anew[name]), settable(shape.target, values[name])))
        whens += given.fixed(name, fixed.get(name, ()))
        if (extreme := extremes.get(name)) is not None:
            if any(extreme.left):
                may_have_left = reduce(or_, leaving(shape.using, given, extreme))
                whens.append((may_have_left, settable(shape.target, values[name])))
            whens += joining(given, extreme)
        condition, value = whens[0]
        if condition:
            cases = (When(condition, then=value) for condition, value in whens)
            value = Case(*cases, default=sums.get(name, F(name)), output_field=owned[name].field)
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


def chosen_plainly(shape: Shape, given: Params | Values) -> QuerySet[Any]:
    """The rows that are written."""
    if shape.rows == 1:
        return rows(shape.target, shape.using).filter(pk=given.pk(0))
    if isinstance(given, Lists):
        return rows(shape.target, shape.using).filter(given.listed("pks"))
    if isinstance(given, Params):
        pks = [given.pk(number) for number in range(shape.rows)]
        return rows_given(shape.target, shape.using, pks)
    return rows_with(shape.target, shape.using, given.pks)


def chosen(shape: Shape, given: Params | Values) -> QuerySet[Any]:
    """The rows to update; their locks are taken in the order of their keys."""
    queryset = chosen_plainly(shape, given)
    # PostgreSQL updates in whatever order it scans. MariaDB and MySQL follow the primary key.
    if shape.rows != 1 and not shape.locked and vendor_of(shape.using) == "postgresql":
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


def joining(given: Params | Values, extreme: Extreme) -> Iterator[tuple[Q, Any]]:
    """For each value that joins an extreme: when it is the better one, and the value."""
    name, worse = extreme.name, "lt" if extreme.better == "gt" else "gt"
    for condition, value in given.joined(name, extreme.joined):
        beaten = Q((f"{name}__isnull", True)) | Q((f"{name}__{worse}", value))
        yield condition & beaten, value


def leaving(using: str, given: Params | Values, extreme: Extreme) -> Iterator[Any]:
    """For each value that leaves an extreme: the condition that it may have been that."""
    for condition, old in given.left(extreme.name, extreme.left):
        yield condition & ~stays(using, old.output_field, extreme, old)


def stays(using: str, field: Any, extreme: Extreme, old: Any) -> Q:
    """The condition that the stored value is better than one that leaves."""
    vendor = vendor_of(using)
    stored, left = (ordered(field, each, vendor) for each in (F(extreme.name), old))
    beats = (GreaterThan if extreme.better == "gt" else LessThan)(stored, left)
    return Q(beats, (f"{extreme.name}__isnull", False))


def exact(shape: Shape, field: Any, value: Any) -> Any:
    """SQLite adds decimals as floats: rounding each sum keeps the error from growing."""
    if isinstance(field, DecimalField) and vendor_of(shape.using) == "sqlite":
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
