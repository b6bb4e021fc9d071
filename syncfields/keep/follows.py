"""What follows from an UPDATE of targets, for other targets that read what it writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.changes import Change, Held, Learnt
from syncfields.maintenance.direct import Direct
from syncfields.plan import registry
from syncfields.plan.routes import concerned, route
from syncfields.programs import chains
from syncfields.sql.once import once
from syncfields.sql.statements import Statement
from syncfields.targets import evaluating, writing
from syncfields.targets.updates import Update


@dataclass(frozen=True, slots=True)
class Follows:
    """What follows from an UPDATE of a target, of given fields."""

    columns: frozenset[str]
    """What it writes."""
    adding: Mapping[Maintenance, Direct]
    """The rules that what is added is added to as well: see ``programs/chains.py``."""
    returned: tuple[str, ...]
    """The columns that are returned for these."""
    others: Sequence[Maintenance]


class Ready(NamedTuple):
    """An UPDATE of few rows, which is compiled once with what follows from it: by addition only."""

    statement: Statement
    follows: Follows | None


def ready(using: str, update: Update) -> tuple[Ready, list[Any]] | None:
    """Such an UPDATE, and the values that it is given; None where it is not one of those."""
    if writing.asks_before(using, update):
        return None
    if (kind := writing.kind_of_few(update)) is None:
        return None
    key, values = kind

    def make() -> Ready | None:
        follows = what_follows(using, update)
        if follows is not None and follows.others:
            return None
        returned = () if follows is None else follows.returned
        return Ready(writing.compiled(using, update, returned), follows)

    found = once(("ready", using, update.target, key), make)
    return None if found is None else (found, values)


def what_follows(using: str, update: Update) -> Follows | None:
    """None where no rule reads what is written."""
    target = update.target

    def find() -> Follows | None:
        columns = evaluating.written(target, names)
        change = Change(target, "update", Learnt(columns=columns))
        found = route(change)
        if not found.maintenances:
            return None
        adding = chains.added_on(change, summed) if adds else {}
        others = [each for each in found.maintenances if each not in adding]
        return Follows(columns, adding, chains.returned(using, adding), others)

    if not registry.plan().columns.get(target):
        return None
    names = update.names
    summed = names - update.evaluated
    adds = bool(summed) and chains.adds_numbers(update)
    return once(("follows", using, target, names, summed, adds), find)


def follow_up(
    using: str,
    update: Update,
    follows: Follows,
    outcome: evaluating.Outcome,
    effects: Effects,
    held: Held,
) -> None:
    """Add to ``effects`` what follows by addition, and from values that had drifted."""
    if outcome.whole:
        chains.add_on(using, update, follows.adding, outcome.rows, effects, held)
    else:
        change = Change(update.target, "update", Learnt(update.pks, follows.columns))
        evaluate_later(using, change, follows.adding, effects)
    if outcome.healed:
        # What reads a healed value was right or wrong by itself, and the difference says nothing.
        again = Change(update.target, "update", Learnt(outcome.healed, follows.columns))
        evaluate_later(using, again, concerned([again]), effects)


def evaluate_later(
    using: str, change: Change, maintenances: Iterable[Maintenance], effects: Effects
) -> None:
    for each in maintenances:
        effects.stale[each] |= each.targets([change], using)
