"""The relations and columns of the world, as a lookup spells them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models

from tests.declarations.models import WORLD, Comment, Facts, Item, Owner, Slots

Model = type[models.Model]
KINDS = (
    ("bool", models.BooleanField),
    ("int", models.IntegerField),
    ("dec", models.DecimalField),
    ("float", models.FloatField),
    ("text", (models.CharField, models.TextField)),
    ("datetime", models.DateTimeField),
    ("date", models.DateField),
    ("duration", models.DurationField),
    ("ip", models.GenericIPAddressField),
    ("json", models.JSONField),
)
SLOTS = frozenset(field.name for field in Slots._meta.get_fields())


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
        loose = loose or getattr(field, "null", False) or not getattr(field, "db_constraint", True)
        found.append(Relation(field.name, far._meta.concrete_model, many, bool(loose)))
    if model is Comment:
        found += [Relation("owner", Owner, False, True), Relation("item", Item, False, True)]
    return tuple(found)


@cache
def facts(model: Model) -> tuple[Column, ...]:
    """The columns that hold no value of a rule."""
    found = [
        Column(field.name, kind_of(field), field.null)
        for field in model._meta.concrete_fields
        if not field.is_relation
        and not field.primary_key
        and field.name not in SLOTS
        and not field.name.startswith("own_")
    ]
    return (*found, Column("pk", "int", False))


@cache
def own_slots(model: Model) -> tuple[Column, ...]:
    """The columns of the model's own table that a rule may keep."""
    return tuple(
        Column(field.name, kind_of(field), field.null)
        for field in model._meta.local_concrete_fields
        if field.name in SLOTS or field.name.startswith("own_")
    )


@cache
def keys_to(model: Model) -> tuple[tuple[str, str, str], ...]:
    """Foreign keys that name the model: the referring model, its key, and the column named."""
    return tuple(
        (far.__name__, field.name, field.target_field.name)
        for far in WORLD
        for field in far._meta.local_fields
        if field.is_relation and field.remote_field.model._meta.concrete_model is model
    )


def has_facts(model: Model) -> bool:
    return issubclass(model, Facts)
