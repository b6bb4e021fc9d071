"""The relations and columns of the world, as a lookup spells them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models

from tests.declarations.models import WORLD, Comment, Depot, Item, Label, Owner, Slots

Model = type[models.Model]
KINDS = (
    ("bool", models.BooleanField),
    ("int", models.IntegerField),
    ("dec", models.DecimalField),
    ("float", models.FloatField),
    ("text", (models.CharField, models.TextField)),
    ("datetime", models.DateTimeField),
    ("date", models.DateField),
    ("time", models.TimeField),
    ("duration", models.DurationField),
    ("ip", models.GenericIPAddressField),
    ("json", models.JSONField),
    ("uuid", models.UUIDField),
)
SLOTS = frozenset(field.name for field in Slots._meta.get_fields())
TOUCHED = "touched"
# Back from the row that holds a generic key.
GENERIC = {
    Comment: [("owner", Owner), ("item", Item)],
    Label: [("depot", Depot)],
}


@dataclass(frozen=True)
class Relation:
    name: str
    far: Model
    many: bool
    may_be_missing: bool


@dataclass(frozen=True)
class Column:
    name: str
    kind: str
    null: bool


@dataclass(frozen=True)
class Route:
    """Relations from a model on, written as a lookup: ``items__tags``."""

    start: Model
    steps: tuple[Relation, ...] = ()

    @property
    def lookup(self) -> str:
        return "__".join(step.name for step in self.steps)

    @property
    def prefix(self) -> str:
        return "".join(f"{step.name}__" for step in self.steps)

    @property
    def end(self) -> Model:
        return self.steps[-1].far if self.steps else self.start

    @property
    def many(self) -> bool:
        return any(step.many for step in self.steps)

    @property
    def may_be_missing(self) -> bool:
        return any(step.may_be_missing for step in self.steps)

    def until(self, number: int) -> Route:
        return Route(self.start, self.steps[:number])

    def on(self, step: Relation) -> Route:
        return Route(self.start, (*self.steps, step))


def kind_of(field: models.Field[Any, Any]) -> str:
    while field.is_relation:
        field = field.target_field
    if isinstance(field, models.GeneratedField):
        field = field.output_field
    return next(name for name, kinds in KINDS if isinstance(field, kinds))


@cache
def relations(model: Model) -> tuple[Relation, ...]:
    found = []
    for field in model._meta.get_fields():
        far = getattr(field, "related_model", None)
        if far is None or far._meta.concrete_model not in WORLD:
            continue
        many = bool(field.one_to_many or field.many_to_many)
        loose = not many and (field.auto_created and not field.concrete)
        loose = loose or getattr(field, "null", False) or not getattr(field, "db_constraint", many)
        found.append(Relation(field.name, far._meta.concrete_model, many, bool(loose)))
    found += [Relation(name, far, False, True) for name, far in GENERIC.get(model, ())]
    return tuple(found)


@cache
def facts(model: Model) -> tuple[Column, ...]:
    """The columns that hold no value of a rule."""
    found = [
        Column(field.name, kind_of(field), field.null)
        for field in model._meta.concrete_fields
        if not field.is_relation
        and not (field.primary_key and field.name == "id")
        and not is_slot(field)
    ]
    if len(model._meta.pk_fields) == 1:
        found.append(Column("pk", kind_of(model._meta.pk), False))
    return tuple(found)


def is_slot(field: models.Field[Any, Any]) -> bool:
    return field.name in SLOTS or field.name.startswith("own_")


@cache
def own_slots(model: Model, inherited: bool = False) -> tuple[Column, ...]:
    """The columns of the model's own table that a rule may keep; or of its parents', too."""
    return tuple(
        Column(field.name, kind_of(field), field.null)
        for field in model._meta.concrete_fields
        if is_slot(field)
        and field.name != TOUCHED
        and (inherited or field.name in own_columns(model))
    )


@cache
def own_columns(model: Model) -> frozenset[str]:
    return frozenset(field.name for field in model._meta.local_concrete_fields)


@dataclass(frozen=True)
class Key:
    """A foreign key that names a model."""

    model: Model
    field: models.ForeignKey[Any, Any]

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def named(self) -> str:
        """The column that it names."""
        return self.field.target_field.name

    @property
    def lookup(self) -> str:
        return self.field.related_query_name()


@cache
def keys_to(model: Model) -> tuple[Key, ...]:
    return tuple(
        Key(far, field)
        for far in WORLD
        for field in far._meta.local_fields
        if isinstance(field, models.ForeignKey)
        and field.remote_field.model._meta.concrete_model is model
    )
