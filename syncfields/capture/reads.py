"""Reads of what was dropped: of one field, by ``refresh_from_db()``, and after async writes.

Django would read a deferred field from wherever it reads by default, through the manager of the
model, by an instance of the model, unless the fetch mode forbids it; and refreshes all but those.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from asgiref.sync import SyncToAsync
from django.db.models import Model

from syncfields.capture.wrapping import wrap
from syncfields.memory import dropped
from syncfields.plan import registry
from syncfields.plan.plan import Plan

MARK = "syncfields_fetches"


def connect() -> None:
    wrap(Model, "refresh_from_db", refreshing)
    # Private. Without it what is dropped in async code cannot be read there.
    if hasattr(SyncToAsync, "thread_handler"):
        wrap(SyncToAsync, "thread_handler", working)
    registry.on_rebuild(attach)


def working(original: Callable[..., Any]) -> Callable[..., Any]:
    def thread_handler(self: Any, *args: Any, **kwargs: Any) -> Any:
        with dropped.crossing():
            return original(self, *args, **kwargs)

    return thread_handler


def refreshing(original: Callable[..., None]) -> Callable[..., None]:
    def refresh_from_db(
        self: Model, using: Any = None, fields: Any = None, from_queryset: Any = None
    ) -> None:
        fields = fields if fields is None else list(fields)
        names = dropped.missing(self)
        if not names or not (fields is None or dropped.named(self, fields)):
            return original(self, using, fields, from_queryset)
        if using is None and from_queryset is None:
            using = dropped.written_to(self)
        if fields is None:
            dropped.fill(self)
        try:
            original(self, using, fields, from_queryset)
            if fields is None:
                dropped.know(self, names)
        finally:
            dropped.unfill(self)
        dropped.note_waiting(self, names, str(using or self._state.db))
        return None

    return refresh_from_db


def attach(plan: Plan) -> None:
    """Let the fields that can be dropped fetch themselves."""
    for model, guarded in plan.guarded.items():
        touched = {rule.declaration.touch or "" for rule in plan.owned.get(model, {}).values()}
        for name in {*guarded, *touched} - {""}:
            descriptor = next(vars(each)[name] for each in model.__mro__ if name in vars(each))
            kind: Any = type(descriptor)
            if hasattr(kind, "__get__") and not hasattr(kind, MARK):
                descriptor.__class__ = fetching(kind, name)


@cache
def fetching(kind: type, name: str) -> type:
    """The same kind of descriptor, which reads what was dropped."""

    def get(self: Any, instance: Any, owner: Any = None) -> Any:
        if instance is not None and dropped.is_missing(instance, name):
            dropped.fetch(instance)
        return kind.__get__(self, instance, owner)  # type: ignore[attr-defined]

    return type(kind.__name__, (kind,), {"__get__": get, "__slots__": (), MARK: True})
