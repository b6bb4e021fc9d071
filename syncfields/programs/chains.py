"""Rules that sum up a synced field: the delta of the one is the delta of the other.

``Sum("posts__comment_count")`` of a blog changes by just what is added to the count of a post. So
nothing is read before and after, but the key of the blog, which the UPDATE of the post returns. It
holds where nothing but numbers was added to the field, where all of it is summed up, without a
condition that might have changed, and where the row keeps its key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import F

from syncfields.declare.paths import Model, column
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.changes import NOTHING, Change, Held
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.direct import Direct, Part
from syncfields.plan import registry
from syncfields.plan.routes import columns_of_part, route
from syncfields.sql import statements
from syncfields.sql.locks import reading
from syncfields.sql.once import once
from syncfields.sql.rows import rows_with
from syncfields.sql.trees import name_of
from syncfields.targets import shapes
from syncfields.targets.updates import Update


def added_on(change: Change, summed: frozenset[str]) -> Mapping[Maintenance, Direct]:
    """What follows a sum by addition: rules that sum up one of the fields ``summed``, to which no
    more is done than to add numbers. The delta of the one is the delta of the other.
    """
    found: dict[Maintenance, Direct] = {}
    for each, way in route(change).ways.items():
        read = {part: columns_of_part(part, change.model) for part in way.parts}
        if (
            type(each) is Delta
            and change.learnt.columns is not None
            and way.key not in change.learnt.columns
            and all(
                part.condition is None and is_plain(part, names) and names <= summed
                for part, names in read.items()
                if not names.isdisjoint(change.learnt.columns)
            )
        ):
            found[each] = way
    return found


def adds_numbers(update: Update) -> bool:
    """Whether all that is added is known before it is written."""
    for row in update.deltas.values():
        for amount in row.values():
            if type(amount) is not int and shapes.is_expression(amount):
                return False
    return True


def is_plain(part: Part, names: Collection[str]) -> bool:
    """Whether a column is added up, and nothing else."""
    return part.counted is None and type(part.amount) is F and len(names) == 1


def returned(using: str, adding: Mapping[Maintenance, Direct]) -> tuple[str, ...]:
    """The columns that the UPDATE returns: the keys of the targets that it adds to."""
    if not adding or not statements.can_return_from_update(using):
        return ()
    return ("pk", *dict.fromkeys(way.key for way in adding.values()))


def add_on(
    using: str,
    update: Update,
    adding: Mapping[Maintenance, Direct],
    found: Sequence[Any],
    effects: Effects,
    held: Held = NOTHING,
) -> None:
    """Add what was added to rows to those that sum them up. ``found``: what the UPDATE returned;
    where it cannot, the keys were read when the rows were locked, or are read now.
    """
    if not adding:
        return
    if len(found) != len(update.pks):
        keys = keys_in(adding)
        found = keys_held(update, keys, held) or keys_read(using, update, keys)
    add_by_keys(update, adding, found, effects)


def add_by_keys(
    update: Update, adding: Mapping[Maintenance, Direct], found: Sequence[Any], effects: Effects
) -> None:
    """The same. ``found``: the keys that the rows hold, behind their own."""
    key = "additions", update.target, *adding
    additions = once(key, lambda: additions_of(update.target, adding))
    for pk, *keys in found:
        amounts = update.deltas.get(pk, {})
        for number, name, target, attname, sign in additions:
            if keys[number] is not None and (amount := amounts.get(name)):
                effects.add(target, keys[number], attname, sign * amount)


Addition = tuple[int, str, Model, str, int]
"""Which of the keys names the row, what is added as well, and to which field of which target, with
which sign.
"""


def additions_of(model: Model, adding: Mapping[Maintenance, Direct]) -> list[Addition]:
    keys, found = keys_in(adding), []
    for way in adding.values():
        for part in way.parts:
            if type(part.amount) is F:  # Nothing else reads what was added to.
                name = column(model, name_of(part.amount)).attname
                target = way.maintenance.target
                found.append((keys.index(way.key), name, target, part.attname, part.sign))
    return found


def keys_in(adding: Mapping[Maintenance, Direct]) -> list[str]:
    return [*dict.fromkeys(way.key for way in adding.values())]


def keys_held(update: Update, keys: Sequence[str], held: Held) -> Sequence[Any] | None:
    """The keys that rows of a target hold, behind their own; None where they were not read when
    these were locked, or may have been written since.
    """
    is_kept = registry.plan().owned.get(update.target, {}).keys()
    if not is_kept.isdisjoint(keys):
        return None
    return held.read(update.target, update.pks, keys)


def keys_read(using: str, update: Update, keys: Sequence[str]) -> Sequence[Any]:
    chosen = rows_with(update.target, using, update.pks)
    return list(reading(chosen.values_list("pk", *keys)))
