"""What a collector is about to do to rows that a rule reads or keeps, and the locks for that.

Rows that it has loaded, those of querysets that it deletes without loading, keys that it sets to
NULL or a default, and what the database passes on by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from django.db import models
from django.db.models import QuerySet

from syncfields.capture.querysets import COLLECTED
from syncfields.declare.paths import concrete
from syncfields.keep import grouped, many
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change, Learnt
from syncfields.plan import registry
from syncfields.plan.routes import route
from syncfields.programs import order
from syncfields.sql.databases import has_row_locks
from syncfields.sql.locks import lock, lock_and_read, lock_collected, lock_out
from syncfields.sql.rows import rows, rows_with
from syncfields.targets.updates import sorted_pks

DATABASE_CASCADE = getattr(models, "DB_CASCADE", None)
DATABASE_SETS = (getattr(models, "DB_SET_NULL", None), getattr(models, "DB_SET_DEFAULT", None))


def concerned_by(collector: Any) -> list[Maintenance]:
    """The maintenances to which anything matters that the collector is about to do, or whose rows
    are to be locked in one order with those that they copy from.
    """
    changes = list(kinds_of_change(collector))
    found = [each for change in changes for each in route(change).maintenances]
    if has_row_locks(collector.using):
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
        yield Change(concrete(field.model), "update", Learnt(columns=frozenset({field.attname})))


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
        learnt = Learnt(left, frozenset({column}))
        yield Change(model, "update", learnt, rows=given[model, column])


def deleting_rows(model: Any, pks: list[Any], locked: list[dict[str, Any]]) -> Change:
    """The DELETE of some rows; where all of them are locked, the keys that they hold are known."""
    learnt = Learnt(sorted_unique(pks))
    if keys_of(locked) == pks:
        learnt.former, learnt.locked = locked, True
    return Change(model, "delete", learnt)


def lock_in_order(
    collector: Any, loaded: dict[Any, list[Any]], gone: list[Any]
) -> dict[Any, list[dict[str, Any]]]:
    """Lock the rows that the collector deletes without having loaded them, which are returned with
    the keys that they hold, and the loaded ones whose tables come before theirs. All others are
    locked later.
    """
    using, ranks = collector.using, order.ranks()
    locks = has_row_locks(using)
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
