"""The kinds of write that a source model can meet, each to be carried out on sample rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import DO_NOTHING, QuerySet

from syncfields.declare.paths import Model, column
from syncfields.explain.sample_rows import Samples
from syncfields.explain.sample_values import varied
from syncfields.plan import registry

UNCHANGED = "save, nothing that matters changed"
OTHERS = "save(update_fields=[...]) of other columns"
CASCADES = "rows of other models may go with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The rows that a write finds."""

    model: Model
    using: str
    samples: Samples
    rows: Sequence[Any]
    near: Any = None
    """The row whose manager adds and removes, where the model is an automatic through model."""
    number: int = 1
    """How many rows are written."""
    bare: bool = False
    """Nothing may refer to what is written."""

    def chosen(self) -> QuerySet[Any]:
        model, number = self.model, self.number
        rows = [self.samples.saved(model) for _ in range(number)] if self.bare else self.rows
        pks = [row.pk for row in rows[:number]]
        return QuerySet(model, using=self.using).filter(pk__in=pks)

    def row(self) -> Any:
        return self.chosen().get()

    def new(self) -> list[Any]:
        return [self.samples.new(self.model) for _ in range(self.number)]

    def manager(self) -> Any:
        return getattr(self.near, many_to_many(self.model).name)


Prepare = Callable[[Stage], Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of write: ``prepare`` gives what carries it out."""

    name: str
    prepare: Prepare
    several: bool = False
    changed: str = ""
    more: str = ""
    updates: bool = False
    """It is an UPDATE of the rows."""
    leaves: bool = False
    """What a row held may be lost to its targets."""


def kinds(model: Model) -> Iterator[Kind]:
    if model._meta.auto_created:
        yield Kind("add()", adding, several=True)
        yield Kind("remove()", removing, several=True, leaves=True)
        yield Kind("clear()", clearing, several=True, leaves=True)
        return
    alone = varied(model)
    watched = sorted(writable(model) & registry.plan().columns[model])
    cascades = CASCADES if may_cascade(model) else ""
    yield Kind("create", creating)
    for name in watched:
        saved = f"save, {verb(model, name)}"
        yield Kind(saved, saving(model, name), changed=name, updates=True, leaves=True)
    yield Kind(UNCHANGED, saving_unchanged, updates=True)
    if others := sorted(writable(model).difference(watched)):
        yield Kind(OTHERS, saving_only(others[0]), updates=True)
    yield Kind("delete", deleting, more=cascades, leaves=True)
    if not model._meta.parents:
        yield Kind("bulk_create()", creating_many, several=True)
    for name in watched:
        if name not in alone:  # Several rows cannot have the same value.
            prepare, several = updating_many(model, name), f"update(), {verb(model, name)}"
            yield Kind(several, prepare, several=True, changed=name, updates=True, leaves=True)
    yield Kind("QuerySet.delete()", deleting_many, several=True, more=cascades, leaves=True)


def creating(stage: Stage) -> Callable[[], object]:
    (row,) = stage.new()
    return lambda: models.Model.save(row, force_insert=True, using=stage.using)


def saving(model: Model, name: str) -> Prepare:
    def prepare(stage: Stage) -> Callable[[], object]:
        row = stage.row()
        for each, value in stage.samples.other(model, name).items():
            setattr(row, each, value)
        return lambda: models.Model.save(row, using=stage.using)

    return prepare


def saving_unchanged(stage: Stage) -> Callable[[], object]:
    row = stage.row()
    return lambda: models.Model.save(row, using=stage.using)


def saving_only(name: str) -> Prepare:
    def prepare(stage: Stage) -> Callable[[], object]:
        row = stage.row()
        return lambda: models.Model.save(row, using=stage.using, update_fields=[name])

    return prepare


def deleting(stage: Stage) -> Callable[[], object]:
    row = stage.row()
    return lambda: models.Model.delete(row, using=stage.using)


def creating_many(stage: Stage) -> Callable[[], object]:
    rows = stage.new()
    return lambda: QuerySet(stage.model, using=stage.using).bulk_create(rows)


def updating_many(model: Model, name: str) -> Prepare:
    def prepare(stage: Stage) -> Callable[[], object]:
        chosen, others = stage.chosen(), stage.samples.other(model, name)
        values = {column(model, each).name: value for each, value in others.items()}
        return lambda: chosen.update(**values)

    return prepare


def deleting_many(stage: Stage) -> Callable[[], object]:
    return stage.chosen().delete


def adding(stage: Stage) -> Callable[[], object]:
    far = many_to_many(stage.model).related_model
    rows = [stage.samples.stranger(far) for _ in range(stage.number)]
    return lambda: stage.manager().add(*rows)


def removing(stage: Stage) -> Callable[[], object]:
    return lambda: stage.manager().remove(*stage.rows[: stage.number])


def clearing(stage: Stage) -> Callable[[], object]:
    return lambda: stage.manager().clear()


def many_to_many(through: Model) -> Any:
    """The field that Django made the through model for."""
    holder: Any = through._meta.auto_created
    return next(
        each for each in holder._meta.local_many_to_many if each.remote_field.through is through
    )


def verb(model: Model, name: str) -> str:
    return "moved" if is_key(model, name) else "changed"


def is_key(model: Model, name: str) -> bool:
    """Whether a change of the column brings the row to other targets, or a target to another."""
    return any(
        name in ((near for near, _ in hop.columns) if hop.forward else (b for _, b in hop.columns))
        for watch in registry.plan().sources[model]
        for dependency in watch.maintenance.dependencies
        for number, hop in enumerate(dependency.path.hops)
        if dependency.path.until(number + (not hop.forward)).model is model
    )


def writable(model: Model) -> frozenset[str]:
    """The columns that ``save()`` writes to an existing row."""
    owned = registry.plan().owned.get(model, {})
    return frozenset(
        each.attname
        for each in model._meta.local_concrete_fields
        if each not in model._meta.pk_fields and not each.generated and each.attname not in owned
    )


def may_cascade(model: Model) -> bool:
    """Whether a delete may reach rows of other models, by Django or by the database."""
    relations = [each for each in model._meta.get_fields(include_hidden=True) if not each.concrete]
    return any(
        getattr(each, "on_delete", None) not in (None, DO_NOTHING)
        or hasattr(each, "bulk_related_objects")
        for each in relations
    )
