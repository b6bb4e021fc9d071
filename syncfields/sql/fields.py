"""What is proven of fields: the one place that says what a column holds that was given a value.

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
from inspect import getattr_static
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connections, models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.fields.files import FileDescriptor
from django.db.models.fields.proxy import OrderWrt
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query_utils import DeferredAttribute
from model_utils.tracker import DescriptorWrapper

Ask = Callable[[Any], Any]
"""A question about a value that a field is given."""


class Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
VENDORS = ("sqlite", "postgresql", "mysql")
RELATIONS = (models.ForeignKey, models.OneToOneField)
INTEGERS = (
    models.AutoField,
    models.BigAutoField,
    models.BigIntegerField,
    models.IntegerField,
    models.PositiveBigIntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.SmallAutoField,
    models.SmallIntegerField,
    OrderWrt,
)
TEXTS = (
    models.CharField,
    models.EmailField,
    models.FilePathField,
    models.SlugField,
    models.TextField,
    models.URLField,
)
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


def stored_as(field: Any) -> Any:
    """The field that says what a column holds: of a foreign key, the one at its end."""
    while type(field) in RELATIONS:
        field = field.target_field
    return field


def nothing(value: Any) -> Any:
    return UNKNOWN


# What its class says ---------------------------------------------------------------------------

# Called between Python and the database, whatever is done with the value.
CONVERTING = ("from_db_value", "get_prep_value", "get_db_prep_value", "select_format")
# Called where a row is saved, and not where a column is set by an expression.
SAVING = ("pre_save", "get_db_prep_save", "get_placeholder", "get_placeholder_sql")


def converts(field: Any) -> bool:
    """Whether what is compared and added up in Python may be another value than the database's."""
    stored = stored_as(field)
    found = (hook(stored, name) for name in CONVERTING)
    return hasattr(stored, "from_db_value") or not all(
        each is None or is_own(each) for each in found
    )


def saves_in_its_way(field: Any) -> str:
    """The name of what decides on what is stored of an instance's value, or ``""``."""
    for name in SAVING:
        method = hook(field, name)
        if method is not None and not is_own(method):
            return name
    descriptor = described_by(field)
    is_plain = is_own(descriptor) and not issubclass(descriptor, FileDescriptor)
    return "" if is_plain else descriptor.__name__


def hook(field: Any, name: str) -> Any:
    method = getattr(field, name, None)
    return getattr(method, "__func__", method)


def is_own(thing: Any) -> bool:
    """Whether it comes with Django."""
    return str(getattr(thing, "__module__", "")).startswith("django.")


def described_by(field: Any) -> type:
    """The class of the descriptor of a field's attribute, without that of a FieldTracker around it.
    One of ours only reads what was dropped.
    """
    descriptor: Any = getattr_static(field.model, field.attname, None)
    while (kind := not_ours(type(descriptor))) is DescriptorWrapper:
        descriptor = descriptor.descriptor
    return kind


def not_ours(kind: type) -> type:
    return next(each for each in kind.__mro__ if not each.__module__.startswith("syncfields."))


def is_in_dict(field: Any) -> bool:
    """Whether an instance holds in its ``__dict__`` what it gives for the field."""
    return described_by(field) in (DeferredAttribute, ForeignKeyDeferredAttribute)


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


def is_plain(field: Any, value: Any) -> bool:
    """Whether a value that was read is of a type that the field's column holds as it is."""
    kinds = next((types for kind, types in PLAIN.items() if isinstance(field, kind)), None)
    if value is None or kinds is None:
        return True
    naive = type(value) is datetime and value.tzinfo is None
    return type(value) in kinds and not (naive and settings.USE_TZ)


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


def reads_none(field: Any) -> bool:
    """Whether None may be read of a column that is not NULL."""
    return isinstance(stored_as(field), models.JSONField)


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


# What the database can do with its values ------------------------------------------------------


def takes_integers(field: Any) -> bool:
    """Whether an ``int`` is given to the database just as it is."""
    return type(stored_as(field)) in INTEGERS


def is_summed(field: Any, vendor: str) -> bool:
    """Whether the database adds up what it holds without rounding, and Python adds up what it reads
    to the same.
    """
    return type(field) in INTEGERS or (vendor != "sqlite" and type(field) is models.DecimalField)


def takes_keys(field: Any, kinds: Collection[type]) -> bool:
    """Whether keys of these types, of which there is one only, can be given as one value."""
    kind = type(stored_as(field))
    return (
        (kind in INTEGERS and kinds == {int})
        or (kind in TEXTS and kinds == {str})
        or (kind is models.UUIDField and kinds == {UUID})
    )


def is_arrayed(field: Any) -> bool:
    """Whether PostgreSQL takes any number of its values as one array, and can group by them."""
    return type(stored_as(field)) in ARRAYED


ARRAYED = (
    *INTEGERS,
    *TEXTS,
    models.BinaryField,
    models.BooleanField,
    models.DateField,
    models.DateTimeField,
    models.DecimalField,
    models.DurationField,
    models.FloatField,
    models.GenericIPAddressField,
    models.TimeField,
    models.UUIDField,
)
