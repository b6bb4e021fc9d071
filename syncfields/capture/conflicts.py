"""``bulk_create()`` that does not say which rows it inserted.

With ``ignore_conflicts`` the database is asked for them, where it can answer. What else there is
(``update_conflicts``, and every ``bulk_create()`` on MySQL) may have replaced rows that were not
read before. The targets that the given rows lead to, before and after, are then evaluated anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import or_
from typing import Any

from django.db import connections
from django.db.models import Model, Q, QuerySet, UniqueConstraint
from django.db.models.sql import InsertQuery

from syncfields import engine, initial, registry, scope
from syncfields.changes import Change
from syncfields.locks import lock_named, reading
from syncfields.maintenance.base import Maintenance
from syncfields.paths import Path, column
from syncfields.trees import connected, rows, rows_with

BATCH = 200


def returns_keys(using: str, objs: Sequence[Any] = ()) -> bool:
    return connections[using].features.can_return_rows_from_bulk_insert or (
        bool(objs) and all(obj.pk is not None for obj in objs)
    )


@contextmanager
def noting_inserted(queryset: Any) -> Iterator[list[Any]]:
    """The primary keys of the rows that ``bulk_create(ignore_conflicts=True)`` really inserts.

    The database leaves the others out of what it returns, and decides by itself: no other process
    can insert the same row in between.
    """
    noted: list[Any] = []

    def _insert(objs: Any, fields: Any, using: str, **options: Any) -> list[Any]:
        noted.extend(insert(queryset.model, using, objs, fields, options["on_conflict"]))
        return []

    queryset._insert = _insert
    try:
        yield noted
    finally:
        del queryset._insert


def insert(
    model: type[Model], using: str, objs: Sequence[Any], fields: Any, on_conflict: Any
) -> Iterator[Any]:
    """As ``QuerySet._insert()``, which is not prepared for rows that do not come back."""
    query: Any = InsertQuery(model, on_conflict=on_conflict)
    query.insert_values(fields, objs)
    compiler = query.get_compiler(using=using)
    compiler.returning_fields = model._meta.pk_fields
    ((text, params),) = compiler.as_sql()
    with connections[using].cursor() as cursor:
        cursor.execute(text, params)
        found = cursor.fetchall()
    columns = [field.get_col(model._meta.db_table) for field in model._meta.pk_fields]
    for row in compiler.apply_converters(found, compiler.get_converters(columns)):
        yield tuple(row) if len(columns) > 1 else row[0]


def create(
    using: str,
    model: type[Model],
    objs: Sequence[Any],
    write: Callable[[], Any],
    unique_fields: Sequence[str] | None,
) -> Any:
    plan = registry.plan()
    if (suspension := scope.suspended()) is not None and not suspension.noting:
        return write()
    watching = list(dict.fromkeys(watch.maintenance for watch in plan.sources.get(model, ())))
    with engine.together(connections[using]):
        new = Change(model, "insert", rows=[vars(obj) for obj in objs], partial=True)
        # One by one: rows that come back without their keys cannot be evaluated afterwards.
        late: list[Maintenance] = []
        if suspension is None:
            for group in [objs] if returns_keys(using) else [[obj] for obj in objs]:
                late = initial.assign(using, new, group)
        rivals = conflicting(using, model, objs, unique_fields)
        replaced = Change(model, "update", rivals)
        keeping = engine.Keeping(using, [replaced])
        engine.lock_sources(using, [replaced], keeping.maintenances)
        lock_connected(using, watching, model, objs)
        counting = engine.Keeping(using, [new] if suspension is None else [])
        counting.maintenances = [each for each in counting.maintenances if not each.reconcilable]
        counting.before()
        touched = {each: targets(using, each, model, objs, replaced) for each in watching}
        result = write()
        if late or counting.maintenances:
            new.pks = list(present(using, model, objs, unique_fields) - set(rivals))
        counting.after()
        for each in watching:
            touched[each] |= targets(using, each, model, objs, replaced)
        for each, pks in touched.items():
            if suspension is not None:
                suspension.note_targets(using, [each], pks)
            elif each.reconcilable and pks:
                engine.evaluate(using, each, pks)
        for each in late:
            engine.evaluate(using, each, set(new.pks))
    return result


def lock_connected(
    using: str, maintenances: Sequence[Maintenance], model: type[Model], objs: Sequence[Any]
) -> None:
    """Lock what the rows will be connected with, while it is known which they are."""
    written = [vars(obj) for obj in objs]
    for maintenance in maintenances:
        for dependency in maintenance.dependencies:
            if dependency.model is model and dependency.path.hops:
                lock_named(dependency, maintenance.dependencies, using, written)


def present(
    using: str, model: type[Model], objs: Sequence[Any], unique_fields: Sequence[str] | None
) -> set[Any]:
    """The keys of the given rows after the write, as far as a key or unique columns tell them."""
    if not returns_keys(using, objs):
        return set(conflicting(using, model, objs, unique_fields))
    found = rows_with(model, using, [obj.pk for obj in objs])
    return set(found.values_list("pk", flat=True))


def targets(
    using: str, maintenance: Maintenance, model: type[Model], objs: Sequence[Any], replaced: Change
) -> set[Any]:
    """The targets that the rows lead to: those in the table, and those to be inserted."""
    found: set[Any] = set()
    affected = maintenance.affected([replaced], using) if replaced.pks else None
    if affected is not None:
        found.update(reading(affected).values_list("pk", flat=True))
    for dependency in maintenance.dependencies:
        if dependency.model is not model or not dependency.path.hops:
            continue
        if (reached := leading_to(using, dependency.path, objs)) is not None:
            found.update(reading(reached).values_list("pk", flat=True))
    return found


def leading_to(using: str, path: Path, objs: Sequence[Any]) -> QuerySet[Any] | None:
    """Targets that rows not yet in the table will be connected with, by the keys they hold."""
    arrival = path.hops[-1]
    if arrival.forward:
        return None
    before = Path(path.target, path.hops[:-1])
    near, far = arrival.columns[0]
    keys = {getattr(obj, far) for obj in objs} - {None}
    named = reading(rows(before.model, using).filter(**{f"{near}__in": keys}))
    return connected(using, [(before, list(named.values_list("pk", flat=True)))]) if keys else None


def conflicting(
    using: str, model: type[Model], objs: Sequence[Any], unique_fields: Sequence[str] | None
) -> list[Any]:
    """The rows in the table that are equal to a given one in some unique set of columns."""
    sets = [tuple(unique_fields)] if unique_fields else list(unique_sets(model))
    conditions: list[Q] = []
    for names in sets:
        fields = [model._meta.pk if n == "pk" else column(model, n) for n in names]
        for obj in objs:
            values = [(field.attname, getattr(obj, field.attname)) for field in fields]
            if all(value is not None for _, value in values):
                conditions.append(Q(*values))
    found: dict[Any, None] = {}
    for start in range(0, len(conditions), BATCH):
        # SQLite limits how deep a condition may be.
        any_of = reduce(or_, conditions[start : start + BATCH])
        equal = reading(rows(model, using).filter(any_of))
        found |= dict.fromkeys(equal.values_list("pk", flat=True))
    return list(found)


def unique_sets(model: type[Model]) -> Iterator[tuple[str, ...]]:
    meta = model._meta
    yield tuple(field.name for field in meta.pk_fields)
    for field in meta.local_concrete_fields:
        if field.unique and not field.primary_key:
            yield (field.name,)
    yield from (tuple(names) for names in meta.unique_together)
    for constraint in meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.fields:
            yield tuple(constraint.fields)
