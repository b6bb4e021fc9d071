"""Where old values come from.

``database``, the default: the row is read under lock just before it is written, so that stale
instances, other processes and rolled-back transactions cannot make a wrong delta. ``memory``: a
``FieldTracker`` of django-model-utils remembers what was loaded or last saved. That saves a
statement for each update and is exact only as long as instances are not stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from django.db import connections, models
from model_utils import FieldTracker
from model_utils.tracker import FieldInstanceTracker

from syncfields import conf
from syncfields.maintenance.changes import Change
from syncfields.plan.plan import Plan
from syncfields.sql.holding import UNKNOWN, holding_of

NAME = "syncfields_tracker"
OVER = "over"


def transaction_of(using: str) -> Any:
    """What stands for a transaction, and for no other; None in autocommit mode."""
    connection = connections[using]
    # Django makes a new list with each COMMIT and ROLLBACK, and where a savepoint is rolled back.
    return connection.run_on_commit if connection.in_atomic_block else None


class Remembered(FieldInstanceTracker):
    """What one instance was loaded with; what is deferred is not tracked.

    As little as possible is done for instances that are loaded and perhaps never saved.

    What a write in a transaction tells holds within it. Whether it was committed or rolled back is
    not known afterwards, so nothing is known then.
    """

    transaction: Any = None
    """That of the last write, if it was not in autocommit mode."""

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self).copy()
        if self.transaction is not None:
            state["transaction"] = OVER
        return state

    def note(self, using: str) -> None:
        """A write is told of."""
        self.trust(using)
        self.transaction = transaction_of(using)

    def trust(self, using: str) -> None:
        """Forget what was told in a transaction that is over, or in part of it."""
        if self.transaction is not None and self.transaction is not transaction_of(using):
            self.saved_data.clear()
            self.transaction = None

    def set_saved_fields(self, fields: Iterable[str] | None = None) -> None:
        held = vars(self.instance)
        if fields is None:
            self.saved_data = {}
        if self.instance.pk is None:
            return
        for name in self.fields if fields is None else fields:
            if name in held:
                # As it is: of what can be changed in place, nothing is believed.
                self.saved_data[name] = held[name]


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
        sender.refresh_from_db = refreshing(sender.refresh_from_db)  # type: ignore[method-assign]


def refreshing(original: Callable[..., None]) -> Callable[..., None]:
    """Remember what was read anew, and nothing else: the rest may have been assigned since."""

    @wraps(original)
    def refresh_from_db(
        self: models.Model,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        names = None if fields is None else list(fields)
        original(self, using, names, *args, **kwargs)
        tracker: Remembered = getattr(self, NAME)
        tracker.note(self._state.db or "default")
        if names is None:
            tracker.set_saved_fields(tracker.fields)
        else:
            own = {field.name: field.attname for field in self._meta.concrete_fields}
            read = {own.get(name, name) for name in names}
            tracker.set_saved_fields(read.intersection(tracker.fields))

    return refresh_from_db


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
    using: str, instance: models.Model, model: type[models.Model], columns: frozenset[str]
) -> Mapping[str, Any] | None:
    """The old values of the columns of a model's table, if the instance knows all of them."""
    if not is_trusted(model) or instance._state.adding:
        return None
    tracker = getattr(instance, NAME)
    tracker.trust(using)
    saved: dict[str, Any] = tracker.saved_data
    return {name: saved[name] for name in columns} if columns <= saved.keys() else None


def remember(using: str, instance: models.Model, written: Mapping[str, Any]) -> None:
    """Note what was just stored, as far as that follows from what was given. What does not is read
    before the next write.
    """
    if (tracker := getattr(instance, NAME, None)) is not None:
        tracker.note(using)
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


def remember_inserted(using: str, instance: models.Model, change: Change) -> None:
    """Note a row just inserted."""
    if hasattr(instance, NAME):
        key: Any = change.model._meta.pk
        remember(
            using, instance, {**(change.learnt.written or {}), key.attname: change.learnt.pks[0]}
        )
