"""What a sample row of a model has to hold: its relations, what is unique, what rules ask of it,
and values for its columns.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.constants import LOOKUP_SEP
from django.utils.crypto import get_random_string

from syncfields.declare.paths import Hop, Model, concrete
from syncfields.plan import registry

OTHER, LOW, MIDDLE, HIGH = 1, 2, 4, 8
"""What rows differ by. OTHER is what no row has, and the least; one digit, so that it fits."""
DAY = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - made aware where times are
SMALLER, GREATER = ("lt", "lte"), ("gt", "gte")
PLAIN = (bool, int, float, str, Decimal, dt.date, dt.time, uuid.UUID)
AUTOMATIC = (models.AutoField, models.CompositePrimaryKey)


class NoSample(Exception):
    """A row cannot be made up."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of which the rows of a model hold the key."""

    name: str
    far: Model
    columns: tuple[tuple[str, str], ...]
    """Pairs of attribute names: here, and at the far end. There the empty one stands for the
    content type."""
    required: bool

    @property
    def near(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.columns)


@dataclass(frozen=True, slots=True)
class Known:
    """What is to be known of a model to make rows of it."""

    relations: tuple[Relation, ...]
    varied: frozenset[str]
    conditions: Mapping[str, tuple[str, Any]]


def relations(model: Model) -> list[Relation]:
    """Those of one column first: a column that belongs to several follows the longest."""
    generic = list(generic_relations(model))
    covered = {name for each in generic for name in each.near}
    found = [
        Relation(
            field.name,
            concrete(field.related_model),
            tuple((near.attname, far.attname) for near, far in field.related_fields),
            required=not any(near.null for near, _ in field.related_fields),
        )
        for field in model._meta.fields
        if isinstance(field, models.ForeignObject) and not field.remote_field.parent_link
    ]
    found = [each for each in found if not each.near <= covered]
    return sorted([*found, *generic], key=lambda each: len(each.columns))


def generic_relations(model: Model) -> Iterator[Relation]:
    """Each with the model from which, or to which, a rule goes by it."""
    for key in model._meta.private_fields:
        if not (hasattr(key, "ct_field") and hasattr(key, "fk_field")):
            continue
        fields: list[Any] = [model._meta.get_field(name) for name in (key.fk_field, key.ct_field)]
        names = [field.attname for field in fields]
        for near, hop in hops():
            holder, far = (near, hop.model) if hop.forward else (hop.model, near)
            if (
                hop.generic
                and holder is concrete(model)
                and hop.field.object_id_field_name in names
            ):
                pk = far._meta.pk.attname
                required = not any(field.null for field in fields)
                yield Relation(key.name, far, ((names[0], pk), (names[1], "")), required)
                break


def hops() -> Iterator[tuple[Model, Hop]]:
    """All that rules go along, each with the model that it starts from."""
    for maintenance in registry.plan().maintenances:
        for dependency in maintenance.dependencies:
            for number, hop in enumerate(dependency.path.hops):
                yield dependency.path.until(number).model, hop


def is_plain(field: Any) -> bool:
    return not (field.is_relation or field.generated or isinstance(field, AUTOMATIC))


def is_owned(field: Any) -> bool:
    return field.attname in registry.plan().owned.get(concrete(field.model), ())


def is_watched(model: Model, name: str) -> bool:
    field: Any = model._meta.get_field(name)
    return field.attname in registry.plan().columns.get(concrete(field.model), ())


def has_default(field: Any) -> bool:
    return field.has_default() or field.db_default is not models.NOT_PROVIDED


def varied(model: Model) -> frozenset[str]:
    """The columns in which no two rows may be the same; one of those that are unique together."""
    found = {each.attname for each in model._meta.concrete_fields if each.unique}
    for names in unique_together(model):
        fields: list[Any] = [model._meta.get_field(name) for name in names]
        automatic = any(isinstance(each, AUTOMATIC) for each in fields)
        if automatic or not found.isdisjoint(each.attname for each in fields):
            continue
        fields.sort(key=lambda field: preference(model, field))
        found.add(fields[0].attname)
    return frozenset(found)


