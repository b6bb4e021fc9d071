"""``bulk_create()`` of rows of which some may be in the table already.

With ``ignore_conflicts`` the database is asked for those that it inserted, where it can answer; for
``update_conflicts`` see ``upserts.py``. Where it cannot (MySQL), any ``bulk_create()`` may have
replaced rows that were not read before. The targets that the given rows lead to, before and after,
are then evaluated anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from operator import or_
from typing import Any

from django.db import connections
from django.db.models import Model, Q, QuerySet, UniqueConstraint
from django.db.models.sql import InsertQuery

from syncfields.declare.paths import Path, column
from syncfields.keep import engine
from syncfields.keep.keeping import Keeping
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change, Learnt
from syncfields.memory.given import Given
from syncfields.plan import registry
from syncfields.programs import absent, initial, order
from syncfields.sql.along import lock_named
from syncfields.sql.databases import vendor_of
from syncfields.sql.locks import reading, take
from syncfields.sql.rows import connected, rows, rows_with
from syncfields.transactions import scope
from syncfields.transactions.atomic import persistently
from syncfields.transactions.scope import Suspension

BATCH = 200


def returns_keys(using: str, objs: Sequence[Any] = ()) -> bool:
    return connections[using].features.can_return_rows_from_bulk_insert or (
        bool(objs) and all(obj.pk is not None for obj in objs)
    )


@contextmanager
def sending(queryset: Any, insert: Callable[..., Any]) -> Iterator[None]:
    """Let ``bulk_create()`` send each of its INSERTs by ``insert`` instead of ``_insert()``."""
    queryset._insert = insert
    try:
        yield
    finally:
        del queryset._insert


@contextmanager
def noting_inserted(queryset: Any) -> Iterator[list[Any]]:
    """The primary keys of the rows that ``bulk_create(ignore_conflicts=True)`` really inserts.

    The database leaves the others out of what it returns, and decides by itself: no other process
    can insert the same row in between.
    """
    noted: list[Any] = []

    def insert(objs: Any, fields: Any, using: str, **options: Any) -> list[Any]:
        query: Any = InsertQuery(queryset.model, on_conflict=options["on_conflict"])
        query.insert_values(fields, objs)
        noted.extend(pk for pk, _ in returned(query, using))
        return []

    with sending(queryset, insert):
        yield noted


def returned(
    query: Any,
    using: str,
    wanted: Sequence[Any] = (),
    condition: str = "",
    params: Sequence[Any] = (),
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Send an INSERT; the primary key of each row that comes back, and what is ``wanted`` of it.

    Django's own compiler is not prepared for rows that do not come back. ``condition`` is what
    follows the ON CONFLICT clause.
    """
    compiler, meta = query.get_compiler(using=using), query.get_meta()
    compiler.returning_fields = [*meta.pk_fields, *wanted]
    ((text, given),) = compiler.as_sql()
    insert, _, names = text.rpartition(" RETURNING ")
    with connections[using].cursor() as cursor:
        cursor.execute(f"{insert}{condition} RETURNING {names}", [*given, *params])
        found = cursor.fetchall()
    columns = [field.get_col(meta.db_table) for field in compiler.returning_fields]
    width = len(meta.pk_fields)
    for row in compiler.apply_converters(found, compiler.get_converters(columns)):
        yield (row[0] if width == 1 else tuple(row[:width])), tuple(row[width:])


def carry_out(
    using: str,
    new: Change,
    objs: Sequence[Any],
    write: Callable[[], Any],
    keep: Callable[[Suspension | None], Any],
) -> Any:
    """Carry out ``write``, a ``bulk_create()`` of rows of which some may be there, by way of
    ``keep``, which keeps the targets, or notes them.
    """
    suspension = scope.suspended()
    if suspension is not None and not suspension.noting:
        return write()
    return persistently(connections[using], partial(keep, suspension), [new.learnt, Given(objs)])


