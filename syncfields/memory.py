"""Instances in memory: what a write made old there is deferred, so that the next read fetches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from django.db import models

from syncfields import registry
from syncfields.changes import Change
from syncfields.paths import Hop, Path, column
from syncfields.trees import rows

DROPPED = "syncfields_dropped"


def forget(instance: models.Model, changes: Sequence[Change], gone: Collection[int] = ()) -> None:
    """Defer the synced fields of targets that are cached on an instance just written.

    ``gone`` are instances, by ``id()``, whose rows are deleted: nothing could be fetched for them.
    """
    seen: set[int] = set(gone)
    for change in changes:
        follow(instance, change, seen, gone)


def follow(instance: models.Model, change: Change, seen: set[int], gone: Collection[int]) -> None:
    for watch in registry.plan().sources.get(change.model, ()):
        if not watch.maintenance.concerned([change]):
            continue
        names = frozenset(rule.field.attname for rule in watch.maintenance.rules)
        for target in cached_targets(instance, watch.dependency.path):
            if id(target) in gone:
                continue
            drop(target, names)
            if id(target) not in seen:
                seen.add(id(target))
                then = Change(watch.maintenance.target, "update", (), names)
                follow(target, then, seen, gone)


def drop(instance: models.Model, names: Iterable[str]) -> None:
    """Defer fields, and remember that it was not the user who did."""
    dropped = vars(instance._state).setdefault(DROPPED, set())
    for name in names:
        if name in instance.__dict__:
            del instance.__dict__[name]
            dropped.add(name)


def restore(instance: models.Model) -> None:
    """Fetch what was dropped and not read since.

    ``save()`` of an instance with deferred fields writes only those that are loaded, tells the
    receivers so, and cannot insert.
    """
    dropped = vars(instance._state).pop(DROPPED, None)
    missing = [name for name in dropped or () if name not in instance.__dict__]
    if not missing:
        return
    model, found = type(instance), None
    if instance.pk is not None and not instance._state.adding:
        stored = rows(model, instance._state.db).filter(pk=instance.pk)
        found = stored.values(*missing).first()
    for name in missing:
        default = column(model, name).get_default()
        instance.__dict__[name] = found[name] if found else default


def cached_targets(instance: models.Model, path: Path) -> Iterator[models.Model]:
    """The targets that can be reached from an instance without a query."""
    current: models.Model | None = instance
    for hop in reversed(path.hops):
        current = current and step_back(current, hop)
    if isinstance(current, path.target):
        yield current


def step_back(instance: models.Model, hop: Hop) -> models.Model | None:
    if hop.generic:
        return None
    if hop.forward:
        name = hop.field.remote_field.cache_name if hop.field.one_to_one else None
    else:
        name = hop.field.cache_name
    return instance._state.fields_cache.get(name) if name else None
