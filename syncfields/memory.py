"""Instances in memory: what a write made old there is deferred, so that the next read fetches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db import models

from syncfields import registry
from syncfields.changes import Change
from syncfields.paths import Hop, column
from syncfields.statements import once
from syncfields.trees import rows

DROPPED = "syncfields_dropped"


@dataclass(frozen=True, slots=True)
class View:
    """Where a target may be cached, as seen from a row that changed."""

    steps: tuple[str, ...]
    model: type[models.Model]
    names: frozenset[str]
    """The fields of the target that are old then."""
    beyond: tuple[View, ...]
    """The targets of the target."""


def forget(instance: models.Model, changes: Sequence[Change], gone: Collection[int] = ()) -> None:
    """Defer the synced fields of targets that are cached on an instance just written.

    ``gone`` are instances, by ``id()``, whose rows are deleted: nothing could be fetched for them.
    """
    for change in changes:
        follow(instance, views(change), gone)


def follow(instance: models.Model, seen: Iterable[View], gone: Collection[int]) -> None:
    for view in seen:
        target: models.Model | None = instance
        for step in view.steps:
            target = target and target._state.fields_cache.get(step)
        if isinstance(target, view.model) and id(target) not in gone:
            drop(target, view.names)
            follow(target, view.beyond, gone)


def views(change: Change) -> tuple[View, ...]:
    how = (change.unordered, change.saved, change.loaded)
    key = ("views", change.model, change.kind, change.columns, how)
    return once(key, lambda: find_views(change))


def find_views(change: Change) -> tuple[View, ...]:
    found: dict[tuple[tuple[str, ...], type[models.Model]], set[str]] = defaultdict(set)
    for watch in registry.plan().sources.get(change.model, ()):
        steps = [cache_name(hop) for hop in reversed(watch.dependency.path.hops)]
        if None not in steps and watch.maintenance.concerned([change]):
            target = tuple(filter(None, steps)), watch.maintenance.target
            found[target].update(rule.field.attname for rule in watch.maintenance.rules)
    return tuple(
        View(steps, model, names, views(Change(model, "update", (), names)))
        for (steps, model), names in zip(found, map(frozenset, found.values()), strict=True)
    )


def cache_name(hop: Hop) -> str | None:
    """Under which name the row at the far end may know the one at the near end."""
    if hop.generic:
        return None
    if hop.forward:
        return hop.field.remote_field.cache_name if hop.field.one_to_one else None
    return str(hop.field.cache_name)


def drop(instance: models.Model, names: Iterable[str]) -> None:
    """Defer fields, and remember that it was not the user who did."""
    for name in names:
        if name in instance.__dict__:
            del instance.__dict__[name]
            vars(instance._state).setdefault(DROPPED, set()).add(name)


def restore(instance: models.Model) -> None:
    """Fetch what was dropped and not read since.

    ``save()`` of an instance with deferred fields writes only those that are loaded, tells the
    receivers so, and cannot insert.
    """
    dropped = instance._state.__dict__.pop(DROPPED, None)
    if not dropped:
        return
    missing = [name for name in dropped if name not in instance.__dict__]
    if not missing:
        return
    model, found = type(instance), None
    if instance.pk is not None and not instance._state.adding:
        stored = rows(model, instance._state.db).filter(pk=instance.pk)
        found = stored.values(*missing).first()
    for name in missing:
        default = column(model, name).get_default()
        instance.__dict__[name] = found[name] if found else default
