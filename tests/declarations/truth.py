"""What a declared text means: to the rule, and to a plain ``annotate()``.

The truth shares no code with the library. Each aggregate is evaluated by itself, as the guide
says: a text with one aggregate is annotated as it stands; in one with more, each is a subquery.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import expressions, functions, lookups
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy

from tests.declarations import models as world
from tests.declarations.words import AGGREGATES, Declared

UTC = dt.timezone.utc
NAMES: dict[str, Any] = {
    **{
        name: each
        for module in (expressions, functions, lookups)
        for name, each in vars(module).items()
    },
    **{name: each for name, each in vars(models).items() if not name.startswith("_")},
    **{each.__name__: each for each in (*world.WORLD, world.Quick, world.Kind)},
    "ContentType": ContentType,
    "Decimal": Decimal,
    "EAST": ZoneInfo("Asia/Tokyo"),
    "KT": KT,
    "UTC": UTC,
    "UUID": UUID,
    "WEST": ZoneInfo("America/New_York"),
    "dt": dt,
    "lazy": gettext_lazy,
}
NAMES = {name: each for name, each in NAMES.items() if not name.startswith("__")}
NUMBERS = count()
OPAQUE = ("Subquery(", "RawSQL(")
AGGREGATING = {name for names in AGGREGATES.values() for name in names}


def meaning(text: str, **names: Any) -> Any:
    """The object that a text stands for."""
    # As a user would write it.
    return eval(compile(text, f"<declared {next(NUMBERS)}>", "eval"), {**NAMES, **names})


@lru_cache(maxsize=32)
def compiled(text: str) -> Any:
    return compile(text, "<declared>", "eval")


def meant(rule: Declared) -> Any:
    """The expression whose plain annotation is the truth."""
    code = compiled(rule.text)
    if rule.text.startswith(OPAQUE):  # It is evaluated as it stands.
        return eval(code, {**NAMES})
    found: list[Any] = []

    def noting(kind: Any) -> Any:
        def make(*arguments: Any, **options: Any) -> Any:
            found.append(kind)
            return kind(*arguments, **options)

        return make

    def alone(kind: Any) -> Any:
        def make(*arguments: Any, **options: Any) -> Any:
            keys = [field.attname for field in rule.model._meta.pk_fields]
            itself = {key: models.OuterRef(key) for key in keys}
            group = models.QuerySet(rule.model).filter(**itself).order_by()
            value = group.values(*keys).annotate(alone=kind(*arguments, **options)).values("alone")
            lone = models.Subquery(value)
            if kind is models.Sum and "default" not in options and summed:
                return functions.Coalesce(
                    lone, models.Value(0), output_field=rule.model._meta.get_field(rule.slot.name)
                )
            return lone

        return make

    whole = eval(code, NAMES | {name: noting(NAMES[name]) for name in AGGREGATING})
    summed = not rule.slot.null and adds(whole)
    if len(found) < 2 and not (summed and models.Sum in found):
        return whole
    return eval(code, NAMES | {name: alone(NAMES[name]) for name in AGGREGATING})


def adds(tree: Any) -> bool:
    """Whether it is made of counts and sums by adding only: then no rows are 0 and not NULL."""
    if isinstance(tree, expressions.CombinedExpression):
        return tree.connector in "+-" and adds(tree.lhs) and adds(tree.rhs)
    return isinstance(tree, (models.Count, models.Sum))


def truths(rule: Declared) -> dict[Any, Any]:
    """The value of the rule for each row, by primary key."""
    rows = models.QuerySet(rule.model).order_by().annotate(truth=meant(rule))
    return dict(rows.values_list("pk", "truth"))


def drifts(rule: Declared, expected: dict[Any, Any]) -> list[str]:
    """A line for each row that stores another value."""
    stored = dict(models.QuerySet(rule.model).order_by().values_list("pk", rule.slot.name))
    field = rule.model._meta.get_field(rule.slot.name)
    return [
        f"{rule.model.__name__} {pk}: {rule.slot.name} is {value!r}, but should be {expected[pk]!r}"
        for pk, value in stored.items()
        # A plain annotate() leaves out the rows whose key that must be there names none.
        if pk in expected and not same(value, expected[pk], field)
        if not (expected[pk] is None and not field.null and names_none(rule.model, pk))
    ]


def names_none(model: Any, pk: Any) -> bool:
    """Whether a key of a row that must be there, and has no constraint, names no row: subqueries
    leave nothing of such a row but NULL.
    """
    loose = [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and not (field.null or field.db_constraint)
    ]
    row = models.QuerySet(model).filter(pk=pk)
    return any(
        not models.QuerySet(field.related_model)
        .filter(**{f"{field.target_field.name}__in": row.values(field.attname)})
        .exists()
        for field in loose
    )


def comparable(expected: Any, field: Any) -> Any:
    if isinstance(expected, dt.datetime) and not isinstance(field, models.DateTimeField):
        return expected.date()  # PostgreSQL cuts dates to months as times, in its own zone: UTC.
    value = field.to_python(expected)
    if isinstance(field, models.DateTimeField) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def same(stored: Any, expected: Any, field: Any) -> bool:
    if stored is None or expected is None:
        return stored is expected
    if isinstance(
        field, (models.DateField, models.TimeField)
    ):  # MariaDB gives texts for what it makes of them.
        expected = comparable(expected, field)
    if isinstance(field, models.BooleanField):
        return bool(stored) is bool(expected)
    if isinstance(field, models.JSONField):
        return json.dumps(stored, sort_keys=True) == json.dumps(expected, sort_keys=True)
    if isinstance(field, models.DecimalField):
        # Half of the last place: how it is rounded is the database's.
        last = Decimal(1).scaleb(-field.decimal_places)
        return abs(Decimal(stored) - Decimal(expected)) <= last / 2 + Decimal("1e-9")
    if isinstance(field, models.FloatField):
        # MariaDB averages integers to four places.
        return math.isclose(stored, expected, rel_tol=1e-9, abs_tol=1e-4)
    if isinstance(field, models.IntegerField):  # MariaDB's sums of whole numbers are decimals.
        return bool(stored == expected)
    return type(stored) is type(expected) and stored == expected
