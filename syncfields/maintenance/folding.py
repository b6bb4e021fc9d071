"""What one row contributes, as far as its values in memory say it for certain.

The answer equals the database's where ``sql/holding.py`` knows what is stored in each column that
is asked for, and where nothing but this is asked: whether a column is NULL, and whether it compares
with a literal of its own type by one of the lookups in ``COMPARING``; joined by AND, OR and NOT.
Numbers, dates and points of time are ordered by Python as by every database; text is equal if its
characters are, and unequal only where the database compares bytes. A comparison with NULL is never
answered, since what NOT makes of it depends on more than the row. What is added up is a literal
number, or a column. Everything else is ``UNKNOWN`` here and evaluated there. The questions are put
together once for each short way, and then only asked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F, Q, lookups
from django.db.models.constants import LOOKUP_SEP
from django.db.models.fields import related_lookups

from syncfields.declare.paths import Model, column
from syncfields.maintenance.direct import Part
from syncfields.sql.fields import is_in_dict, stored_as
from syncfields.sql.holding import UNKNOWN, Backend, holding, nothing, nulling
from syncfields.sql.trees import name_of

Ask = Callable[[Mapping[str, Any]], Any]
"""A question to the columns of a row, ``{attname: value}``."""

COMPARING: dict[type, Callable[[Any, Any], bool]] = {
    lookups.Exact: operator.eq,
    lookups.GreaterThan: operator.gt,
    lookups.GreaterThanOrEqual: operator.ge,
    lookups.LessThan: operator.lt,
    lookups.LessThanOrEqual: operator.le,
    lookups.IntegerFieldExact: operator.eq,
    lookups.IntegerGreaterThan: operator.gt,
    lookups.IntegerGreaterThanOrEqual: operator.ge,
    lookups.IntegerLessThan: operator.lt,
    lookups.IntegerLessThanOrEqual: operator.le,
    related_lookups.RelatedExact: operator.eq,
    related_lookups.RelatedGreaterThan: operator.gt,
    related_lookups.RelatedGreaterThanOrEqual: operator.ge,
    related_lookups.RelatedLessThan: operator.lt,
    related_lookups.RelatedLessThanOrEqual: operator.le,
}
ASKING_NULL = (lookups.IsNull, related_lookups.RelatedIsNull)
ORDERED = (int, Decimal, date, datetime)
ADDED = (*ORDERED, str)
EQUAL = (*ADDED, bool, UUID)
# Text is equal in every collation if it is equal in Python, but not the other way round.
SAME_BY_BYTES = ("postgresql", "sqlite")


def always(answer: Any) -> Ask:
    return lambda _: answer


def folding(part: Part, model: Model, backend: Backend) -> Ask:
    """Asks for a contribution: a number; an expression where only the amount is left to the
    database; None or 0 for nothing; or ``UNKNOWN``.
    """
    amount = amounting(part, model, backend)
    if part.condition is None:
        return amount
    counts = deciding(part.condition, model, backend)
    nothing = None if part.sign == 0 else 0

    def fold(row: Mapping[str, Any]) -> Any:
        answer = counts(row)
        if answer:
            return amount(row)
        return UNKNOWN if answer is None else nothing

    return fold


def amounting(part: Part, model: Model, backend: Backend) -> Ask:
    if part.counted is not None:
        is_null = given(model, part.counted, backend)

        def count(row: Mapping[str, Any]) -> Any:
            answer = is_null(row)
            return answer if answer is UNKNOWN else int(not answer)

        return count
    if part.amount is None:
        return always(1)
    expression = part.expression
    if type(part.amount) is models.Value:
        number = literal(part.amount.value)
        plain_number = type(number) in (int, Decimal) and "output_field" not in vars(part.amount)
        return always(number if plain_number else expression)
    name = name_of(part.amount) if type(part.amount) is F else LOOKUP_SEP
    if LOOKUP_SEP in name:
        return always(expression)
    read, none = plain(model, name, backend), None if part.sign == 0 else 0

    def amount(row: Mapping[str, Any]) -> Any:
        value = read(row)
        if value is None:
            return none
        return value if type(value) in ADDED else expression

    return amount


def deciding(condition: Q, model: Model, backend: Backend) -> Ask:
    """Asks whether a row meets a condition: True, False, or None where Python cannot tell."""
    asks = [
        comparing(child, model, backend)
        if isinstance(child, tuple)
        else (deciding(child, model, backend) if isinstance(child, Q) else always(None))
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


def comparing(child: tuple[str, Any], model: Model, backend: Backend) -> Ask:
    name, _, lookup = child[0].partition(LOOKUP_SEP)
    field = known(model, name)
    kind = None if field is None else field.get_lookup(lookup or "exact")
    if kind in ASKING_NULL:
        return asking_null(given(model, name, backend), child[1])
    compare = None if kind is None else COMPARING.get(kind)
    wanted = literal(child[1])
    own, text = type(wanted), type(wanted) is str
    if compare is None or own not in (EQUAL if compare is operator.eq else ORDERED):
        return always(None)
    if type(holding(field, backend)(wanted)) is not own:
        return always(None)
    if text and getattr(stored_as(field), "db_collation", None):
        return always(None)
    read = plain(model, name, backend)
    unequal = None if text and backend.vendor not in SAME_BY_BYTES else False

    def holds(row: Mapping[str, Any]) -> bool | None:
        value = read(row)
        # NULL makes a comparison neither true nor false, and Django's negation looks into that.
        if type(value) is not own:
            return None
        return True if compare(value, wanted) else unequal

    return holds


def asking_null(ask: Ask, wanted: bool) -> Ask:
    def is_null(row: Mapping[str, Any]) -> bool | None:
        answer = ask(row)
        return None if answer is UNKNOWN else answer is wanted

    return is_null


def literal(value: Any) -> Any:
    """What a member of Django's own enumerations stands for; else the value itself."""
    if isinstance(value, models.TextChoices):
        return str.__str__(value)
    return int(value) if isinstance(value, models.IntegerChoices) else value


def plain(model: Model, name: str, backend: Backend) -> Ask:
    """Asks for a column as it is stored, if that is known; else the answer is ``UNKNOWN``."""
    return asking(model, name, lambda field: holding(field, backend))


def given(model: Model, name: str, backend: Backend) -> Ask:
    """Asks whether a column is NULL; the answer is ``UNKNOWN`` where the database decides it."""
    return asking(model, name, lambda field: nulling(field, backend))


def asking(model: Model, name: str, question: Callable[[Any], Callable[[Any], Any]]) -> Ask:
    field = known(model, name)
    if field is None or (answer := question(field)) is nothing:
        return always(UNKNOWN)
    attname = field.attname

    def read(row: Mapping[str, Any]) -> Any:
        value = row.get(attname, UNKNOWN)
        return value if value is UNKNOWN else answer(value)

    return read


def known(model: Model, name: str) -> Any:
    """A column that is written just as the instance's ``__dict__`` has it, if it is one."""
    try:
        field: Any = model._meta.pk if name == "pk" else column(model, name)
    except FieldDoesNotExist:
        return None
    if not field.concrete or field.generated or not is_in_dict(field):
        return None
    return field
