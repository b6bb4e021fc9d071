"""Instances in memory: what a write made old there is dropped, so that the next read fetches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.db import models

from syncfields import dropped, registry, tracking
from syncfields.changes import Change
from syncfields.paths import Hop, concrete
from syncfields.statements import once


@dataclass(frozen=True, slots=True)
class Step:
    """From a row to the rows at the near end of the relation by which a target reaches it."""

    name: str
    """Under which the row may hold them: as a cached relation, or as a prefetched one."""
    inherits: type[models.Model] | None = None
    """The instance may be the row at the near end as well: the child of a multi-table model is an
    instance of its parent."""

    def rows(self, row: Any) -> Iterator[Any]:
        if self.inherits and isinstance(row, self.inherits):
            yield row
        if isinstance(cached := row._state.fields_cache.get(self.name), models.Model):
            yield cached
        if prefetched := vars(row).get("_prefetched_objects_cache"):
            yield from getattr(prefetched.get(self.name), "_result_cache", None) or ()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Where targets may be held, as seen from a row that changed."""

    steps: tuple[Step, ...]
    model: type[models.Model]
    names: frozenset[str]
    """The fields of the target that are old then."""
    beyond: Change
    """What becomes of the target, for its own targets."""


Been = frozenset[tuple[int, View]]


def forget(
    using: str, instance: Any, changes: Sequence[Change], gone: Collection[int] = ()
) -> None:
    """Drop the synced fields of targets that can be reached from an instance just written.

    ``gone`` are instances, by ``id()``, whose rows are deleted: nothing could be fetched for them.
    """
    for change in changes:
        follow(using, instance, views(change), gone)


def forget_among(using: str, known: Any, changes: Sequence[Change]) -> None:
    """As ``forget()``, for a write of rows of which nobody holds an instance, through a relation
    of the instance ``known``.
    """
    if isinstance(known, models.Model):
        forget(using, Unheld(_state=SimpleNamespace(fields_cache=Each(known))), changes)


class Unheld(SimpleNamespace):
    """A row that is not in memory, by what it is known to be related with."""


class Each:
    """The instance that a row is related with, in whichever way."""

    def __init__(self, instance: models.Model) -> None:
        self.instance = instance

    def get(self, name: str) -> models.Model:
        return self.instance


def follow(
    using: str, instance: Any, seen: Iterable[View], gone: Collection[int], been: Been = frozenset()
) -> None:
    """``been``: the instances on the way, and as what they were met, since rows can lead to one
    another in a circle.
    """
    for view in seen:
        for target in held(instance, view.steps):
            met = id(target), view
            if isinstance(target, view.model) and met[0] not in gone and met not in been:
                dropped.drop(target, view.names, using)
                tracking.forget(target, view.names)
                follow(using, target, views(view.beyond), gone, been | {met})


def held(instance: Any, steps: Sequence[Step]) -> Sequence[Any]:
    found: Sequence[Any] = (instance,)
    for step in steps:
        found = [row for each in found for row in step.rows(each)]
    return found


def views(change: Change) -> tuple[View, ...]:
    how = (change.unordered, change.saved, change.loaded)
    key = ("views", change.model, change.kind, change.columns, how)
    return once(key, lambda: find_views(change))


def find_views(change: Change) -> tuple[View, ...]:
    found: dict[tuple[tuple[Step, ...], type[models.Model]], set[str]] = defaultdict(set)
    for watch in registry.plan().sources.get(change.model, ()):
        if watch.maintenance.concerned([change]):
            rules, target = watch.maintenance.rules, watch.maintenance.target
            names = {rule.field.attname for rule in rules} | {r.declaration.touch for r in rules}
            for steps in ways_back(watch.dependency.path.hops):
                for way in (steps, *((*steps, step) for step in kin(target))):
                    found[way, target].update(filter(None, names))
    return tuple(
        View(steps, model, names, Change(model, "update", (), names))
        for (steps, model), names in zip(found, map(frozenset, found.values()), strict=True)
    )


def kin(model: type[models.Model]) -> Iterator[Step]:
    """From an instance to others that hold the same row: multi-table children and parents."""
    for relation in model._meta.related_objects:
        if getattr(relation, "parent_link", False):
            yield Step(relation.cache_name)
            yield Step(relation.field.cache_name)


def ways_back(hops: Sequence[Hop]) -> Iterator[tuple[Step, ...]]:
    """The ways from the row at the far end to the target, by what may be held in memory."""
    if not hops:
        yield ()
        return
    *rest, last = hops
    for step in steps_back(last):
        yield from ((step, *way) for way in ways_back(rest))
    if rest:
        for name in many_to_many(rest[-1], last):
            yield from ((Step(name), *way) for way in ways_back(rest[:-1]))


def steps_back(hop: Hop) -> Iterator[Step]:
    if hop.generic:
        for field in hop.model._meta.private_fields:
            kind = getattr(field, "ct_field", None), getattr(field, "fk_field", None)
            if kind == (hop.field.content_type_field_name, hop.field.object_id_field_name):
                yield Step(field.name)
        return
    relation = hop.field.remote_field
    near = hop.field.model if hop.forward else relation.model
    name = relation.cache_name if hop.forward else hop.field.cache_name
    yield Step(name, concrete(near) if getattr(relation, "parent_link", False) else None)


def many_to_many(first: Hop, second: Hop) -> Iterator[str]:
    """Under which names rows at the far end of both hops may hold those at the near end."""
    if first.forward or first.generic or second.generic or not second.forward:
        return
    keys = first.field.name, second.field.name
    for field in first.field.remote_field.model._meta.many_to_many:
        if goes_through(first, field, keys):
            yield field.related_query_name()
    for field in second.model._meta.many_to_many:
        if goes_through(first, field, keys[::-1]):
            yield field.name


def goes_through(hop: Hop, field: Any, keys: tuple[str, str]) -> bool:
    """Whether a many-to-many field is made of the rows that a hop leads to, by these keys."""
    through = concrete(field.remote_field.through) is hop.model
    return through and keys == (field.m2m_field_name(), field.m2m_reverse_field_name())
