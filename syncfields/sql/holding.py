"""What is proven of columns: the one place that says what one holds that was given a value.

An instance holds what it was given, not what is stored: fields convert on the way to the database,
and so do databases. Here are the fields of which that is known, by their exact class (a subclass
may have any of the hooks of a field), and the values, by their exact type. It holds for the
databases named in ``VENDORS``, with columns that Django made, and in strict mode on MySQL and
MariaDB. Of everything else the answer is ``UNKNOWN``, and the row is asked.

Each entry says why it is there. The tests give every field of Django every form of value, and read
the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connections, models
from django.db.backends.base.operations import BaseDatabaseOperations

from syncfields.declare.paths import Model, column
from syncfields.sql.fields import INTEGERS, TEXTS, stored_as
from syncfields.sql.once import kept

Ask = Callable[[Any], Any]
"""A question about a value that a field is given."""


class Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
VENDORS = ("sqlite", "postgresql", "mysql")
# SQLite keeps decimals as floats, of which so many digits are certain.
DIGITS_OF_FLOATS = 15


class Backend(NamedTuple):
    """What the answers depend on, apart from the field."""

    vendor: str
    in_utc: bool = True
    """Whether it stores points of time in UTC, or with their offset."""

    @classmethod
    def of(cls, using: str) -> Backend:
        connection = connections[using]
        zone = connection.settings_dict.get("TIME_ZONE")
        return cls(connection.vendor, connection.vendor == "postgresql" or zone is None)


def nothing(value: Any) -> Any:
    return UNKNOWN


# What a column holds ---------------------------------------------------------------------------


def holding(field: Any, backend: Backend) -> Ask:
    """Tells what the column will hold, as the database gives it back; ``UNKNOWN`` where that is not
    proven. None is NULL, apart from keys, which the database makes then.
    """
    stored = stored_as(field)
    make = HOLDING.get(type(stored))
    if make is None or backend.vendor not in VENDORS:
        return nothing
    known, null = make(stored, backend), UNKNOWN if field.primary_key else None
    return lambda value: null if value is None else known(value)


@kept
def holding_of(using: str, model: Model, name: str) -> Ask:
    """``holding()`` of a column of a model in a database."""
    return holding(column(model, name), Backend.of(using))


def integers(field: Any, backend: Backend) -> Ask:
    """``get_prep_value()`` is ``int()``, and what fits the column is stored as it is."""
    low, high = BaseDatabaseOperations.integer_field_ranges[field.get_internal_type()]

    def holds(value: Any) -> Any:
        if type(value) is not int:
            if type(value) not in CONVERTED and not isinstance(value, models.IntegerChoices):
                return UNKNOWN
            try:
                value = field.get_prep_value(value)
            except (TypeError, ValueError, ArithmeticError):
                return UNKNOWN
        return value if low <= value <= high else UNKNOWN

    return holds


CONVERTED = (bool, str, float, Decimal)


def texts(field: Any, backend: Backend) -> Ask:
    """A ``str`` is stored as it is, up to the length of the column: PostgreSQL cuts off spaces
    beyond it. A member of ``TextChoices`` is a ``str`` too.
    """
    longest = math.inf if type(field) is models.TextField else field.max_length or math.inf

    def holds(value: Any) -> Any:
        if isinstance(value, models.TextChoices):
            value = str.__str__(value)
        if type(value) is not str or len(value) > longest or "\x00" in value:
            return UNKNOWN
        return value

    return holds


def booleans(field: Any, backend: Backend) -> Ask:
    return lambda value: value if type(value) is bool else UNKNOWN


def decimals(field: Any, backend: Backend) -> Ask:
    """What needs no rounding to the column's decimal places is stored as it is."""
    places, digits = field.decimal_places, field.max_digits
    if places is None or digits is None:
        return nothing
    if backend.vendor == "sqlite":
        digits = min(digits, DIGITS_OF_FLOATS)
    beyond = Decimal(10) ** (digits - places)

    def holds(value: Any) -> Any:
        if type(value) is int:
            value = Decimal(value)
        if type(value) is not Decimal:
            return UNKNOWN
        exponent = value.as_tuple().exponent  # Of NaN it is a letter.
        fits = isinstance(exponent, int) and -exponent <= places and abs(value) < beyond
        return value if fits else UNKNOWN

    return holds


def times(field: Any, backend: Backend) -> Ask:
    """A point of time is stored to the microsecond, and comes back in UTC.

    Not where the clock is put back, or forward: the databases differ in what they make of it, and
    Python finds unequal points equal. A naive time is one only where zones are not used; PostgreSQL
    takes it for one in the zone of the session.
    """

    def holds(value: Any) -> Any:
        if type(value) is not datetime:
            return UNKNOWN
        zone = value.tzinfo
        if not settings.USE_TZ:
            return value if zone is None and backend.vendor != "postgresql" else UNKNOWN
        if zone is None or not backend.in_utc:
            return UNKNOWN
        if zone is timezone.utc:
            return value
        other = value.replace(fold=1 - value.fold)
        clear = value.utcoffset() == other.utcoffset()
        return value.astimezone(timezone.utc) if clear else UNKNOWN

    return holds


