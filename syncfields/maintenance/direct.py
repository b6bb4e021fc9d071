"""The short way, for one row that holds the key of its target and everything else that counts.

What such a row contributes follows from its own columns. Where a condition or an amount is a plain
value of a plain field, the instance that was just saved says it (``Folded``); the database
evaluates everything else.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Aggregate, Case, Count, F, Q, When
from django.db.models.constants import LOOKUP_SEP

from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.paths import Dependency, Model, column
from syncfields.trees import condition_of, name_of, references, renamed

UNKNOWN = object()
ORDER = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
# Text is equal in every collation if it is equal in Python, but not the other way round.
SAME_BY_BYTES = ("postgresql", "sqlite")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one row adds to one synced field, over the row's own model."""

    attname: str
    sign: int
    condition: Q | None
    amount: Any
    """An expression; None stands for 1."""
    counted: str | None
    """The column that must not be NULL for a row to count."""

    @property
    def expression(self) -> Any:
        """The contribution; NULL where the row does not count."""
        amount = models.Value(1) if self.amount is None else self.amount
        conditions = Q() if self.condition is None else self.condition
        if self.counted is not None:
            conditions &= Q((f"{self.counted}__isnull", False))
        return Case(When(conditions, then=amount)) if conditions else amount


@dataclass(frozen=True, slots=True, eq=False)
class Direct:
    """How one maintenance sees a single row of a source model."""

    maintenance: Maintenance
    key: str
    """The column that holds the target's primary key."""
    columns: frozenset[str]
    parts: tuple[Part, ...]


def direct(maintenance: Maintenance, dependency: Dependency) -> Direct | None:
    """The short way for a dependency, if there is one."""
    hops = dependency.path.hops
    if len(hops) != 1 or hops[0].forward or hops[0].generic:
        return None
    others = [each for each in maintenance.dependencies if each is not dependency]
    if any(each.columns or each.path.hops for each in others):
        return None
    ((near, key),) = hops[0].columns if len(hops[0].columns) == 1 else (("", ""),)
    if near != maintenance.target._meta.pk.attname:
        return None
    if isinstance(maintenance, Delta):
        found = [
            part_of(dependency, term.aggregate, term.attname, term.sign)
            for term in maintenance.terms
        ]
    elif isinstance(maintenance, Extreme):
        found = [part_of(dependency, maintenance.aggregate, maintenance.attname, 0)]
    elif isinstance(maintenance, Recompute):
        found = []
    else:
        return None
    if None in found:
        return None
    parts = tuple(part for part in found if part is not None)
    return Direct(maintenance, key, dependency.columns | {key}, parts)


def part_of(dependency: Dependency, aggregate: Aggregate, attname: str, sign: int) -> Part | None:
    """An aggregate over ``comments__score``, as the comment itself sees it."""
    prefix, model = dependency.path.hops[0].name, dependency.model
    source: Any = aggregate.get_source_expressions()[0]
    condition = condition_of(aggregate)
    if condition is not None and not isinstance(condition, Q):
        return None
    for part in (source, condition):
        for name in references(part, dependency.path.target) if part is not None else ():
            if name.split(LOOKUP_SEP)[0] != prefix:
                return None

    def rename(name: str) -> str:
        rest = name.removeprefix(prefix).removeprefix(LOOKUP_SEP) or "pk"
        known = rest.split(LOOKUP_SEP)[0] in ("pk", *model._meta._forward_fields_map)  # type: ignore[attr-defined]
        return rest if known else f"pk{LOOKUP_SEP}{rest}"

    here = None if condition is None else renamed(condition, rename)
    source = renamed(source, rename)
    if not isinstance(aggregate, Count):
        return Part(attname, sign, here, source, None)
    if not isinstance(source, F):
        return None
    if name_of(source) == "pk":
        return Part(attname, sign, here, None, None)
    field = column(model, name_of(source))
    return Part(attname, sign, here, None, field.attname if field.null else None)


# Folding ---------------------------------------------------------------------------------------


