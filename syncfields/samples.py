"""A row as it might be in memory, to ask whether memory says what such a row contributes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.constants import LOOKUP_SEP

from syncfields.fields import UNKNOWN
from syncfields.maintenance.direct import Part
from syncfields.paths import Model, column
from syncfields.single import fold

SAMPLES: tuple[tuple[type[models.Field[Any, Any]], Any], ...] = (
    (models.BooleanField, True),
    (models.IntegerField, 1),
    (models.CharField, "text"),
    (models.TextField, "text"),
    (models.DecimalField, Decimal(1)),
    (models.DateTimeField, datetime(2000, 1, 1, tzinfo=timezone.utc)),
    (models.DateField, date(2000, 1, 1)),
)


def contribution(part: Part, model: Model, using: str) -> Any:
    """What memory says that a row contributes which counts, as far as that is plain."""
    row = {each.attname: sample(each) for each in model._meta.concrete_fields}
    for name, wanted in plain_conditions(part.condition or Q()):
        row[column(model, name).attname] = wanted
    return fold(part, model, row, using)


def is_known(found: Any) -> bool:
    return found is not UNKNOWN and not hasattr(found, "resolve_expression")


def sample(given: Any) -> Any:
    if given.is_relation:
        return sample(given.target_field)
    return next((value for kind, value in SAMPLES if isinstance(given, kind)), object())


def plain_conditions(condition: Q) -> Iterator[tuple[str, Any]]:
    for child in condition.children if not condition.negated else ():
        if isinstance(child, Q):
            yield from plain_conditions(child)
        elif isinstance(child, tuple):
            name, _, lookup = child[0].partition(LOOKUP_SEP)
            if name == "pk":
                continue
            if lookup in ("", "exact"):
                yield name, child[1]
            elif lookup == "isnull" and child[1]:
                yield name, None
