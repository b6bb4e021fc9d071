"""Which fields can hold which values: the checks of a declaration that need no query."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import models
from django.db.models import ExpressionWrapper, Value
from django.db.models.expressions import Col, Combinable, CombinedExpression
from django.db.models.functions.datetime import TruncBase
from django.db.models.sql import Query
from django.utils import timezone

from syncfields import conf
from syncfields.declare.paths import Path
from syncfields.declare.rules import Rule
from syncfields.exceptions import RuleError
from syncfields.sql.fields import converts, saves_in_its_way, stored_as
from syncfields.sql.nulls import may_be_null
from syncfields.sql.proven import WHOLE_NUMBERS, is_one_of
from syncfields.sql.storing import check_form
from syncfields.sql.trees import aggregates, nodes, without_default

FAMILIES: tuple[tuple[str, tuple[type[models.Field[Any, Any]], ...]], ...] = (
    ("boolean", (models.BooleanField,)),
    ("integer", (models.IntegerField,)),
    ("decimal", (models.DecimalField,)),
    ("float", (models.FloatField,)),
    ("text", (models.CharField, models.TextField)),
    ("timestamp", (models.DateTimeField,)),
    ("date", (models.DateField,)),
    ("time", (models.TimeField,)),
    ("duration", (models.DurationField,)),
    ("uuid", (models.UUIDField,)),
    ("json", (models.JSONField,)),
    ("binary", (models.BinaryField,)),
    ("ip address", (models.GenericIPAddressField,)),
)
NUMBERS = {"integer", "decimal", "float"}
# What a column of one family holds without loss.
HOLDS = {"decimal": NUMBERS, "float": NUMBERS}


def family(field: Any) -> str | None:
    return next((name for name, kinds in FAMILIES if isinstance(field, kinds)), None)


# What sums of one family start from.
ZEROS = {"integer": 0, "decimal": 0, "float": 0, "duration": dt.timedelta(0)}


def zero(field: Any) -> Any:
    """The sum over no rows; None where nobody knows it."""
    return ZEROS.get(family(field) or "")


def check_field(rule: Rule) -> None:
    if rule.model._meta.swapped:
        raise RuleError(
            f"{rule.model._meta.label} is swapped out for {rule.model._meta.swapped}, and has no "
            "rows.",
            id="E009",
            hint="Declare the rule on the model that took its place: get_user_model() names it.",
            obj=rule.model,
        )
    try:
        field = rule.model._meta.get_field(rule.field_name)
    except FieldDoesNotExist:
        names = sorted(each.name for each in rule.model._meta.local_concrete_fields)
        raise RuleError(
            f"{rule.label} is no field of its model.",
            id="E009",
            hint=f"A rule keeps a column that is there: {', '.join(names)}.",
            obj=rule.model,
        ) from None
    if (
        not field.concrete
        or field.primary_key
        or field.is_relation
        or getattr(field, "generated", False)
    ):
        raise RuleError(
            f"{rule.label} cannot be a synced field.",
            id="E009",
            hint="A rule needs a stored column of its own: no primary key, relation, generated or "
            "virtual field.",
            obj=rule.model,
        )
    if not is_own(field, rule.model):
        raise RuleError(
            f"{rule.label} is a column of {field.model._meta.label}, from which "
            f"{rule.model._meta.label} inherits.",
            id="E009",
            hint=f"Declare the rule on {field.model._meta.label}, or give {rule.model._meta.label} "
            "a field of its own.",
            obj=rule.model,
        )
    if hook := saves_in_its_way(field):
        raise RuleError(
            f"{rule.label} is a {type(field).__name__}, which decides by itself what is stored "
            f"when a row is saved: {hook}.",
            id="E019",
            hint="Give the rule a field that stores what it is given, without hooks for saving of "
            "its own; for the name of a file, a CharField.",
            obj=rule.model,
        )


def is_own(field: Any, model: type[models.Model]) -> bool:
    """Whether the column is in the model's own table, and not in one of a multi-table parent."""
    return field in model._meta.local_concrete_fields


def check_options(rule: Rule) -> None:
    tracking, touch = rule.declaration.tracking, rule.declaration.touch
    if tracking not in (None, *conf.choices()["TRACKING"]):
        raise RuleError(
            f"{rule.label} has tracking={tracking!r}.",
            id="E013",
            hint='Use tracking="database" or tracking="memory".',
            obj=rule.model,
        )
    if touch is None:
        return
    try:
        touched: Any = rule.model._meta.get_field(touch)
    except FieldDoesNotExist:
        touched = None
    if family(touched) != "timestamp" or not is_own(touched, rule.model):
        raise RuleError(
            f"{rule.label} has touch={touch!r}, which is no DateTimeField of "
            f"{rule.model._meta.label}.",
            id="E013",
            hint="Name a DateTimeField of the same model, which it has not inherited from another "
            "table.",
            obj=rule.model,
        )