def fold(part: Part, model: Model, row: Mapping[str, Any], vendor: str) -> Any:
    """What a row contributes, as far as its values in memory say it for certain.

    A number; an expression where only the amount is left to the database; or ``UNKNOWN``.
    """
    counts = True if part.condition is None else holds(part.condition, model, row, vendor)
    if counts is False:
        return None if part.sign == 0 else 0
    if counts is None:
        return UNKNOWN
    if part.counted is not None:
        value = given(model, part.counted, row)
        return value if value is UNKNOWN else int(value is not None)
    if part.amount is None:
        return 1
    if isinstance(part.amount, models.Value) and isinstance(part.amount.value, (int, Decimal)):
        return part.amount.value
    name = name_of(part.amount) if type(part.amount) is F else LOOKUP_SEP
    if LOOKUP_SEP not in name:
        amount = plain(model, name, row)
        if amount is None and part.sign != 0:
            return 0
        if amount is not UNKNOWN and not isinstance(amount, bool):
            return amount
    return part.expression


def holds(condition: Q, model: Model, row: Mapping[str, Any], vendor: str) -> bool | None:
    """Whether a row meets a condition; None where Python cannot be certain."""
    if not condition.children:
        return None
    results = [
        one_holds(child, model, row, vendor)
        if isinstance(child, tuple)
        else (holds(child, model, row, vendor) if isinstance(child, Q) else None)
        for child in condition.children
    ]
    if condition.connector == Q.AND:
        result = False if False in results else (None if None in results else True)
    elif condition.connector == Q.OR:
        result = True if True in results else (None if None in results else False)
    else:
        result = None
    return not result if condition.negated and result is not None else result


def one_holds(child: tuple[str, Any], model: Model, row: Mapping[str, Any], vendor: str) -> Any:
    name, _, lookup = child[0].partition(LOOKUP_SEP)
    wanted = child[1]
    if lookup == "isnull":
        value = given(model, name, row)
        return None if value is UNKNOWN else (value is None) == wanted
    value = plain(model, name, row)
    # NULL makes a comparison neither true nor false, and Django's negation looks into that.
    if value is UNKNOWN or value is None or type(value) is not type(wanted):
        return None
    if isinstance(value, datetime) and (value.tzinfo is None) != (wanted.tzinfo is None):
        return None
    if lookup in ORDER and not isinstance(value, str):
        return bool(ORDER[lookup](value, wanted))
    if lookup not in ("", "exact"):
        return None
    if value == wanted:
        return True
    return False if not isinstance(value, str) or vendor in SAME_BY_BYTES else None


def plain(model: Model, name: str, row: Mapping[str, Any]) -> Any:
    """The value of a column, if it is stored just as it is in memory, else ``UNKNOWN``."""
    value = given(model, name, row)
    if value is None or value is UNKNOWN:
        return value
    field: Any = model._meta.pk if name == "pk" else column(model, name)
    if type(value) is bool and type(field) is models.BooleanField:
        return value
    if type(value) is int and isinstance(field, models.IntegerField):
        return value if type(field).__module__ == "django.db.models.fields" else UNKNOWN
    if type(value) is str and type(field) in (models.CharField, models.TextField):
        return UNKNOWN if field.db_collation or "\x00" in value else value
    if type(value) is int and type(field) is models.DecimalField:
        return value
    if type(value) is Decimal and type(field) is models.DecimalField:
        exponent = value.as_tuple().exponent
        fits = isinstance(exponent, int) and -exponent <= field.decimal_places
        return value if fits else UNKNOWN
    if type(value) is datetime and type(field) is models.DateTimeField:
        return value if value.tzinfo is not None or not settings.USE_TZ else UNKNOWN
    if type(value) is date and type(field) is models.DateField:
        return value
    return UNKNOWN


def given(model: Model, name: str, row: Mapping[str, Any]) -> Any:
    """The value of a column in memory; ``UNKNOWN`` where the database will make it."""
    try:
        field: Any = model._meta.pk if name == "pk" else column(model, name)
    except FieldDoesNotExist:
        return UNKNOWN
    if not field.concrete or field.generated:
        return UNKNOWN
    value = row.get(field.attname, UNKNOWN)
    return UNKNOWN if hasattr(value, "resolve_expression") else value
