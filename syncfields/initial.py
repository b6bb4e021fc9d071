"""The values with which the synced fields of a new row start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import Model, Subquery, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.sql import Query

from syncfields import registry, types
from syncfields.changes import Change
from syncfields.locks import lock_far, locking, must_write
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.trees import references, rows

_empty: dict[tuple[str, str], Any] = {}
# What a column takes that cannot be NULL, until its value is evaluated a statement later.
PLACEHOLDERS = {"boolean": False, "integer": 0, "decimal": 0, "float": 0.0, "text": ""}


def assign(using: str, change: Change, instances: Sequence[Model]) -> list[Maintenance]:
    """Give new instances their first values; returns what must be evaluated after the INSERT."""
    late: list[Maintenance] = []
    copies: list[Maintenance] = []
    for maintenance in registry.plan().targets.get(change.model, ()):
        if not maintenance.reconcilable:
            start_counting(maintenance, instances)
        elif getattr(maintenance, "starts_empty", False):
            start_empty(using, maintenance, instances)
            if change.unordered or outlived(maintenance):
                late.append(maintenance)
        elif isinstance(maintenance, Copy) and (len(instances) == 1 or picky(maintenance)):
            copies.append(maintenance)
        else:
            late.append(maintenance)
    if copies:
        for instance in instances:
            late += copy(using, change.model, copies, instance)
        late = list(dict.fromkeys(late))
    for maintenance in late:
        hold_places(maintenance, instances)
    return late


def start_empty(using: str, maintenance: Maintenance, instances: Sequence[Model]) -> None:
    for name in maintenance.values:
        for instance in instances:
            setattr(instance, name, empty_value(using, maintenance, name))


def start_counting(maintenance: Maintenance, instances: Sequence[Model]) -> None:
    for rule in maintenance.rules:
        default = rule.field.get_default()
        start = 0 if default in ("", None) and not rule.field.null else default
        for instance in instances:
            setattr(instance, rule.field.attname, start)


def outlived(maintenance: Maintenance) -> bool:
    """Whether rows that refer to the new row may have been there before it."""
    return any(
        hop.outlives_target or hop.by_value
        for dependency in maintenance.dependencies
        for hop in dependency.path.hops
        if not hop.forward
    )


def picky(maintenance: Maintenance) -> bool:
    """Whether a field takes no placeholder until it is evaluated after the INSERT."""
    return any(
        rule.field.unique or (not rule.field.null and types.family(rule.field) not in PLACEHOLDERS)
        for rule in maintenance.rules
    )


def hold_places(maintenance: Maintenance, instances: Sequence[Model]) -> None:
    for rule in maintenance.rules:
        field = rule.field
        for instance in instances:
            if getattr(instance, field.attname) is None and not field.null:
                setattr(instance, field.attname, PLACEHOLDERS.get(types.family(field) or ""))


def empty_value(using: str, maintenance: Maintenance, name: str) -> Any:
    """The value of a rule over no rows."""
    if isinstance(maintenance, Delta):
        return 0
    if isinstance(maintenance, Extreme):
        return None
    assert isinstance(maintenance, Recompute)
    rule = registry.plan().owned[maintenance.target][name]
    key = (using, rule.label)
    if key not in _empty:
        nothing = rows(maintenance.target, using).none()
        empty = nothing.aggregate(_syncfields_value=rule.expression)["_syncfields_value"]
        _empty[key] = 0 if empty is None and not rule.field.null else empty
    return _empty[key]


def copy(
    using: str, model: type[Model], copies: Sequence[Maintenance], instance: Model
) -> list[Maintenance]:
    """Evaluate row expressions for a row that is not there yet, all in one SELECT.

    Returns those whose value is not final: what they read could not be locked on the way.
    """
    late: list[Maintenance] = []
    query = Query(None)
    values: dict[str, Any] = {}
    for dependency in (each for maintenance in copies for each in maintenance.dependencies):
        lock_far(dependency.path, using, vars(instance))
    for maintenance in copies:
        names = {name for value in maintenance.values.values() for name in references(value, model)}
        found = {name: known(using, model, name, instance) for name in names}
        if not all(certain for _, certain in found.values()):
            late.append(maintenance)
        if any(value is None for value, _ in found.values()):
            continue
        for name, (value, _) in found.items():
            # The names stand for what the row will have; resolving them meets these first.
            query.annotations[name] = value.resolve_expression(query)
        values |= maintenance.values
    for name, value in values.items():
        query.add_annotation(value, f"_syncfields_{name}")
    if values:
        query.set_annotation_mask([f"_syncfields_{name}" for name in values])
        (row,) = query.get_compiler(using).results_iter()
        for name, result in zip(values, row, strict=False):
            setattr(instance, name, result)
    return late


def known(using: str, model: type[Model], reference: str, instance: Model) -> tuple[Any, bool]:
    """An expression for what a name will stand for, and whether it is locked until COMMIT."""
    first, _, rest = reference.partition(LOOKUP_SEP)
    field: Any = model._meta.pk if first == "pk" else model._meta.get_field(first)
    if not field.concrete:
        return None, False
    own = getattr(instance, field.attname)
    if hasattr(own, "resolve_expression"):
        return None, False
    if rest and not field.is_relation:  # A transform, or a key of a JSON document.
        return None, False
    if not rest:
        return Value(own, output_field=field), own is not None or not field.primary_key
    target = field.target_field
    sources = rows(field.remote_field.model, using).filter(**{target.attname: own})
    if LOOKUP_SEP not in rest:
        return Subquery(locking(sources).values(rest)), not must_write(using)
    return Subquery(sources.values(rest)), not connections[using].features.has_select_for_update
