"""Where old values come from.

``database``, the default: the row is read under lock just before it is written, so that stale
instances, other processes and rolled-back transactions cannot make a wrong delta. ``memory``: a
``FieldTracker`` of django-model-utils remembers what was loaded or last saved. That saves a
statement for each update and is exact only as long as instances are not stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import models
from model_utils import FieldTracker
from model_utils.tracker import FieldInstanceTracker, lightweight_deepcopy

from syncfields import conf
from syncfields.fields import UNKNOWN
from syncfields.maintenance.folding import holding_of
from syncfields.plan import Plan

NAME = "syncfields_tracker"
IMMUTABLE = {type(None), bool, int, float, str, Decimal, date, datetime}


class Remembered(FieldInstanceTracker):
    """What one instance was loaded with; what is deferred is not tracked.

    As little as possible is done for instances that are loaded and perhaps never saved.
    """

    def set_saved_fields(self, fields: Iterable[str] | None = None) -> None:
        held = vars(self.instance)
        if fields is None:
            self.saved_data = {}
        if self.instance.pk is None:
            return
        for name in self.fields if fields is None else fields:
            if name in held:
                value = held[name]
                known = type(value) in IMMUTABLE
                self.saved_data[name] = value if known else lightweight_deepcopy(value)


class Tracker(FieldTracker):
    """Attached to a finished class, without descriptors. Saves are noted by the capture of them."""

    tracker_class = Remembered
    trusted = True
    """Whether every rule that reads the model says so, as the plan is now."""

    def finalize_class(self, sender: type[models.Model], **kwargs: object) -> None:
        self.name, self.attname = NAME, f"_{NAME}"
        self.fields = set(self.fields)
        self.field_map = self.get_field_map(sender)
        self.model_class = sender
        setattr(sender, self.name, self)
        self.patch_init(sender)
        self._patch(sender, "refresh_from_db", "fields")


def attach(plan: Plan) -> None:
    """Track the source models of which every rule takes its old values from memory."""
    for model, watches in plan.sources.items():
        rules = {rule for watch in watches for rule in watch.maintenance.rules}
        trusted = all(in_memory(rule.declaration.tracking) for rule in rules)
        known = vars(model).get(NAME)
        if known is not None:
            known.trusted = trusted
            known.fields |= plan.columns[model]
            known.field_map = known.get_field_map(model)
        elif trusted:
            Tracker(plan.columns[model]).finalize_class(model)


def is_trusted(model: type[models.Model]) -> bool:
    """Whether instances say what the columns of their row in the model's table were."""
    known = vars(model).get(NAME)
    return known is not None and known.trusted


def in_memory(declared: str | None) -> bool:
    return (declared or conf.tracking()) == "memory"


def remembered(
    instance: models.Model, model: type[models.Model], columns: frozenset[str]
) -> Mapping[str, Any] | None:
    """The old values of the columns of a model's table, if the instance knows all of them."""
    if not is_trusted(model) or instance._state.adding:
        return None
    saved: dict[str, Any] = getattr(instance, NAME).saved_data
    return {name: saved[name] for name in columns} if columns <= saved.keys() else None


def remember(using: str, instance: models.Model, written: Mapping[str, Any]) -> None:
    """Note what was just stored, as far as that follows from what was given. What does not is read
    before the next write.
    """
    if (tracker := getattr(instance, NAME, None)) is not None:
        for name in tracker.fields & written.keys():
            value = holding_of(using, type(instance), name)(written[name])
            if value is UNKNOWN:
                tracker.saved_data.pop(name, None)
            else:
                tracker.saved_data[name] = value


def forget(instance: models.Model, names: Iterable[str]) -> None:
    """The database holds other values by now."""
    if (tracker := getattr(instance, NAME, None)) is not None:
        for name in names:
            tracker.saved_data.pop(name, None)


def remember_inserted(using: str, instance: models.Model, attname: str, pk: Any) -> None:
    """Note a row just inserted, whose key Django is yet to set on the instance."""
    if hasattr(instance, NAME):
        remember(using, instance, {**vars(instance), attname: pk})
