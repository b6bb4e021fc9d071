"""Deletes with all they cascade to, by Django's own ``Collector``.

The collector is the one place that knows everything a delete does: the rows of each model, keys
set to NULL or a default, and the querysets that it deletes without loading. Receivers on
``pre_delete`` would switch those fast deletes off, and would see neither nulled keys nor automatic
through models.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.db import connections
from django.db.models.deletion import Collector
from django.db.models.sql import DeleteQuery, UpdateQuery

from syncfields.capture.collected import changes_of, concerned_by, database_keys, is_watched
from syncfields.capture.querysets import COLLECTED
from syncfields.capture.wrapping import wrap
from syncfields.declare.paths import concrete
from syncfields.keep import engine, many
from syncfields.keep.keeping import Keeping
from syncfields.maintenance.changes import Change, Learnt
from syncfields.memory import dropped, instances
from syncfields.plan import routes
from syncfields.sql import saved
from syncfields.transactions import scope
from syncfields.transactions.atomic import persistently, together

MEMORY_LIMIT = 100


_writing: ContextVar[Sequence[tuple[Change, int]]] = ContextVar("syncfields_deletes", default=())
"""What the collector at work is about to write, and how many rows that were when it loaded them."""


def connect() -> None:
    wrap(Collector, "delete", collected)
    wrap(DeleteQuery, "delete_batch", deleting)
    wrap(UpdateQuery, "update_batch", updating)


def deleting(original: Callable[..., int]) -> Callable[..., int]:
    is_plain = saved.is_django(original)

    def delete_batch(self: Any, pk_list: Sequence[Any], using: str) -> int:
        there = those_there(self, pk_list, "delete")
        number = saved.delete(self, using, there[0]) if is_plain and len(there) == 1 else None
        return original(self, there, using) if number is None else number

    return delete_batch


def updating(original: Callable[..., None]) -> Callable[..., None]:
    def update_batch(
        self: Any, pk_list: Sequence[Any], values: Mapping[str, Any], using: str
    ) -> None:
        columns = {self.get_meta().get_field(name).attname for name in values}
        original(self, those_there(self, pk_list, "update", columns), values, using)

    return update_batch


def those_there(
    query: Any, pks: Sequence[Any], kind: str, columns: Collection[str] | None = None
) -> Sequence[Any]:
    """The rows that were there to be locked. Others may come at any moment, unread, by the keys
    of those that are gone.
    """
    model = concrete(query.model)
    for change, number in _writing.get():
        if (change.model, change.kind, change.learnt.columns) == (model, kind, columns):
            there = change.learnt.pks
            return there if len(there) < number else pks
    return pks


def collected(original: Callable[..., Any]) -> Callable[..., Any]:
    def delete(self: Any) -> Any:
        if _writing.get():  # A receiver of pre_delete or post_delete deletes something else.
            with scope.holding(_writing, ()):
                return delete(self)
        if not concerned_by(self):
            keep_old(instances_of(self))
            return original(self)
        known = [(each.model, each._hints.get("instance")) for each in self.fast_deletes]
        with giving_back_keys(self):
            result = keep(self)
        for model, instance in known:  # post.comments.all().delete()
            instances.forget_among(self.using, instance, [Change(concrete(model), "delete")])
        return result

    def keep(self: Any) -> Any:
        if (instance := only_one(self)) is not None:
            result = delete_one(self, instance, lambda: original(self))
            if result is not None:
                return result
        connection = connections[self.using]
        if is_only_fast(self):
            return persistently(connection, lambda: original(self))
        attempt = partial(collect_and_keep, self, instance, lambda: original(self))
        if any(map(self._has_signal_listeners, self.data)):
            with together(connection):  # Once only: receivers are called within.
                return attempt()
        return persistently(connection, attempt, [Collected(self)])

    return delete


def collect_and_keep(collector: Any, instance: Any, delete: Callable[[], Any]) -> Any:
    """``instance``: the only one, where nothing else is deleted."""
    gone: list[Any] = []
    if instance is not None:
        changes = [Change(concrete(type(instance)), "delete", Learnt([instance.pk]))]
    else:
        changes = list(changes_of(collector, gone))
    if (suspension := scope.suspended()) is not None:
        maintenances = routes.concerned(changes)
        return suspension.watch(collector.using, maintenances, changes, delete)
    return delete_and_keep(collector, changes, gone, delete)


class Collected:
    """What a collector has found, which deleting it changes."""

    def __init__(self, collector: Any) -> None:
        self.collector = collector

    def state(self) -> Any:
        known = {model: list(found) for model, found in self.collector.data.items()}
        return known, list(self.collector.fast_deletes), keys_of_instances(self.collector)

    def restore(self, state: Any, /) -> None:
        self.collector.data, self.collector.fast_deletes, keys = state
        for queryset in self.collector.fast_deletes:
            vars(queryset).pop(COLLECTED, None)
        give_back(keys)


@contextmanager
def giving_back_keys(collector: Any) -> Iterator[None]:
    """Django takes the keys from the instances when it has deleted the rows. They are there again
    if what follows from that fails.
    """
    keys = keys_of_instances(collector)
    try:
        yield
    except BaseException:
        give_back(keys)
        raise


def keys_of_instances(collector: Any) -> list[tuple[Any, str, Any]]:
    return [
        (instance, attname, getattr(instance, attname))
        for model, instances in collector.data.items()
        for attname in [model._meta.pk.attname]
        for instance in instances
    ]


def give_back(keys: Iterable[tuple[Any, str, Any]]) -> None:
    for instance, attname, key in keys:
        setattr(instance, attname, key)


def delete_one(collector: Any, instance: Any, delete: Callable[[], Any]) -> Any:
    """What ``Collector.delete()`` returns; None where the usual way is to be taken."""
    keep_old([instance])
    change = Change(concrete(type(instance)), "delete", Learnt([instance.pk]))
    result = many.delete_one(collector.using, instance, delete)
    if isinstance(result, int):
        setattr(instance, instance._meta.pk.attname, None)
        result = result, {instance._meta.label: result}
    if result is not None:
        instances.forget(collector.using, instance, [change], {id(instance)})
    return result


def keep_old(instances: Iterable[Any]) -> None:
    """Read what could not be read any longer when the rows are gone."""
    for instance in filter(dropped.is_old, instances):
        dropped.fetch(instance)


def delete_and_keep(
    collector: Any, changes: list[Change], gone: list[Any], delete: Callable[[], Any]
) -> Any:
    keeping = Keeping(connections[collector.using], changes, gone)
    writing = [(change, len(change.learnt.pks)) for change in changes]
    if any(collector._has_signal_listeners(model) for model in collector.data):
        # Receivers of pre_delete may write the very rows: read them afterwards.
        announce(collector, keeping.before)
    else:
        keeping.before()
    deleted = instances_of(collector)
    keep_old(deleted)
    written = [obj for each in collector.data.values() for obj in list(each)[:MEMORY_LIMIT]]
    with scope.holding(_writing, writing):
        result = delete()
    engine.finish(keeping)
    lost = {id(instance) for instance in deleted}
    for instance in written:
        instances.forget(collector.using, instance, changes, lost)
    return result


def only_one(collector: Any) -> Any:
    """The instance, where the collector deletes nothing but one and needs not ask anybody."""
    if len(collector.data) != 1 or collector.fast_deletes or collector.field_updates:
        return None
    ((model, instances),) = collector.data.items()
    if len(instances) != 1 or list(database_keys(concrete(model), set())):
        return None
    (instance,) = instances
    return instance if collector.can_fast_delete(instance) else None


def is_only_fast(collector: Any) -> bool:
    """Whether all that it does is to delete the rows of one queryset: by ``_raw_delete()``, which
    keeps what follows.
    """
    if collector.data or collector.field_updates or len(collector.fast_deletes) != 1:
        return False
    model = concrete(collector.fast_deletes[0].model)
    return is_watched(model) and not list(database_keys(model, set()))


def instances_of(collector: Any) -> list[Any]:
    return [instance for each in collector.data.values() for instance in each]


def announce(collector: Collector, done: Callable[[], None]) -> None:
    """Call ``done`` once the collector has sent all ``pre_delete`` signals."""
    instances_with_model = collector.instances_with_model

    def announced() -> Iterator[Any]:
        yield from instances_with_model()
        done()

    collector.instances_with_model = announced  # type: ignore[method-assign]