def create(
    using: str,
    model: type[Model],
    objs: Sequence[Any],
    unique_fields: Sequence[str] | None,
    write: Callable[[], Any],
) -> Any:
    """Carry out ``write``, the ``bulk_create()``, where rows come back without their keys."""
    plan, connection = registry.plan(), connections[using]
    new = Change(model, "insert", rows=[vars(obj) for obj in objs], partial=True)
    watching = list(dict.fromkeys(watch.maintenance for watch in plan.sources.get(model, ())))

    def keep(suspension: Suspension | None) -> Any:
        # One by one: rows that come back without their keys cannot be evaluated afterwards.
        late: dict[Maintenance, None] = {}
        if suspension is None:
            for obj in objs:
                late |= dict.fromkeys(initial.assign(using, new, [obj]))
            late |= dict.fromkeys(engine.of_absent(using, new, objs, late))
        rivals = conflicting(using, model, objs, unique_fields)
        replaced = Change(model, "update", Learnt(rivals))
        keeping = Keeping(connection, [replaced])
        order.lock_sources(connection, [replaced], keeping.maintenances)
        lock_connected(using, watching, model, objs)
        counting = Keeping(connection, [new] if suspension is None else [])
        counting.maintenances = [each for each in counting.maintenances if not each.reconcilable]
        counting.before()
        touched = {each: targets(using, each, model, objs, replaced) for each in watching}
        result = absent.meeting(using, new, write)()
        if late or counting.maintenances:
            new.learnt.pks = list(present(using, model, objs, unique_fields) - set(rivals))
        engine.finish(counting)
        for each in watching:
            touched[each] |= targets(using, each, model, objs, replaced)
        for each, pks in touched.items():
            if suspension is not None:
                suspension.note_targets(using, [each], pks)
            elif each.reconcilable and pks:
                engine.evaluate(using, each, pks)
        for each in late:
            engine.evaluate(using, each, set(new.learnt.pks))
        return result

    return carry_out(using, new, objs, write, keep)


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
    affected = maintenance.affected([replaced], using) if replaced.learnt.pks else None
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
    equal = questions(using, model, objs, unique_fields)
    return list(
        dict.fromkeys(pk for each in equal for pk in reading(each.values_list("pk", flat=True)))
    )


def lock_conflicting(
    using: str, model: type[Model], objs: Sequence[Any], unique_fields: Sequence[str] | None
) -> list[Any]:
    """The same rows, locked."""
    # MariaDB would wait for rows that it reads on the way to those, and lock in another order.
    if vendor_of(using) != "mysql":
        equal = list(questions(using, model, objs, unique_fields))
        if len(equal) <= 1:
            return [pk for each in equal for pk in take(each)]
    pks = conflicting(using, model, objs, unique_fields)
    return take(rows_with(model, using, pks)) if pks else []


def questions(
    using: str, model: type[Model], objs: Sequence[Any], unique_fields: Sequence[str] | None
) -> Iterator[QuerySet[Any]]:
    conditions = [
        Q(*values)
        for names in ([unique_fields] if unique_fields else unique_sets(model))
        for obj in objs
        for values in [unique_values(model, obj, names)]
        if values is not None
    ]
    for start in range(0, len(conditions), BATCH):
        # SQLite limits how deep a condition may be.
        yield rows(model, using).filter(reduce(or_, conditions[start : start + BATCH]))


def unique_values(
    model: type[Model], obj: Any, names: Sequence[str]
) -> list[tuple[str, Any]] | None:
    """What an instance holds in unique columns, by attribute name; None where no other row can be
    equal to it.
    """
    fields = [model._meta.pk if name == "pk" else column(model, name) for name in names]
    values = [(field.attname, getattr(obj, field.attname)) for field in fields]
    nulls = any(value is None for _, value in values)
    return None if nulls and not nulls_are_equal(model, names) else values


def is_named(model: type[Model], obj: Any, names: Sequence[str]) -> bool:
    """Whether its values, and no expression, say which other row it may meet."""
    values = unique_values(model, obj, names)
    return values is not None and not any(
        hasattr(value, "resolve_expression") for _, value in values
    )


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


def nulls_are_equal(model: type[Model], names: Sequence[str]) -> bool:
    return any(
        isinstance(each, UniqueConstraint)
        and each.nulls_distinct is False
        and set(each.fields) == set(names)
        for each in model._meta.constraints
    )
