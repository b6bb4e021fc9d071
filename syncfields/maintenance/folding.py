"""What one row contributes, as far as its values in memory say it for certain.

A condition or an amount that is a plain value of a plain field needs no database: the instance that
is being saved holds it. Everything else is ``UNKNOWN`` here and evaluated there. The questions are
put together once for each short way, and then only asked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F, Q
from django.db.models.constants import LOOKUP_SEP

from syncfields.maintenance.direct import Part
from syncfields.paths import Model, column
from syncfields.trees import name_of

Ask = Callable[[Mapping[str, Any]], Any]
"""A question to the columns of a row, ``{attname: value}``."""

UNKNOWN = object()
ORDER = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
# Text is equal in every collation if it is equal in Python, but not the other way round.
SAME_BY_BYTES = ("postgresql", "sqlite")


def always(answer: Any) -> Ask:
    return lambda _: answer


def folding(part: Part, model: Model, vendor: str) -> Ask:
    """Asks for a contribution: a number; an expression where only the amount is left to the
    database; None or 0 for nothing; or ``UNKNOWN``.
    """
    amount = amounting(part, model)
    if part.condition is None:
        return amount
    counts = deciding(part.condition, model, vendor)
    nothing = None if part.sign == 0 else 0

    def fold(row: Mapping[str, Any]) -> Any:
        answer = counts(row)
        if answer:
            return amount(row)
        return UNKNOWN if answer is None else nothing

    return fold


def amounting(part: Part, model: Model) -> Ask:
    if part.counted is not None:
        ask = given(model, part.counted)

        def count(row: Mapping[str, Any]) -> Any:
            value = ask(row)
            return value if value is UNKNOWN else int(value is not None)

        return count
    if part.amount is None:
        return always(1)
    if isinstance(part.amount, models.Value) and isinstance(part.amount.value, (int, Decimal)):
        return always(part.amount.value)
    expression = part.expression
    name = name_of(part.amount) if type(part.amount) is F else LOOKUP_SEP
    if LOOKUP_SEP in name:
        return always(expression)
    read, nothing = plain(model, name), None if part.sign == 0 else 0

    def amount(row: Mapping[str, Any]) -> Any:
        value = read(row)
        if value is None:
            return nothing
        return expression if value is UNKNOWN or isinstance(value, bool) else value

    return amount


def deciding(condition: Q, model: Model, vendor: str) -> Ask:
    """Asks whether a row meets a condition: True, False, or None where Python cannot tell."""
    asks = [
        comparing(child, model, vendor)
        if isinstance(child, tuple)
        else (deciding(child, model, vendor) if isinstance(child, Q) else always(None))
        for child in condition.children
    ]
    if not asks or condition.connector not in (Q.AND, Q.OR):
        return always(None)
    decisive = condition.connector == Q.OR
    negated = condition.negated
    if len(asks) == 1 and not negated:
        return asks[0]

    def decide(row: Mapping[str, Any]) -> bool | None:
        answers = [ask(row) for ask in asks]
        if decisive in answers:
            return decisive is not negated
        return None if None in answers else decisive is negated

    return decide


def comparing(child: tuple[str, Any], model: Model, vendor: str) -> Ask:
    name, _, lookup = child[0].partition(LOOKUP_SEP)
    wanted = child[1]
    if lookup == "isnull":
        ask = given(model, name)

        def is_null(row: Mapping[str, Any]) -> bool | None:
            value = ask(row)
            return None if value is UNKNOWN else (value is None) == wanted

        return is_null
    compare = ORDER.get(lookup, operator.eq if lookup in ("", "exact") else None)
    kind, text = type(wanted), isinstance(wanted, str)
    if compare is None or (text and compare is not operator.eq):
        return always(None)
    read, unequal = plain(model, name), None if text and vendor not in SAME_BY_BYTES else False
    naive = getattr(wanted, "tzinfo", None) is None

    def holds(row: Mapping[str, Any]) -> bool | None:
        value = read(row)
        # NULL makes a comparison neither true nor false, and Django's negation looks into that.
        if type(value) is not kind or value is None:
            return None
        if kind is datetime and (value.tzinfo is None) != naive:
            return None
        return True if compare(value, wanted) else unequal

    return holds


def plain(model: Model, name: str) -> Ask:
    """Asks for a column, if it is stored just as it is in memory; else the answer is
    ``UNKNOWN``.
    """
    field = known(model, name)
    if field is None:
        return always(UNKNOWN)
    attname, certain = field.attname, certainty(field)

    def read(row: Mapping[str, Any]) -> Any:
        value = row.get(attname, UNKNOWN)
        return value if value is None or value is UNKNOWN or certain(value) else UNKNOWN

    return read


def certainty(field: Any) -> Callable[[Any], bool]:
    """Tells for which values the field stores just that value."""
    kind = type(field)
    if kind is models.BooleanField:
        return lambda value: type(value) is bool
    if isinstance(field, models.IntegerField) and kind.__module__ == "django.db.models.fields":
        return lambda value: type(value) is int
    if kind in (models.CharField, models.TextField) and not field.db_collation:
        return lambda value: type(value) is str and "\x00" not in value
    if kind is models.DecimalField:
        return lambda value: type(value) is int or fits(value, field.decimal_places)
    if kind is models.DateTimeField:
        return lambda value: (
            type(value) is datetime and (value.tzinfo is not None or not settings.USE_TZ)
        )
    if kind is models.DateField:
        return lambda value: type(value) is date
    return lambda _: False


def fits(value: Any, places: int) -> bool:
    exponent = value.as_tuple().exponent if type(value) is Decimal else None
    return isinstance(exponent, int) and -exponent <= places


def given(model: Model, name: str) -> Ask:
    """Asks for a column; the answer is ``UNKNOWN`` where the database will make it."""
    field = known(model, name)
    if field is None:
        return always(UNKNOWN)
    attname = field.attname

    def read(row: Mapping[str, Any]) -> Any:
        value = row.get(attname, UNKNOWN)
        return UNKNOWN if hasattr(value, "resolve_expression") else value

    return read


def known(model: Model, name: str) -> Any:
    try:
        field: Any = model._meta.pk if name == "pk" else column(model, name)
    except FieldDoesNotExist:
        return None
    return field if field.concrete and not field.generated else None
