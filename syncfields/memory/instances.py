"""Instances in memory: what a write made old there is dropped, so that the next read fetches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.db import models
from django.db.models import ManyToManyField

from syncfields.declare.paths import Hop, concrete
from syncfields.maintenance.changes import Change, Learnt
from syncfields.memory import dropped, tracking
from syncfields.plan import registry
from syncfields.sql.once import once


@dataclass(frozen=True, slots=True)
class Step:
    """From a row to the rows at the near end of the relation by which a target reaches it."""

    name: str
    """Under which the row may hold them: as a cached relation, or as a prefetched one."""
    inherits: type[models.Model] | None = None
    """The instance may be the row at the near end as well: the child of a multi-table model is an
    instance of its parent."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Where targets may be held, as seen from a row that changed."""

    steps: tuple[Step, ...]
    model: type[models.Model]
    names: frozenset[str]
    """The fields of the target that are old then."""
    beyond: Change | None
    """What becomes of the target, for its own targets."""
    tracked: bool
    """Whether its instances remember old values."""


Back = tuple[tuple[type[models.Model], frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a written row can tell of instances in memory."""

    views: tuple[View, ...]
    back: Back
    """The fields of the written row itself that may be old: it feeds other rows, and those feed it.
    """


Been = frozenset[tuple[int, View]]
Met = tuple[models.Model, frozenset[str]]
"""An instance of a target, and the fields of it that were dropped."""


def forget(
    using: str, instance: Any, changes: Sequence[Change], gone: Collection[int] = ()
) -> None:
    """Drop the synced fields of targets that can be reached from an instance just written.

    ``gone`` are instances, by ``id()``, whose rows are deleted: nothing could be fetched for them.
    """
    met: list[Met] = []
    for change in changes:
        found = seen_from(change)
        follow(using, instance, found.views, gone, met)
        for model, names in found.back if change.kind != "delete" else ():
            if isinstance(instance, model):
                dropped.drop(instance, names, using)
    models_met = {id(target): type(target)._meta.concrete_model for target, _ in met}
    if len({*models_met.values()}) < len(models_met):
        tell_each_other(using, met)


def tell_each_other(using: str, met: Iterable[Met]) -> None:
    """Two instances may hold the same row, each reached by another relation."""
    rows: dict[tuple[type[models.Model], Any], list[Met]] = defaultdict(list)
    for target, names in met:
        rows[concrete(type(target)), target.pk].append((target, names))
    for (_, pk), same in rows.items():
        for target, known in same if len(same) > 1 and pk is not None else ():
            for other, names in same:
                if other is not target and not names <= known:
                    dropped.drop(target, names, using)


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
    using: str,
    instance: Any,
    seen: Iterable[View],
    gone: Collection[int],
    met: list[Met],
    been: Been = frozenset(),
) -> None:
    """``met`` is added to. ``been``: the instances on the way, and as what they were met, since
    rows can lead to one another in a circle.
    """
    for view in seen:
        for target in held(instance, view.steps):
            if not isinstance(target, view.model) or id(target) in gone:
                continue
            dropped.drop(target, view.names, using)
            met.append((target, view.names))
            if view.tracked:
                tracking.forget(target, view.names)
            if view.beyond is not None and (id(target), view) not in been:
                passed = been | {(id(target), view)}
                follow(using, target, seen_from(view.beyond).views, gone, met, passed)


def held(instance: Any, steps: Sequence[Step]) -> Sequence[Any]:
    """The rows to which the steps lead in memory."""
    found = [instance]
    for step in steps:
        near: list[Any] = []
        for row in found:
            if step.inherits is not None and isinstance(row, step.inherits):
                near.append(row)
            cached = row._state.fields_cache.get(step.name)
            if cached is not None and isinstance(cached, models.Model):
                near.append(cached)
            if prefetched := row.__dict__.get("_prefetched_objects_cache"):
                near += getattr(prefetched.get(step.name), "_result_cache", None) or ()
        if not near:
            return near
        found = near
    return found


def seen_from(change: Change) -> Seen:
    how = (change.unordered, change.saved, change.loaded)
    key = ("seen", change.model, change.kind, change.learnt.columns, how)
    return once(key, lambda: Seen(find_views(change), find_coming_back(change)))


def find_views(change: Change) -> tuple[View, ...]:
    found: dict[tuple[tuple[Step, ...], type[models.Model]], set[str]] = defaultdict(set)
    for hops, target, names in concerned(change):
        for steps in ways_back(hops):
            for way in (steps, *((*steps, step) for step in kin(target))):
                found[way, target].update(names)
    return tuple(view(*key, frozenset(names)) for key, names in found.items())


def concerned(
    change: Change,
) -> Iterator[tuple[Sequence[Hop], type[models.Model], frozenset[str]]]:
    """What a write leads to: the path from a target, its model, and the fields that are written."""
    for watch in registry.plan().sources.get(change.model, ()):
        if watch.maintenance.concerned([change]):
            rules = watch.maintenance.rules
            names = {rule.field.attname for rule in rules} | {r.declaration.touch for r in rules}
            path, target = watch.dependency.path, watch.maintenance.target
            yield path.hops, target, frozenset(filter(None, names))


def view(steps: tuple[Step, ...], model: type[models.Model], names: frozenset[str]) -> View:
    change = Change(model, "update", Learnt(columns=names))
    is_read = any(w.maintenance.concerned([change]) for w in registry.plan().sources.get(model, ()))
    tracked = hasattr(model, tracking.NAME)
    return View(steps, model, names, change if is_read else None, tracked)


def find_coming_back(change: Change) -> Back:
    """An inserted row is given its first values before, or evaluated at once: what one step alone
    leads to is known.
    """
    found: dict[type[models.Model], frozenset[str]] = defaultdict(frozenset)
    ahead, been = [(change, False)], set()
    while ahead:
        write, turned = ahead.pop()
        for hops, target, names in concerned(write):
            # Ways that only go up, from rows to those that they refer to, do not come back.
            comes_down = turned or any(hop.forward for hop in hops)
            if comes_down and not (write is change and change.kind == "insert"):
                found[target] |= names
            if (target, names, comes_down) not in been:
                been.add((target, names, comes_down))
                ahead.append((Change(target, "update", Learnt(columns=names)), comes_down))
    return tuple(found.items())


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
    """Whether a many-to-many field is made of the rows that a hop leads to, by these keys.

    A field of another package, such as taggit's, may only look like one.
    """
    known = isinstance(field, ManyToManyField)
    through: Any = field.remote_field.through
    if not known or concrete(through) is not hop.model:
        return False
    return keys == (field.m2m_field_name(), field.m2m_reverse_field_name())
