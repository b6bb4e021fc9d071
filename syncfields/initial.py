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
from syncfields.locks import locking
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.rules import Rule
from syncfields.trees import references, rows

_empty: dict[tuple[str, str], Any] = {}
# What a column takes that cannot be NULL, until its value is evaluated a statement later.
PLACEHOLDERS = {"boolean": False, "integer": 0, "decimal": 0, "float": 0.0, "text": ""}


def assign(using: str, change: Change, instances: Sequence[Model]) -> list[Maintenance]:
    """Give new instances their first values; returns what must be evaluated after the INSERT."""
    late: list[Maintenance] = []
    for maintenance in registry.plan().targets.get(change.model, ()):
        if not maintenance.reconcilable:
            for rule in maintenance.rules:
                for instance in instances:
                    setattr(instance, rule.field.attname, start_of_count(rule))
            continue
        if getattr(maintenance, "starts_empty", False):
            for name in maintenance.values:
                for instance in instances:
                    setattr(instance, name, empty_value(using, maintenance, name))
            certain = not (change.raw or outlived(maintenance))
        else:
            certain = isinstance(maintenance, Copy) and len(instances) == 1
            certain = certain and copied(using, maintenance, instances[0])
            if not certain:
                hold_places(maintenance, instances)
        if not certain:
            late.append(maintenance)
    return late


def start_of_count(rule: Rule) -> Any:
    default = rule.field.get_default()
    return 0 if default in ("", None) and not rule.field.null else default


def outlived(maintenance: Maintenance) -> bool:
    """Whether rows that refer to the new row may have been there before it."""
    return any(
        hop.outlives_target
        for dependency in maintenance.dependencies
        for hop in dependency.path.hops
        if not hop.forward
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
        _empty[key] = nothing.aggregate(_syncfields_value=rule.expression)["_syncfields_value"]
    return _empty[key]


def copied(using: str, maintenance: Maintenance, instance: Model) -> bool:
    """Evaluate row expressions for a row that is not there yet. False where that is not final."""
    model = maintenance.target
    final = True
    for name, expression in maintenance.values.items():
        query = Query(None)  # type: ignore[arg-type]
        for reference in references(expression, model):
            value, certain = known(using, model, reference, instance)
            final = final and certain
            if value is None:
                return False
            # The names stand for what the row will have; resolving them meets these first.
            query.annotations[reference] = value.resolve_expression(query)
        query.add_annotation(expression, "_syncfields_value")
        query.set_annotation_mask(["_syncfields_value"])
        ((result, *_),) = query.get_compiler(using).results_iter()
        setattr(instance, name, result)
    return final


def known(using: str, model: type[Model], reference: str, instance: Model) -> tuple[Any, bool]:
    """An expression for what a name will stand for, and whether it is locked until COMMIT."""
    first, _, rest = reference.partition(LOOKUP_SEP)
    field: Any = model._meta.pk if first == "pk" else model._meta.get_field(first)
    if not field.concrete:
        return None, False
    own = getattr(instance, field.attname)
    if hasattr(own, "resolve_expression"):
        return None, False
    if not rest:
        return Value(own, output_field=field), own is not None or not field.primary_key
    target = field.target_field
    sources = rows(field.remote_field.model, using).filter(**{target.attname: own})
    several = LOOKUP_SEP in rest and connections[using].features.has_select_for_update
    return Subquery(locking(sources).values(rest)), not several
