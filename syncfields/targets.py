"""How targets are written: the UPDATE statements of the engine, and the values of new rows."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any

from django.db import connections
from django.db.models import (
    BooleanField,
    Case,
    DecimalField,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    Value,
    When,
    sql,
)
from django.db.models.fields import PositiveIntegerRelDbTypeMixin
from django.db.models.functions import Coalesce, Now, Round

from syncfields import drift, registry, signals
from syncfields.expressions import Tally
from syncfields.locks import locking
from syncfields.maintenance.base import Maintenance
from syncfields.paths import Model
from syncfields.trees import of_row, rows

logger = logging.getLogger("syncfields.drift")
BATCH = 500


def execute(queryset: QuerySet[Any], values: dict[str, Any]) -> int:
    """``QuerySet.update()`` below the library's own capture; the number of rows matched."""
    query = queryset.query.chain(sql.UpdateQuery)
    query.add_update_values(values)
    statement, params = query.get_compiler(queryset.db).as_sql()
    with connections[queryset.db].cursor() as cursor:
        cursor.execute(statement, params)
        return int(cursor.rowcount)


def batches(items: Iterable[Any]) -> Iterable[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def in_key_order(model: Model, using: str, pks: Sequence[Any]) -> QuerySet[Any]:
    """The rows ``pks``; an UPDATE of them takes its locks in the order of their keys."""
    chosen = rows(model, using).filter(pk__in=pks)
    # PostgreSQL updates in whatever order it scans. MariaDB and MySQL follow the primary key.
    if len(pks) > 1 and connections[using].vendor == "postgresql":
        ordered = locking(chosen.order_by("pk").values("pk"))
        return rows(model, using).filter(pk__in=ordered)
    return chosen


def touches(model: Model, columns: Iterable[str]) -> dict[str, Any]:
    owned = registry.plan().owned[model]
    names = {owned[column].declaration.touch for column in columns}
    return {name: Now() for name in names if name is not None}


def evaluate(using: str, maintenance: Maintenance, pks: Sequence[Any]) -> None:
    """Set the synced fields of the targets ``pks`` to the values of their expressions."""
    for batch in batches(pks):
        queryset = rows(maintenance.target, using).filter(pk__in=batch)
        if connections[using].features.update_can_self_select:
            values = {
                name: of_row(maintenance.target, value)
                for name, value in maintenance.values.items()
            }
            execute(queryset, values | touches(maintenance.target, values))
        else:
            drift.repair(using, maintenance.target, maintenance.values, queryset)


def add(
    using: str,
    target: Model,
    pks: Sequence[Any],
    deltas: dict[Any, dict[str, Any]],
    extremes: dict[Any, dict[str, Any]],
) -> list[Any]:
    """Add deltas to the rows ``pks``. Returns those of a batch that was not matched in full."""
    missed: list[Any] = []
    for batch in batches(pks):
        values: dict[str, Any] = {}
        guards = Q()
        for name in sorted({name for pk in batch for name in deltas.get(pk, ())}):
            field = registry.plan().owned[target][name].field
            amounts = {pk: deltas[pk][name] for pk in batch if name in deltas.get(pk, ())}
            amount = per_row(amounts, len(batch), field)
            if isinstance(registry.plan().owned[target][name].expression, Tally):
                values[name] = exact(using, field, Coalesce(F(name), 0, output_field=field) + amount)
                continue
            values[name] = exact(using, field, F(name) + amount)
            guards &= guard(field, amounts, len(batch))
        for name in sorted({name for pk in batch for name in extremes.get(pk, ())}):
            field = registry.plan().owned[target][name].field
            values[name] = Case(
                *(
                    When(
                        Q(pk=pk) & (Q((f"{name}__isnull", True)) | Q((f"{name}__{worse}", value))),
                        then=amount_of(value, field),
                    )
                    for pk in batch
                    for better, value in [extremes.get(pk, {}).get(name, (None, None))]
                    if value is not None
                    for worse in ["lt" if better == "gt" else "gt"]
                ),
                default=F(name),
            )
        queryset = in_key_order(target, using, batch).filter(guards)
        if execute(queryset, values | touches(target, values)) != len(batch):
            missed += batch
    return missed


def amount_of(value: Any, field: Any) -> Any:
    return value if hasattr(value, "resolve_expression") else Value(value, output_field=field)


def per_row(amounts: dict[Any, Any], count: int, field: Any) -> Any:
    """One amount where it is the same for all rows, else a CASE by primary key."""
    if len(amounts) == count and (count == 1 or len(set(amounts.values())) == 1):
        return amount_of(next(iter(amounts.values())), field)
    whens = (When(pk=pk, then=amount_of(each, field)) for pk, each in amounts.items())
    return Case(*whens, default=Value(0, output_field=field))


def exact(using: str, field: Any, value: Any) -> Any:
    """SQLite adds decimals as floats: rounding each sum keeps the error from growing."""
    if isinstance(field, DecimalField) and connections[using].vendor == "sqlite":
        return Round(value, precision=field.decimal_places)
    return value


def guard(field: Any, amounts: dict[Any, Any], count: int) -> Q:
    """What must hold of a row for the delta to be right: else it has drifted, and is healed."""
    checked = Q()
    may_fall = any(hasattr(each, "resolve_expression") or each < 0 for each in amounts.values())
    if isinstance(field, PositiveIntegerRelDbTypeMixin) and may_fall:
        # Not "value + delta >= 0": MariaDB fails on the way to a negative unsigned number.
        least = per_row({pk: -each for pk, each in amounts.items()}, count, IntegerField())
        checked &= Q(AtLeast(F(field.attname), least))
    if field.null:
        checked &= Q((f"{field.attname}__isnull", False))
    return checked


class AtLeast(Func):
    output_field = BooleanField()
    template = "(%(expressions)s)"
    arg_joiner = " >= "


def heal(using: str, target: Model, columns: Collection[str], pks: Sequence[Any]) -> None:
    """Repair targets that a delta could not be added to, and say so."""
    for maintenance in registry.plan().targets[target]:
        values = {
            name: value for name, value in maintenance.values.items() if name in columns
        }
        if not values:
            continue
        found = drift.repair(using, target, values, rows(target, using).filter(pk__in=list(pks)))
        for name, drifts in found.items():
            rule = registry.plan().owned[target][name]
            logger.warning(
                "%s had drifted in %d row(s), for instance %r; repaired.",
                rule.label,
                len(drifts),
                drifts[0],
            )
            signals.drift_found.send(sender=target, rule=rule.label, using=using, drifts=drifts)