def dates(field: Any, backend: Backend) -> Ask:
    return lambda value: value if type(value) is date else UNKNOWN


def uuids(field: Any, backend: Backend) -> Ask:
    """``get_prep_value()`` is ``to_python()``, which makes a ``UUID`` of its digits."""

    def holds(value: Any) -> Any:
        if type(value) is UUID:
            return value
        try:
            return UUID(value) if type(value) is str else UNKNOWN
        except ValueError:
            return UNKNOWN

    return holds


def floats(field: Any, backend: Backend) -> Ask:
    return lambda value: value if type(value) is float and math.isfinite(value) else UNKNOWN


def hours(field: Any, backend: Backend) -> Ask:
    return lambda value: value if type(value) is time and value.tzinfo is None else UNKNOWN


def durations(field: Any, backend: Backend) -> Ask:
    """They are stored to the microsecond."""
    return lambda value: value if type(value) is timedelta else UNKNOWN


HOLDING: dict[type, Callable[[Any, Backend], Ask]] = {
    **dict.fromkeys(INTEGERS, integers),
    **dict.fromkeys(TEXTS, texts),
    models.BooleanField: booleans,
    models.DateField: dates,
    models.DateTimeField: times,
    models.DecimalField: decimals,
    models.DurationField: durations,
    models.FloatField: floats,
    models.TimeField: hours,
    models.UUIDField: uuids,
}


# Whether it is NULL ----------------------------------------------------------------------------


def nulling(field: Any, backend: Backend) -> Ask:
    """Tells whether the column will be NULL: True, False, or ``UNKNOWN``."""
    stored = stored_as(field)
    fills = FILLING.get(type(stored))
    if fills is None or backend.vendor not in VENDORS:
        return nothing
    null = UNKNOWN if field.primary_key else True

    def is_null(value: Any) -> Any:
        if value is None:
            return null
        return False if fills(value) else UNKNOWN

    return is_null


def takes_none(field: Any) -> bool:
    """Whether None is surely stored as NULL, unless the field is a key."""
    return type(stored_as(field)) in FILLING


def of_type(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


def chosen(kind: type, *kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds or isinstance(value, kind)


def is_finite(value: Any) -> bool:
    """SQLite makes NULL of a float that is no number."""
    return type(value) in (int, float, Decimal) and math.isfinite(value)


def is_address(value: Any) -> bool:
    """An empty address is stored as NULL."""
    return type(value) is str and value != ""


# Not FileField, which stores None as ""; nor JSONField, of which None may be read that is not NULL.
FILLING: dict[type, Callable[[Any], bool]] = {
    **dict.fromkeys(INTEGERS, chosen(models.IntegerChoices, int, *CONVERTED)),
    **dict.fromkeys(TEXTS, chosen(models.TextChoices, str)),
    models.BinaryField: of_type(bytes),
    models.BooleanField: of_type(bool),
    models.DateField: of_type(date),
    models.DateTimeField: of_type(datetime),
    models.DecimalField: is_finite,
    models.DurationField: of_type(timedelta),
    models.FloatField: is_finite,
    models.GenericIPAddressField: is_address,
    models.TimeField: of_type(time),
    models.UUIDField: of_type(UUID, str),
}


# Whether it is left as it is -------------------------------------------------------------------


def keeping(field: Any, backend: Backend) -> Callable[[Any, Any], bool]:
    """Tells whether a column that was read as ``old`` is surely left as it is by giving it ``new``:
    what it holds then is known, or it is given what was read of a field that takes what it gives.
    """
    stored = stored_as(field)
    kinds = TAKING.get(type(stored))
    holds = holding(field, backend)
    if kinds is None or backend.vendor not in VENDORS:
        return lambda old, new: (
            (now := holds(new)) is not UNKNOWN and type(now) is type(old) and bool(now == old)
        )
    prepared = stored.get_prep_value

    def keeps(old: Any, new: Any) -> bool:
        if old is None or type(new) is not type(old):
            return old is None and new is None
        # Normalized, if it is an address; of an empty one the column would hold NULL.
        return type(new) in kinds and bool(new == old) and prepared(new) == new != ""

    return keeps


# What is read of these, and written again, is stored as it was.
TAKING: dict[type, Collection[type]] = {
    models.BinaryField: (bytes, memoryview),
    models.GenericIPAddressField: (str,),
}


def is_steady(field: Any) -> bool:
    """Whether it can be told at all that a column is left as it is."""
    kind = type(stored_as(field))
    return kind in HOLDING or kind in TAKING
