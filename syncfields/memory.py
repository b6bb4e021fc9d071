"""Instances in memory: what a write made old there is deferred, so that the next read fetches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import models

from syncfields import registry
from syncfields.changes import Change
from syncfields.paths import Hop, Path


def forget(instance: models.Model, changes: Sequence[Change]) -> None:
    """Defer the synced fields of targets that are cached on an instance just written."""
    seen: set[int] = set()
    for change in changes:
        follow(instance, change, seen)


def follow(instance: models.Model, change: Change, seen: set[int]) -> None:
    for watch in registry.plan().sources.get(change.model, ()):
        if not watch.maintenance.concerned([change]):
            continue
        names = frozenset(rule.field.attname for rule in watch.maintenance.rules)
        for target in cached_targets(instance, watch.dependency.path):
            for name in names:
                target.__dict__.pop(name, None)
            if id(target) not in seen:
                seen.add(id(target))
                follow(target, Change(watch.maintenance.target, "update", (), names), seen)


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