def check_value(rule: Rule, resolved: Any, paths: Mapping[str, Path]) -> None:
    """Raise ``RuleError`` where the field cannot hold what the expression gives."""
    field = rule.field
    if not field.null and may_be_null(resolved, paths):
        raise RuleError(
            f"{rule.label} cannot be NULL, but its expression can.",
            id="E003",
            hint="Set null=True on the field, or give the expression a default: "
            "Max(..., default=...), Coalesce(..., ...).",
            obj=rule.model,
        )
    check_defaults(rule)
    try:
        output = resolved.output_field
    except AttributeError:
        return
    except FieldError as error:
        raise RuleError(
            f"It is not known which type the expression of {rule.label} gives: {error}",
            id="E004",
            hint="Let its parts have the same type, or set output_field.",
            obj=rule.model,
        ) from error
    given, taken = family(output), family(field)
    if given and taken and given != taken and given not in HOLDS.get(taken, ()):
        raise RuleError(
            f"{rule.label} is a {type(field).__name__}, but its expression gives a "
            f"{type(output).__name__}.",
            id="E004",
            hint="Change the type of the field, or wrap the expression in Cast().",
            obj=rule.model,
        )
    check_form(rule, output)
    check_zone(rule, resolved)
    if taken == "text" and field.max_length and isinstance(resolved, Col):
        longest = stored_as(resolved.target).max_length
        if longest is None or longest > field.max_length:
            raise RuleError(
                f"{rule.label} holds {field.max_length} characters, but it copies "
                f"{resolved.target.model._meta.label}.{resolved.target.name} with "
                f"{longest or 'any number'}.",
                id="E005",
                hint="Give both the same max_length.",
                obj=rule.model,
            )


def check_zone(rule: Rule, resolved: Any) -> None:
    """Raise ``RuleError`` where the value is a time of day that is no point of time."""
    while isinstance(resolved, ExpressionWrapper):
        resolved = resolved.expression
    if not isinstance(resolved, TruncBase) or family(resolved.output_field) != "timestamp":
        return
    zone = resolved.tzinfo or timezone.get_default_timezone()
    if settings.USE_TZ and str(zone) != "UTC":
        raise RuleError(
            f"The expression of {rule.label} truncates to a time in {zone}, which the database "
            "cannot store: Django makes it of what the database gives.",
            id="E023",
            hint="Truncate in UTC, by tzinfo=datetime.timezone.utc, or to a date, by TruncDate().",
            obj=rule.model,
        )


def check_defaults(rule: Rule) -> None:
    """Raise ``RuleError`` where an aggregate's default is of another type than its values."""
    for aggregate in aggregates(rule.expression):
        default = getattr(aggregate, "default", None)
        constant = default if isinstance(default, Value) else Value(default)
        if default is None or (default is not constant and hasattr(default, "resolve_expression")):
            continue
        query = Query(rule.model)
        bare = without_default(aggregate).resolve_expression(query, allow_joins=True, reuse=None)
        given = family(getattr(constant, "_output_field_or_none", None))
        values = family(getattr(bare, "_output_field_or_none", None))
        if given and values and given != values and not {given, values} <= NUMBERS:
            raise RuleError(
                f"The default of {type(aggregate).__name__} in {rule.label} is "
                f"{constant.value!r}, but its values are of a "
                f"{type(bare.output_field).__name__}.",
                id="E004",
                hint="Give a default of the same type, for instance timedelta(0).",
                obj=rule.model,
            )


def stores_unchanged(resolved: Any, field: Any) -> bool:
    """Whether the field gives back each value of the expression just as it is, so that a value that
    leaves can be compared with the stored one: both of one family, not rounded, not cut, and
    compared by the same collation. What a number is said to be says nothing of what is computed: a
    quotient has other digits where it is read than where it is stored.
    """
    kinds = {family(resolved.output_field), family(field)}
    if len(kinds) > 1 or None in kinds or converts(resolved.output_field):
        return False
    if kinds <= {"integer", "decimal"}:
        places = scale(resolved)
        return places is not None and places <= getattr(field, "decimal_places", 0)
    if kinds == {"float"}:
        return isinstance(resolved, Col)
    if any(isinstance(node, CombinedExpression) and divides(node) for node in nodes(resolved)):
        return False
    columns = [node.target for node in nodes(resolved) if isinstance(node, Col)]
    return not any(getattr(each, "db_collation", None) for each in (field, *columns))


def divides(node: CombinedExpression) -> bool:
    return node.connector not in (Combinable.ADD, Combinable.SUB, Combinable.MUL)


def is_exact(field: Any) -> bool:
    """Whether adding to the column and taking back gives the same value again."""
    return family(field) in ("integer", "decimal") and not converts(field)


def sums_exactly(resolved: Any, field: Any) -> bool:
    """Whether a sum of the resolved expression can be kept in the field by adding differences."""
    places = scale(resolved)
    if places is None or not is_exact(field):
        return False
    return places <= (field.decimal_places if family(field) == "decimal" else 0)


def scale(node: Any) -> int | None:
    """How many decimal places the values have at the most; None where that is not certain."""
    if isinstance(node, Col):
        if converts(node.target):
            return None
        if family(node.target) == "integer":
            return 0
        field: Any = node.target
        return field.decimal_places if family(field) == "decimal" else None
    if isinstance(node, Value):
        if isinstance(node.value, bool) or not isinstance(node.value, (int, Decimal)):
            return 0 if node.value is None else None
        exponent = Decimal(node.value).as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else None
    if is_one_of(node, WHOLE_NUMBERS):
        return 0
    if isinstance(node, CombinedExpression):
        sides = [scale(node.lhs), scale(node.rhs)]
        if None in sides:
            return None
        if node.connector in (Combinable.ADD, Combinable.SUB):
            return max(sides)  # type: ignore[type-var]
        return sum(sides) if node.connector == Combinable.MUL else None  # type: ignore[arg-type]
    return None
