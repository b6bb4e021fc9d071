"""What the class of a field says of it: what it is stored as, what comes between Python and the
database, and what the database can do with its values.

Fields are known by their exact class: a subclass may have any of the hooks of a field. What a
column holds that was given a value is said by ``holding.py``, and what is stored again as it was
read by ``plain.py``.
"""

from __future__ import annotations

from collections.abc import Collection
from inspect import getattr_static
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.fields.files import FileDescriptor
from django.db.models.fields.proxy import OrderWrt
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query_utils import DeferredAttribute
from model_utils.tracker import DescriptorWrapper

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


def stored_as(field: Any) -> Any:
    """The field that says what a column holds: of a foreign key, the one at its end."""
    while type(field) in RELATIONS:
        field = field.target_field
    return field


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


# What the database can do with its values ------------------------------------------------------


def takes_integers(field: Any) -> bool:
    """Whether an ``int`` is given to the database just as it is."""
    return type(stored_as(field)) in INTEGERS


def given_as(field: Any) -> type | None:
    """The type of values that are given to the database just as they are; None if there is none."""
    stored = type(stored_as(field))
    if stored in INTEGERS:
        return int
    if stored is models.BooleanField:
        return bool
    return str if stored in (models.CharField, models.TextField) else None


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
