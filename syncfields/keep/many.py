"""Writes of any number of rows that may go the short way: see ``grouped.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import connections
from django.db.models import QuerySet

from syncfields.declare.paths import concrete
from syncfields.keep import grouped
from syncfields.keep.engine import perform, settle
from syncfields.maintenance.base import Effects
from syncfields.maintenance.changes import Change
from syncfields.memory.given import Given
from syncfields.plan import registry
from syncfields.plan.routes import route
from syncfields.programs.order import (
    goes_both_ways,
    lock_ancestors,
    lock_copied,
    lock_parents,
    lock_relatives,
)
from syncfields.sql.locks import keep_to, lock_chosen, reading
from syncfields.sql.trees import rows_with
from syncfields.transactions import scope
from syncfields.transactions.atomic import persistently

Result = TypeVar("Result")


def short_ways(change: Change) -> grouped.Ways | None:
    """The short ways of many rows, if there is nothing else to keep."""
    found = route(change)
    if found.others or found.followed or not grouped.fits(found.ways):
        return None
    return None if scope.repairing_drift() or scope.suspended() is not None else found.ways


def update(
    queryset: QuerySet[Any], changes: Sequence[Change], write: Callable[[QuerySet[Any]], int]
) -> int:
    """Carry out ``write``, the ``update()`` of a queryset; ``changes`` do not know the rows yet."""
    using, model, change = queryset.db, concrete(queryset.model), changes[0]
    connection: Any = connections[using]
    locks = connection.features.has_select_for_update

    def attempt() -> int:
        pks, ways = None, short_ways(change)
        if ways and len(changes) == 1 and change.model is model and change.values is not None:
            read = grouped.read_by(ways, model, change.values)
            pks, groups = grouped.read(queryset, grouped.contributed(ways, read))
            after = grouped.foreseen(using, ways, groups, change.values)
            if after is not None:
                if connection.vendor == "mysql":
                    change.former = groups.columns()
                    lock_parents(connection, changes)
                result = write(queryset if pks is None else keep_to(queryset, pks))

                def collect(effects: Effects) -> None:
                    now, before = after, grouped.contributions(ways, groups)
                    if pks is not None and result != len(pks):  # Some did not match any longer.
                        left = grouped.left_over(using, model, ways, pks)
                        now = grouped.contributions(ways, left)
                    grouped.compare(ways, before, now, effects)

                settle(connection, collect)
                return result
        for each in changes:
            lock_relatives(connection, each, lambda: list(queryset.values_list("pk", flat=True)))
        lock_copied(using, changes)
        lock_ancestors(queryset, changes)
        chosen = lock_chosen(queryset) if pks is None else pks
        for each in changes:
            each.pks, each.locked = chosen, each.model is model
            if locks and each.rows and (connection.vendor == "mysql" or goes_both_ways(each.model)):
                former = rows_with(each.model, using, chosen)
                each.former = list(reading(former.values(*registry.plan().columns[each.model])))
        return perform(using, changes, lambda: write(keep_to(queryset, chosen)))

    return persistently(connection, attempt, changes)


def delete(queryset: QuerySet[Any], write: Callable[[QuerySet[Any]], int]) -> int:
    """Carry out ``write``, which deletes the rows of a queryset and nothing else."""
    using, model = queryset.db, concrete(queryset.model)

    def attempt() -> int:
        change = Change(model, "delete", locked=True)
        if ways := ways_of_deleted(change):
            groups = grouped.delete(queryset, ways, write)
            settle(connections[using], lambda effects: grouped.gone(ways, groups, effects))
            return groups.total
        change.pks = pks = lock_chosen(queryset)
        return perform(using, [change], lambda: write(rows_with(model, using, pks)))

    return persistently(connections[using], attempt)


def delete_one(using: str, instance: Any, write: Callable[[], Result]) -> Result | int | None:
    """Delete a row that nothing refers to. Returns what ``write`` did, or the number of rows where
    it was not needed; None, and nothing is done, where there is more to keep.
    """
    model = concrete(type(instance))
    ways = ways_of_deleted(Change(model, "delete"))
    if not ways or len(model._meta.pk_fields) > 1:
        return None
    connection = connections[using]

    def attempt() -> int:
        groups = grouped.delete_one(using, model, ways, instance.pk)
        settle(connection, lambda effects: grouped.gone(ways, groups, effects))
        return groups.total

    if grouped.can_return(using, model, ways):
        return persistently(connection, attempt)

    def attempt_by_write() -> Result:
        groups = grouped.read_one(using, model, ways, instance.pk)
        result = write()
        settle(connection, lambda effects: grouped.gone(ways, groups, effects))
        return result

    return persistently(connection, attempt_by_write, [Given([instance])])


def ways_of_deleted(change: Change) -> grouped.Ways | None:
    """The short ways, where what the rows held is all that must be known of their DELETE."""
    return None if change.model in registry.plan().targets else short_ways(change)
