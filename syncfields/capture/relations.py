"""Related managers that write rows without an instance of the one they belong to.

``playlist.tracks.add(track)`` inserts rows of a through model, and ``photo.tags.create()`` a tag
that does not know the photo: the instances are in somebody's hand, and not where the write is
noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import connections, router
from django.db.models import Model
from django.db.models.fields.related_descriptors import ManyToManyDescriptor
from django.db.models.signals import m2m_changed

from syncfields.capture.wrapping import wrap
from syncfields.declare.paths import concrete
from syncfields.maintenance.changes import Change
from syncfields.memory import instances
from syncfields.plan import registry
from syncfields.plan.plan import Plan
from syncfields.transactions.atomic import is_own, persistently

MANY_TO_MANY = ("add", "remove", "clear", "set")
GENERIC = (*MANY_TO_MANY, "create", "get_or_create", "update_or_create")


def connect() -> None:
    registry.on_rebuild(attach)


def attach(plan: Plan) -> None:
    """Wrap the managers of relations to sources, once."""
    for source, watches in plan.sources.items():
        for descriptor in many_to_many(source):
            for name in MANY_TO_MANY:
                wrap(descriptor.related_manager_cls, name, linking)
        for hop in {hop for watch in watches for hop in watch.dependency.path.hops if hop.generic}:
            descriptor = getattr(hop.field.model, hop.field.name)
            for name in GENERIC:
                wrap(descriptor.related_manager_cls, name, forgetting)


def many_to_many(through: Any) -> Iterator[Any]:
    """The accessors at both ends of the relations that go through a model, where they are Django's:
    a field of another package, such as taggit's, may look the same and have its own.
    """
    ends = (field.remote_field.model for field in through._meta.fields if field.many_to_one)
    for model in dict.fromkeys(ends):
        for field in model._meta.many_to_many:
            if concrete(field.remote_field.through) is through:
                accessor = getattr(model, field.name)
                if not isinstance(accessor, ManyToManyDescriptor):
                    continue
                yield accessor
                if not field.remote_field.hidden:
                    yield getattr(field.related_model, field.remote_field.accessor_name)


def linking(original: Callable[..., Any]) -> Callable[..., Any]:
    return forgetting(persisting(original))


def persisting(original: Callable[..., Any]) -> Callable[..., Any]:
    """What a manager does to rows between is one transaction, and tried again as a whole; not where
    receivers would be called again.
    """

    def write(self: Any, *args: Any, **kwargs: Any) -> Any:
        using = router.db_for_write(self.through, instance=self.instance)
        if m2m_changed.has_listeners(self.through) or not is_own(connections[using]):
            return original(self, *args, **kwargs)
        return persistently(connections[using], lambda: original(self, *args, **kwargs))

    return write


def forgetting(original: Callable[..., Any]) -> Callable[..., Any]:
    def write(self: Any, *args: Any, **kwargs: Any) -> Any:
        # set() is given its objects as one, which may be a generator.
        args = tuple(each if is_value(each) else tuple(each) for each in args)
        if not is_value(kwargs.get("objs")):
            kwargs["objs"] = tuple(kwargs["objs"])
        result = original(self, *args, **kwargs)
        model = concrete(getattr(self, "through", None) or self.model)
        for given in (self.instance, *args, kwargs.get("objs")):
            for instance in given if isinstance(given, tuple) else (given,):
                instances.forget_among(self.db, instance, changes(model))
        return result

    return write


def is_value(given: Any) -> bool:
    return isinstance(given, (Model, str, bytes)) or not isinstance(given, Iterable)


def changes(model: Any) -> list[Change]:
    """Whatever the manager may have done."""
    return [Change(model, "insert"), Change(model, "update"), Change(model, "delete")]
