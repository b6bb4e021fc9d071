"""Writes that name a synced field: refused where it is meant, left out where all are named."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import models

from syncfields.declare.paths import Model, column, concrete
from syncfields.declare.rules import Rule
from syncfields.exceptions import SyncedFieldError
from syncfields.memory import dropped
from syncfields.plan import registry
from syncfields.transactions import scope


def unmeant(
    model: Model, names: Collection[str], spared: Collection[str] = (), saving: bool = False
) -> frozenset[str]:
    """The synced fields among the names of fields to be written. Raises if one of them is meant.

    Who names all fields means no single one: packages do so, where Django itself would name none.
    ``spared``: columns that need not be named, since they cannot be written.
    """
    found: set[str] = set()
    for owner, owned in registry.plan().guarded_by(model):
        named = [rule for rule in owned.values() if rule.field_name in names]
        meant = [rule for rule in named if not (saving and adds_itself(rule.field))]
        if meant and not any(
            names_all(fields, names, spared)
            for fields in (owner._meta.local_concrete_fields, model._meta.concrete_fields)
        ):
            raise refusal(meant[0])
        found.update(rule.field_name for rule in named)
    return frozenset(found)


def unmeant_beside(model: Model, names: Collection[str], given: Collection[str]) -> frozenset[str]:
    """The synced fields among the names, if all fields are named that are not ``given``."""
    return frozenset(
        name
        for owner, owned in registry.plan().guarded_by(model)
        if any(
            names_all(fields, names, columns_of(model, given))
            for fields in (owner._meta.local_concrete_fields, model._meta.concrete_fields)
        )
        for rule in owned.values()
        for name in (rule.field.name, rule.field.attname)
        if name in names
    )


def columns_of(model: Model, names: Collection[str]) -> set[str]:
    fields = model._meta.concrete_fields
    return {each.attname for each in fields if each.name in names or each.attname in names}


def adds_itself(field: Any) -> bool:
    """Whether ``update_or_create()`` adds it to what it saves, without anybody naming it."""
    return type(field).pre_save is not models.Field.pre_save


def names_all(fields: Iterable[Any], names: Collection[str], spared: Collection[str]) -> bool:
    """Whether each field that a form could write is named, and each synced one, but not only those.

    Others with ``editable=False`` may be left out: django-mptt keeps those that it has to itself.
    """
    guarded = registry.plan().guarded
    others = False
    for field in fields:
        synced = field.attname in guarded.get(concrete(field.model), ())
        if field.generated or field.primary_key or not (field.editable or synced):
            continue
        if field.name in names or field.attname in names:
            others |= not synced
        elif field.attname not in spared:
            return False
    return others


def keys_of(model: Model) -> set[str]:
    """The columns that take part in what is unique."""
    options = model._meta
    found = {field.name for field in options.concrete_fields if field.unique}
    found.update(*options.unique_together)
    found.update(*(each.fields for each in options.total_unique_constraints))
    return {column(model, name).attname for name in found}


def refusal(rule: Rule) -> SyncedFieldError:
    if rule.field.attname not in registry.plan().owned.get(rule.model, ()):
        return SyncedFieldError(
            f"{rule.label} has a rule that is not kept (manage.py check says why), and cannot be "
            "written by name; leave it out, mend or remove the rule, or use unsynced()."
        )
    return SyncedFieldError(
        f"{rule.label} is kept by syncfields and cannot be written by name; leave it out, change "
        "the rows that it is made of, or use unsynced()."
    )


def refuse(
    instance: models.Model, update_fields: Collection[str] | None = None, **kwargs: Any
) -> None:
    """The receiver of ``pre_save``: refuse a save that names a synced field. No transaction is
    begun yet that the exception would break.
    """
    if update_fields and scope.suspended() is None:
        without_synced(instance, update_fields)


def without_synced(instance: models.Model, names: Collection[str]) -> Collection[str]:
    """``update_fields`` without synced fields. Raises where one is named of its own accord."""
    deferred = instance.get_deferred_fields().difference(dropped.missing(instance))
    if deferred and implied(instance, deferred) == set(names):
        return names
    left_out = unmeant(type(instance), names, deferred, saving=True)
    return frozenset(names) - left_out or names  # An empty set would stand for all fields.


def implied(instance: models.Model, deferred: set[str]) -> set[str]:
    """The update_fields that Django itself gives to the save of a deferred instance."""
    return {
        field.attname
        for field in instance._meta.concrete_fields
        if field not in instance._meta.pk_fields and field.attname not in deferred
    }
