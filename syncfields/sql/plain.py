"""What is stored again as it was read: the fields and the types of values of which it is proven."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models

from syncfields.sql.fields import stored_as
from syncfields.sql.holding import takes_none


def is_plain(field: Any, value: Any) -> bool:
    """Whether a value that was read is of a type that the field's column holds as it is."""
    kind: Any = type(field)
    kinds = kinds_of(kind)
    if value is None or kinds is None:
        return True
    naive = type(value) is datetime and value.tzinfo is None
    return type(value) in kinds and not (naive and settings.USE_TZ)


@cache
def kinds_of(field: type) -> tuple[type, ...] | None:
    return next((types for kind, types in PLAIN.items() if issubclass(field, kind)), None)


def is_unclear(field: Any, value: Any) -> bool:
    """Whether the column may hold something else than the value that was read: it is of another
    type, or rounded, or the null of JSON, which is read as NULL is.
    """
    if value is None:
        return reads_none(field)
    return not is_plain(field, value) or (type(value) is Decimal and is_rounded(field, value))


def is_read_as_stored(field: Any, value: Any) -> bool:
    """Whether it is proven that what Python has read of a column is stored again as it was.

    Not so elsewhere: of dates PostgreSQL makes times, and of points of time those of a zone that it
    leaves out; JSON may be read by code of the user.
    """
    if value is None:
        return takes_none(field)
    stored = stored_as(field)
    return type(stored) in PLAIN and is_plain(stored, value)


def is_rounded(field: Any, value: Decimal) -> bool:
    """Whether the column has fewer decimal places."""
    if not isinstance(field, models.DecimalField):
        return False
    exponent = value.as_tuple().exponent
    return not isinstance(exponent, int) or -exponent > field.decimal_places


# The types of values that are stored as they are, by the class of the field.
PLAIN: dict[type[models.Field[Any, Any]], tuple[type, ...]] = {
    models.AutoField: (int,),
    models.BigAutoField: (int,),
    models.BooleanField: (bool,),
    models.SmallAutoField: (int,),
    models.SmallIntegerField: (int,),
    models.IntegerField: (int,),
    models.BigIntegerField: (int,),
    models.PositiveSmallIntegerField: (int,),
    models.PositiveIntegerField: (int,),
    models.PositiveBigIntegerField: (int,),
    models.DecimalField: (int, Decimal),
    models.FloatField: (int, float),
    models.CharField: (str,),
    models.SlugField: (str,),
    models.EmailField: (str,),
    models.URLField: (str,),
    models.TextField: (str,),
    models.DateTimeField: (datetime,),
    models.DateField: (date,),
    models.TimeField: (time,),
    models.DurationField: (timedelta,),
    models.UUIDField: (UUID,),
}


TYPES = frozenset(kind for kinds in PLAIN.values() for kind in kinds)


def reads_none(field: Any) -> bool:
    """Whether None may be read of a column that is not NULL."""
    return isinstance(stored_as(field), models.JSONField)
