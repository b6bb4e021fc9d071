"""Deletes with all they cascade to, by Django's own ``Collector``.

The collector is the one place that knows everything a delete does: the rows of each model, keys
set to NULL or a default, and the querysets that it deletes without loading. Receivers on
``pre_delete`` would switch those fast deletes off, and would see neither nulled keys nor automatic
through models.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.db import connections, models
from django.db.models import QuerySet
from django.db.models.deletion import Collector
from django.db.models.sql import DeleteQuery, UpdateQuery

from syncfields.capture.querysets import COLLECTED
from syncfields.capture.wrapping import wrap
from syncfields.declare.paths import concrete
from syncfields.keep import engine, grouped, many
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change
from syncfields.memory import dropped, instances
from syncfields.plan import registry, routes
from syncfields.plan.routes import route
from syncfields.programs import order
from syncfields.sql.locks import lock, lock_and_read, lock_collected, lock_out
from syncfields.sql.trees import rows, rows_with
from syncfields.targets.updates import sorted_pks
from syncfields.transactions import scope
from syncfields.transactions.atomic import persistently, together

MEMORY_LIMIT = 100
DATABASE_CASCADE = getattr(models, "DB_CASCADE", None)
DATABASE_SETS = (getattr(models, "DB_SET_NULL", None), getattr(models, "DB_SET_DEFAULT", None))


_writing: ContextVar[Sequence[tuple[Change, int]]] = ContextVar("syncfields_deletes", default=())
"""What the collector at work is about to write, and how many rows that were when it loaded them."""


def connect() -> None:
    wrap(Collector, "delete", collected)
    wrap(DeleteQuery, "delete_batch", deleting)
    wrap(UpdateQuery, "update_batch", updating)


def deleting(original: Callable[..., int]) -> Callable[..., int]:
    def delete_batch(self: Any, pk_list: Sequence[Any], using: str) -> int:
        return original(self, those_there(self, pk_list, "delete"), using)

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
        if (change.model, change.kind, change.columns) == (model, kind, columns):
            return change.pks if len(change.pks) < number else pks
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
        attempt = partial(collect_and_keep, self, lambda: original(self))
        if any(map(self._has_signal_listeners, self.data)):
            with together(connection):  # Once only: receivers are called within.
                return attempt()
        return persistently(connection, attempt, [Collected(self)])

    return delete


def collect_and_keep(collector: Any, delete: Callable[[], Any]) -> Any:
    gone: list[Any] = []
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
    change = Change(concrete(type(instance)), "delete", [instance.pk])
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
    keeping = engine.Keeping(connections[collector.using], changes, gone)
    writing = [(change, len(change.pks)) for change in changes]
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
    keeping.after()
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


def instances_of(collector: Any) -> list[Any]:
    return [instance for each in collector.data.values() for instance in each]


def concerned_by(collector: Any) -> list[Maintenance]:
    """The maintenances to which anything matters that the collector is about to do, or whose rows
    are to be locked in one order with those that they copy from.
    """
    changes = list(kinds_of_change(collector))
    found = [each for change in changes for each in route(change).maintenances]
    if connections[collector.using].features.has_select_for_update:
        found += taken_together({change.model for change in changes if change.kind == "delete"})
    return list(dict.fromkeys(found))


def taken_together(models: Collection[Any]) -> Iterator[Maintenance]:
    """Those of which targets and sources are deleted at once. Nothing is left to be kept, but who
    writes such a source goes on to its targets, and Django deletes these first.
    """
    plan = registry.plan()
    for model in models:
        for each in plan.targets.get(model, ()):
            if any(found.path.hops and found.model in models for found in each.dependencies):
                yield each


def kinds_of_change(collector: Any) -> Iterator[Change]:
    """What the collector does, and the database after it, without the rows."""
    deleted = [*collector.data, *(queryset.model for queryset in collector.fast_deletes)]
    fields = [field for field, _ in collector.field_updates]
    for model in map(concrete, deleted):
        yield Change(model, "delete")
        for field in database_keys(model, set()):
            if field.remote_field.on_delete is DATABASE_CASCADE:
                yield Change(concrete(field.model), "delete")
            else:
                fields.append(field)
    for field in fields:
        yield Change(concrete(field.model), "update", columns=frozenset({field.attname}))


def announce(collector: Collector, done: Callable[[], None]) -> None:
    """Call ``done`` once the collector has sent all ``pre_delete`` signals."""
    instances_with_model = collector.instances_with_model

    def announced() -> Iterator[Any]:
        yield from instances_with_model()
        done()

    collector.instances_with_model = announced  # type: ignore[method-assign]


def changes_of(collector: Any, gone: list[Any]) -> Iterator[Change]:
    """Everything that the collector is about to do to rows that a rule reads or keeps, in the order
    of the models.

    Rows of which the DELETE says all will be in ``gone`` instead.
    """
    using, plan = collector.using, registry.plan()
    deleted: dict[Any, list[Any]] = defaultdict(list)
    for model, collected in collector.data.items():
        deleted[concrete(model)] += [instance.pk for instance in collected]
    nulled: dict[tuple[Any, str], list[Any]] = defaultdict(list)
    given: dict[tuple[Any, str], list[dict[str, Any]]] = defaultdict(list)
    for (field, value), collections in collector.field_updates.items():
        if concrete(field.model) in plan.sources:
            key = concrete(field.model), field.attname
            for each in collections:
                if isinstance(each, QuerySet):
                    vars(each)["_for_write"] = True
                nulled[key] += [instance.pk for instance in each]
            # The function of SET() may return an instance.
            is_instance = isinstance(value, models.Model)
            new = getattr(value, field.target_field.attname) if is_instance else value
            given[key].append({field.attname: new})
    loaded: dict[Any, list[Any]] = defaultdict(list)
    for model, pks in (*deleted.items(), *((model, pks) for (model, _), pks in nulled.items())):
        loaded[model] += pks
    found = lock_in_order(collector, loaded, gone)
    for model, locked in found.items():
        deleted[model] += keys_of(locked)
    cascade_in_database(using, deleted, nulled)
    for model in filter(is_kept, deleted):
        yield deleting_rows(model, deleted[model], found.get(model, []))
    for (model, column), pks in nulled.items():
        lost = set(deleted.get(model, ()))
        left = [pk for pk in sorted_unique(pks) if pk not in lost]
        yield Change(model, "update", left, frozenset({column}), rows=given[model, column])


def deleting_rows(model: Any, pks: list[Any], locked: list[dict[str, Any]]) -> Change:
    """The DELETE of some rows; where all of them are locked, the keys that they hold are known."""
    if keys_of(locked) != pks:
        return Change(model, "delete", sorted_unique(pks))
    return Change(model, "delete", sorted_unique(pks), former=locked, locked=True)


def lock_in_order(
    collector: Any, loaded: dict[Any, list[Any]], gone: list[Any]
) -> dict[Any, list[dict[str, Any]]]:
    """Lock the rows that the collector deletes without having loaded them, which are returned with
    the keys that they hold, and the loaded ones whose tables come before theirs. All others are
    locked later.
    """
    using, ranks = collector.using, order.ranks()
    locks = connections[using].features.has_select_for_update
    kept = {each.target for each in concerned_by(collector)}
    unloaded = defaultdict(list)
    for number, queryset in enumerate(collector.fast_deletes):
        unloaded[concrete(queryset.model)].append(number)
    found: dict[Any, list[dict[str, Any]]] = {}
    waiting: list[Any] = []
    models = sorted({*loaded, *unloaded}, key=lambda each: ranks.get(each, len(ranks)))
    for position, model in enumerate(models):
        is_last = not any(is_watched(each) for each in models[position + 1 :])
        for number in unloaded[model]:
            queryset = collector.fast_deletes[number]
            passed_on = bool(list(database_keys(model, set())))
            ways = None if passed_on else many.ways_of_deleted(Change(model, "delete"))
            if ways:
                vars(queryset)[COLLECTED] = partial(delete_noting, gone, ways)
            if (ways and is_last) or not (is_watched(model) or model in kept or passed_on):
                continue
            for each in waiting:
                lock(each, using, loaded[each])
            waiting.clear()
            lock_rows = lock_collected if collector.data else lock_and_read
            names = order.keys_held(Change(model, "delete")) if locks and not ways else ()
            locked = lock_rows(queryset.using(using), *names)
            if ways:
                continue
            chosen = rows_with(model, using, keys_of(locked))
            vars(chosen)[COLLECTED] = True
            collector.fast_deletes[number] = chosen
            found.setdefault(model, []).extend(locked)
        if model in loaded and model in ranks:
            waiting.append(model)
    return found


def is_watched(model: Any) -> bool:
    """Whether the engine locks rows of the model before they are deleted."""
    return bool(route(Change(model, "delete")).maintenances)


def is_kept(model: Any) -> bool:
    plan = registry.plan()
    return model in plan.sources or model in plan.targets


def delete_noting(
    gone: list[Any], ways: Any, queryset: QuerySet[Any], delete: Callable[[QuerySet[Any]], int]
) -> int:
    """Delete the rows of a queryset; ``gone`` is for the one who keeps the targets afterwards."""
    groups = grouped.delete(queryset, ways, delete)
    gone.append((ways, groups))
    return groups.total


def keys_of(locked: Iterable[Mapping[str, Any]]) -> list[Any]:
    return [row["pk"] for row in locked]


def sorted_unique(pks: Iterable[Any]) -> list[Any]:
    return sorted_pks(set(pks))


def database_keys(model: Any, seen: set[Any]) -> Iterator[Any]:
    """Foreign keys, near and far, through which the database itself passes on a delete."""
    for relation in model._meta.related_objects:
        field = relation.field
        on_delete = getattr(relation, "on_delete", None)
        if field in seen or on_delete is None:
            continue
        if on_delete is DATABASE_CASCADE:
            seen.add(field)
            yield field
            yield from database_keys(concrete(field.model), seen)
        elif on_delete in DATABASE_SETS:
            yield field


def cascade_in_database(
    using: str, deleted: dict[Any, list[Any]], nulled: dict[tuple[Any, str], list[Any]]
) -> None:
    """Add the rows that the database will delete or null by itself (Django 6.1)."""
    if DATABASE_CASCADE is None:
        return
    pending = list(deleted.items())
    while pending:
        model, pks = pending.pop()
        if next(database_keys(model, set()), None) is not None:
            lock_out(model, using, pks)
        for relation in model._meta.related_objects:
            field = relation.field
            on_delete = getattr(relation, "on_delete", None)
            if on_delete is not DATABASE_CASCADE and on_delete not in DATABASE_SETS:
                continue
            child = concrete(field.model)
            found = rows(child, using).filter(**{f"{field.name}__pk__in": pks})
            keys = keys_of(lock_collected(found))
            if on_delete is not DATABASE_CASCADE:
                nulled[child, field.attname] += keys
            elif fresh := [key for key in keys if key not in set(deleted[child])]:
                deleted[child] += fresh
                pending.append((child, fresh))
