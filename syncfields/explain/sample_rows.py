"""Sample rows of any model: with something in each column that a rule reads, and so that they count
wherever they can.

What no rule reads keeps its default or NULL, so that little can be wrong with it. Validators are
not asked. Where a row cannot be made up, ``NoSample`` or the database says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from django.db import models
from django.db.models import Max, QuerySet
from django.utils.crypto import get_random_string

from syncfields.declare.paths import Hop, Model, Path, concrete
from syncfields.explain.sample_values import (
    GREATER,
    HIGH,
    LOW,
    MIDDLE,
    OTHER,
    SMALLER,
    Known,
    NoSample,
    Relation,
    conditions,
    has_default,
    is_owned,
    is_plain,
    is_watched,
    made,
    relations,
    shifted,
    varied,
)
from syncfields.plan import registry

ROUNDS = 3
"""So many rows of a model that refers to itself are made, one above the other."""


class Samples:
    """Makes rows, all with the same parents, where a relation may have several of them."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.models: dict[Model, Known] = {}
        self.numbers = count(1)
        self.parents: dict[tuple[Model, str], Any] = {}
        self.children: dict[tuple[Model, Any, str], Any] = {}
        self.making: list[Model] = []

    def known(self, model: Model) -> Known:
        if model not in self.models:
            found = tuple(relations(model)), varied(model), conditions(model)
            self.models[model] = Known(*found)
        return self.models[model]

    def saved(self, model: Model, level: int = MIDDLE, **given: Any) -> Any:
        row = self.new(model, level, **given)
        # Django's own save(): what a model adds to it is not ours to carry out.
        models.Model.save(row, force_insert=True, using=self.using)
        return row

    def new(self, model: Model, level: int = MIDDLE, **given: Any) -> Any:
        """An instance. Its synced fields are for the library to fill."""
        self.making.append(model)
        try:
            values = {**self.keys(model, level, given), **given}
            left = [each for each in model._meta.concrete_fields if each.attname not in values]
            for field in left:
                if is_plain(field) and not is_owned(field):
                    values.update(self.filled(model, field, level))
            return model(**values)
        finally:
            self.making.pop()

    # Relations -------------------------------------------------------------------------------

    def keys(self, model: Model, level: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of the rows that a row refers to."""
        found: dict[str, Any] = {}
        known = self.known(model)
        for relation in known.relations:
            if relation.near <= given.keys():
                continue
            if not relation.required and not self.is_wanted(model, relation):
                continue
            alone = not relation.near.isdisjoint(known.varied)
            row = self.related(model, relation, level, alone)
            if row is not None:
                found.update(self.key(relation, row))
        return found

    def key(self, relation: Relation, row: Any) -> dict[str, Any]:
        return {
            near: getattr(row, far) if far else self.content_type(row).pk
            for near, far in relation.columns
        }

    def content_type(self, row: Any) -> Any:
        from django.contrib.contenttypes.models import ContentType

        model = row if isinstance(row, type) else type(row)
        return ContentType.objects.db_manager(self.using).get_for_model(model)

    def is_wanted(self, model: Model, relation: Relation) -> bool:
        wanted = self.known(model).conditions
        if any(wanted.get(name) == ("exact", None) for name in relation.near):
            return False
        return any(is_watched(model, name) for name in relation.near)

    def related(self, model: Model, relation: Relation, level: int, alone: bool) -> Any:
        """The row that a row refers to: the same for all, or one for each."""
        if relation.far._meta.label == "contenttypes.ContentType":
            return self.content_type(model)
        if alone:
            return self.stranger(relation.far, level)
        key = model, relation.name
        if key not in self.parents:
            if self.making.count(relation.far) >= ROUNDS:
                if not relation.required:
                    return None
                raise NoSample(
                    f"{model._meta.label}.{relation.name} leads back to {model._meta.label}, and "
                    "cannot be NULL."
                )
            row = self.saved(relation.far)
            self.parents[key] = row
        return self.parents[key]

    def stranger(self, model: Model, level: int = MIDDLE) -> Any:
        """A row that shares no parent with the others."""
        before, self.parents = self.parents, {}
        try:
            return self.saved(model, level)
        finally:
            self.parents = before

    # Columns ---------------------------------------------------------------------------------

    def filled(self, model: Model, field: Any, level: int) -> dict[str, Any]:
        name = field.attname
        if name in self.known(model).varied:
            if field.has_default() and callable(field.default):
                return {}
            return {name: self.fresh(field)}
        if not is_watched(model, name) and (has_default(field) or field.null):
            return {}
        try:
            return {name: self.value(model, field, level)}
        except NoSample:
            if has_default(field) or field.null:
                return {}
            raise

    def value(self, model: Model, field: Any, level: int) -> Any:
        lookup, wanted = self.known(model).conditions.get(field.attname, ("", None))
        if lookup in SMALLER:
            return shifted(wanted, 1 if level == OTHER else level - HIGH - 1)
        if lookup in GREATER:
            return shifted(wanted, -1 if level == OTHER else level)
        if lookup and level != OTHER:
            return wanted
        if lookup and isinstance(wanted, bool):
            return not wanted
        if field.choices:
            values = [value for value, _ in field.flatchoices if value not in (None, "")]
            others = [value for value in values if not lookup or value != wanted] or values
            return others[level % len(others)]
        if (value := made(field, level)) is not None:
            return value
        raise NoSample(
            f"{field.model._meta.label}.{field.name} is a {type(field).__name__}, of which no "
            "value is known, without a default."
        )

    def fresh(self, field: Any) -> Any:
        """A value that no row has."""
        rows: QuerySet[Any] = QuerySet(field.model, using=self.using)
        if isinstance(field, (models.CharField, models.TextField)):
            length = min(field.max_length or 20, 20)
            for _ in range(100):
                value = get_random_string(length).lower()
                if not rows.filter(**{field.attname: value}).exists():
                    return value
            raise NoSample(f"{field.model._meta.label}.{field.name} is unique, and none is free.")
        number = next(self.numbers)
        if isinstance(field, (models.IntegerField, models.DecimalField, models.DateField)):
            highest = rows.aggregate(found=Max(field.attname))["found"]
            return shifted(highest or self.value(field.model, field, LOW), number)
        return self.value(field.model, field, number)

    def other(self, model: Model, name: str) -> dict[str, Any]:
        """Values with which a row differs from all others in a column: of it, and of what belongs
        to the same key.
        """
        for relation in reversed(self.known(model).relations):
            if name in relation.near:
                return self.key(relation, self.stranger(relation.far))
        field: Any = model._meta.get_field(name)
        if name in self.known(model).varied:
            return {name: self.fresh(field)}
        return {name: self.value(model, field, OTHER)}

    # Rows around a row -----------------------------------------------------------------------

    def surround(self, row: Any) -> None:
        """Give a row what refers to it: targets that read it, the sources that they read behind it,
        and what its own synced fields read that others read in turn.
        """
        model, plan = concrete(type(row)), registry.plan()
        for watch in plan.sources.get(model, ()):
            path = watch.dependency.path
            self.lead_to(row, path)
            for dependency in watch.maintenance.dependencies:
                if path.hops and dependency.path.starts_with(path):
                    self.lead_from(row, dependency.path.after(len(path.hops)))
        read = plan.columns.get(model, frozenset())
        for maintenance in plan.targets.get(model, ()):
            if not read.isdisjoint(maintenance.values):
                for dependency in maintenance.dependencies:
                    self.lead_from(row, dependency.path)

    def lead_to(self, row: Any, path: Path) -> None:
        """Let a target lead to the row by the path."""
        for number in reversed(range(len(path.hops))):
            hop, near = path.hops[number], path.until(number).model
            if row is None:
                return
            if hop.forward:
                row = self.child(near, hop, [(a, b) for a, b in hop.columns], row)
            else:
                row = self.met(near, {a: b for a, b in hop.columns if a}, row)

    def lead_from(self, row: Any, path: Path) -> None:
        """Let the row, a target, lead to a source by the path."""
        for hop in path.hops:
            if row is None:
                return
            if hop.forward:
                row = self.met(hop.model, {b: a for a, b in hop.columns if b}, row)
            else:
                row = self.child(hop.model, hop, [(b, a) for a, b in hop.columns], row)

    def child(self, model: Model, hop: Hop, columns: list[tuple[str, str]], row: Any) -> Any:
        """A row that refers to the row."""
        key = concrete(type(row)), row.pk, f"{model._meta.label}.{hop.field.name}"
        if key not in self.children:
            given = {
                near: getattr(row, far) if far else self.content_type(row).pk
                for near, far in columns
            }
            self.children[key] = self.saved(model, **given)
        return self.children[key]

    def met(self, model: Model, columns: Mapping[str, str], row: Any) -> Any:
        """The row that the row refers to, if any."""
        values = {far: getattr(row, near) for far, near in columns.items()}
        if None in values.values():
            return None
        return QuerySet(model, using=self.using).filter(**values).first()
