"""``update()`` of primary keys: before it rows are known by their old keys, after it by their new
ones, and nothing tells which of these belong together.

All targets that the rows lead to, before and after, are therefore evaluated anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from syncfields.declare.paths import Model, concrete
from syncfields.keep import engine
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change, Learnt
from syncfields.plan import registry
from syncfields.sql.locks import keep_to, lock_chosen, reading
from syncfields.sql.rows import rows
from syncfields.transactions import pending, scope
from syncfields.transactions.atomic import together


def writes_keys(columns: Mapping[Model, Collection[str]]) -> bool:
    """Whether an ``update()`` of these columns writes a primary key that a rule may go by."""
    sources = registry.plan().sources
    return any(
        owner in sources and any(field.attname in names for field in owner._meta.pk_fields)
        for owner, names in columns.items()
    )


def update(
    queryset: QuerySet[Any], owners: Collection[Model], write: Callable[[QuerySet[Any]], int]
) -> int:
    """Carry out ``write``, the ``update()`` of a queryset, which writes rows of ``owners``."""
    using, plan, suspension = queryset.db, registry.plan(), scope.suspended()
    if suspension is not None and not suspension.noting:
        return write(queryset)
    watching = {
        watch.maintenance
        for owner in owners
        for watch in plan.sources.get(owner, ())
        if watch.maintenance.reconcilable
    }
    touched: dict[tuple[str, Maintenance], set[Any]] = defaultdict(set)

    def note(pks: Collection[Any]) -> None:
        changes = [Change(owner, "update", Learnt(list(pks))) for owner in owners]
        for each in watching:
            touched[using, each] |= each.targets(changes, using)

    with together(connections[using]):
        if (waiting := pending.known(connections[using])) is not None:
            waiting.flush()  # What waits goes by the old keys.
        chosen = lock_chosen(queryset)
        old = set(chosen)
        others = keys_of(queryset) - old
        note(old)
        result = write(keep_to(queryset, chosen))
        new = keys_of(queryset) - others
        note(new)
        for each in watching:
            if each.target in owners:
                touched[using, each] -= old - new
        for (_, each), pks in engine.in_plan_order(touched):
            if suspension is None:
                engine.evaluate(using, each, pks)
            else:
                suspension.note_targets(using, [each], pks)
    return result


def keys_of(queryset: QuerySet[Any]) -> set[Any]:
    """All of the table, since only those that were not there before can be told to be new."""
    model = concrete(queryset.model)
    return set(reading(rows(model, queryset.db).values_list("pk", flat=True)))
