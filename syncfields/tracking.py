"""Where old values come from.

``database``, the default: the row is read under lock just before it is written, so that stale
instances, other processes and rolled-back transactions cannot make a wrong delta. ``memory``: a
``FieldTracker`` of django-model-utils remembers what was loaded or last saved. That saves a
statement for each update and is exact only as long as instances are not stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.db import models
from model_utils import FieldTracker

from syncfields import conf
from syncfields.plan import Plan

NAME = "syncfields_tracker"


class Tracker(FieldTracker):
    """Attached to a finished class, and without descriptors: what is deferred is not tracked."""

    def finalize_class(self, sender: type[models.Model], **kwargs: object) -> None:
        self.name, self.attname = NAME, f"_{NAME}"
        self.fields = set(self.fields)
        self.field_map = self.get_field_map(sender)
        self.model_class = sender
        setattr(sender, self.name, self)
        self.patch_init(sender)
        self.patch_save(sender)


def attach(plan: Plan) -> None:
    """Track the source models of which every rule takes its old values from memory."""
    for model, watches in plan.sources.items():
        rules = {rule for watch in watches for rule in watch.maintenance.rules}
        known = vars(model).get(NAME)
        if not all(in_memory(rule.declaration.tracking) for rule in rules):
            continue
        if known is None:
            Tracker(plan.columns[model]).finalize_class(model)
        else:
            known.fields |= plan.columns[model]
            known.field_map = known.get_field_map(model)


def in_memory(declared: str | None) -> bool:
    return (declared or conf.tracking()) == "memory"


def remembered(instance: models.Model, columns: frozenset[str]) -> Mapping[str, Any] | None:
    """The old values of the columns, if the instance knows all of them."""
    tracker = getattr(instance, NAME, None)
    if tracker is None or instance._state.adding:
        return None
    saved = cast("Mapping[str, Any]", tracker.saved_data)
    return dict(saved) if columns <= saved.keys() else None


def remember(instance: models.Model, written: Mapping[str, Any]) -> None:
    """Note what was just written. FieldTracker itself misses a key named by its column."""
    if (tracker := getattr(instance, NAME, None)) is not None:
        for name, value in written.items():
            if name in tracker.fields and not hasattr(value, "resolve_expression"):
                tracker.saved_data[name] = value
            else:
                tracker.saved_data.pop(name, None)