def preference(model: Model, field: Any) -> tuple[bool, bool, bool]:
    few = bool(field.choices) or isinstance(field, models.BooleanField)
    return few, field.is_relation, is_watched(model, field.attname)


def unique_together(model: Model) -> Iterator[tuple[str, ...]]:
    for each in (model, *model._meta.all_parents):
        for together in each._meta.unique_together:
            yield tuple(together)
        for constraint in each._meta.constraints:
            if isinstance(constraint, models.UniqueConstraint) and constraint.fields:
                yield tuple(constraint.fields)
        if len(each._meta.pk_fields) > 1:
            yield tuple(field.name for field in each._meta.pk_fields)


def conditions(model: Model) -> dict[str, tuple[str, Any]]:
    """What rules ask of a row that is to count, as far as that is plain: ``{attname: (lookup,
    value)}``.
    """
    found: dict[str, tuple[str, Any]] = {}
    for each in (model, *model._meta.all_parents):
        for watch in registry.plan().sources.get(concrete(each), ()):
            prefix = f"{lookup}{LOOKUP_SEP}" if (lookup := watch.dependency.path.lookup) else ""
            for rule in watch.maintenance.rules:
                for name, value in asked(rule.expression):
                    if name.startswith(prefix):
                        note(each, name.removeprefix(prefix), value, found)
    return found


def note(model: Model, name: str, value: Any, found: dict[str, tuple[str, Any]]) -> None:
    name, _, lookup = name.partition(LOOKUP_SEP)
    field: Any = model._meta._forward_fields_map.get(name)  # type: ignore[attr-defined]
    if field is None or field.primary_key or not getattr(field, "attname", None):
        return
    if lookup == "isnull" and value:
        lookup, value = "exact", None
    if lookup in ("", "exact") and (value is None or (is_plain(field) and is_value(value))):
        found.setdefault(field.attname, ("exact", value))
    if lookup in (*SMALLER, *GREATER) and isinstance(value, (int, float, Decimal, dt.date)):
        found.setdefault(field.attname, (lookup, value))


def is_value(value: Any) -> bool:
    return isinstance(value, PLAIN)


def asked(expression: Any) -> Iterator[tuple[str, Any]]:
    parts = expression.flatten() if hasattr(expression, "flatten") else ()
    for each in (*parts, getattr(expression, "when", None)):
        if isinstance(each, Q) and not each.negated:
            children = each.children[:1] if each.connector == Q.OR else each.children
            yield from (child for child in children if isinstance(child, tuple))


# Values ------------------------------------------------------------------------------------------


def shifted(value: Any, by: int) -> Any:
    return value + (dt.timedelta(days=by) if isinstance(value, dt.date) else by)


def moment(level: int) -> dt.datetime:
    zone = dt.timezone.utc if settings.USE_TZ else None
    return (DAY + dt.timedelta(days=level)).replace(tzinfo=zone)


def made(field: Any, level: int) -> Any:  # noqa: C901 - long, but a list
    """A value for a column, by the class of the field; None where none is known."""
    match field:
        case models.BooleanField():
            return level != OTHER
        case models.DateTimeField():
            return moment(level)
        case models.DateField():
            return moment(level).date()
        case models.TimeField():
            return dt.time(level % 24)
        case models.DurationField():
            return dt.timedelta(days=level)
        case models.DecimalField():
            fits = field.max_digits is None or field.max_digits > field.decimal_places
            return Decimal(level) if fits else Decimal(level) / 10
        case models.FloatField():
            return float(level)
        case models.IntegerField():
            return level
        case models.UUIDField():
            return uuid.uuid4()
        case models.GenericIPAddressField():
            return f"192.0.2.{level % 256}"
        case models.JSONField():
            return {"level": level}
        case models.BinaryField():
            return bytes([level % 256])
        case models.FileField():
            return ""  # It would be opened.
        case models.CharField() | models.TextField():
            return f"{level} {get_random_string(12)}"[: field.max_length]
    return None
