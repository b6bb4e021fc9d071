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
from syncfields.maintenance.changes import NOTHING, Change, Held, Learnt
from syncfields.memory.given import Given
from syncfields.plan import registry
from syncfields.plan.routes import concerned, route
from syncfields.programs import several
from syncfields.programs.contributions import Contributions
from syncfields.programs.order import (
    goes_both_ways,
    lock_ancestors,
    lock_copied,
    lock_parents,
    lock_relatives,
)
from syncfields.sql.locks import keep_to, lock_chosen, reading
from syncfields.sql.rows import rows_with
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

    def attempt() -> int:
        pks, ways = None, short_ways(change)
        if ways and len(changes) == 1 and change.model is model and change.values is not None:
            read = grouped.read_by(ways, model, change.values)
            pks, groups = grouped.read(queryset, grouped.contributed(ways, read))
            after = grouped.foreseen(using, ways, groups, change.values)
            if after is not None:
                if connection.vendor == "mysql":
                    change.learnt.former = groups.columns()
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
        held, contributions = locked_at_once(queryset, changes if pks is None else ())
        if contributions is not None:
            return perform(using, changes, write_chosen, held, contributions=contributions)
        lock_one_by_one(queryset, changes, pks)
        return perform(using, changes, write_chosen)

    def write_chosen() -> int:
        return write(keep_to(queryset, change.learnt.pks))

    return persistently(connection, attempt, [each.learnt for each in changes])


def locked_at_once(
    queryset: QuerySet[Any], changes: Sequence[Change]
) -> tuple[Held, Contributions | None]:
    """Lock the rows of a queryset with all that their write will touch, and read what they
    contribute; nothing where that is not to be foreseen, or not needed.
    """
    if scope.repairing_drift() or scope.suspended() is not None:
        return NOTHING, None
    if len(changes) != 1 or changes[0].model is not concrete(queryset.model):
        return NOTHING, None
    contributions = Contributions(queryset.db, changes, concerned(changes))
    held = several.lock_written(queryset, changes[0], contributions)
    if held is None:
        return NOTHING, None
    contributions.before(held.answer)
    return held, contributions


def lock_one_by_one(
    queryset: QuerySet[Any], changes: Sequence[Change], pks: list[Any] | None
) -> None:
    """Lock the rows of a queryset, unless they are locked by now (``pks``), after all that is to be
    locked before them; the changes learn which rows these are, and what they hold.
    """
    using, model = queryset.db, concrete(queryset.model)
    connection: Any = connections[using]
    for each in changes:
        lock_relatives(connection, each, lambda: list(queryset.values_list("pk", flat=True)))
    lock_copied(using, changes)
    lock_ancestors(queryset, changes)
    chosen = lock_chosen(queryset) if pks is None else pks
    locks, shares = connection.features.has_select_for_update, connection.vendor == "mysql"
    for each in changes:
        learnt = each.learnt
        learnt.pks, learnt.locked = chosen, each.model is model
        if locks and each.rows and (shares or goes_both_ways(each.model)):
            former = rows_with(each.model, using, chosen)
            learnt.former = list(reading(former.values(*registry.plan().columns[each.model])))


def delete(queryset: QuerySet[Any], write: Callable[[QuerySet[Any]], int]) -> int:
    """Carry out ``write``, which deletes the rows of a queryset and nothing else."""
    using, model = queryset.db, concrete(queryset.model)

    def attempt() -> int:
        change = Change(model, "delete", Learnt(locked=True))
        if ways := ways_of_deleted(change):
            groups = grouped.delete(queryset, ways, write)
            settle(connections[using], lambda effects: grouped.gone(ways, groups, effects))
            return groups.total
        held, contributions = locked_at_once(queryset, [change])
        if contributions is None:
            change.learnt.pks = lock_chosen(queryset)

        def write_rows() -> int:
            return write(rows_with(model, using, change.learnt.pks))

        return perform(using, [change], write_rows, held, contributions=contributions)

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
