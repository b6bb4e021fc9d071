"""What a write has done to targets, as the UPDATEs that say it: one for each target table.

A table comes when all that it reads has been written: then what follows from the write of one
target, for another one that reads it, goes into the same UPDATE as the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncfields.declare.paths import Model
from syncfields.maintenance.base import Deltas, Effects, Maintenance, PrimaryKey, drop_zeros
from syncfields.plan.plan import Plan
from syncfields.sql.once import once

Extremes = Mapping[PrimaryKey, Mapping[str, tuple[str, Any]]]
NO_NAMES: frozenset[str] = frozenset()
MOST_LEFT = 20
"""Of more rows extremes are evaluated anew without a look at the stored one."""


@dataclass(slots=True)  # Not frozen: that would double the time that it takes to make one.
class Update:
    """All that is written at once to rows of one target model."""

    target: Model
    deltas: Deltas = field(default_factory=dict)
    joined: Extremes = field(default_factory=dict)
    """Values that joined a minimum or maximum: ``{pk: {attname: (lookup, value)}}``."""
    left: Extremes = field(default_factory=dict)
    """Values that left one: it is evaluated anew if the stored value is not better."""
    anew: Mapping[str, Collection[PrimaryKey]] = field(default_factory=dict)
    """The fields that are evaluated anew, with the rows."""
    fixed: Mapping[str, Mapping[PrimaryKey, Any]] = field(default_factory=dict)
    """Values that were evaluated already: ``{attname: {pk: value}}``."""

    pks: Sequence[PrimaryKey] = field(init=False)
    """The rows, in the order of their keys."""
    evaluated: frozenset[str] = field(init=False)
    """The fields to which anything else is done than to add to them, in any row."""

    def __post_init__(self) -> None:
        found: Collection[PrimaryKey] = self.deltas
        evaluated: frozenset[str] = NO_NAMES
        if self.joined or self.left or self.anew or self.fixed:
            rows = (*self.joined.values(), *self.left.values())
            evaluated = NO_NAMES.union(*rows, self.anew, self.fixed)
            found = {*self.deltas, *self.joined, *self.left}.union(
                *self.anew.values(), *self.fixed.values()
            )
        self.pks = sorted_pks(found)
        self.evaluated = evaluated

    @property
    def names(self) -> frozenset[str]:
        """The fields that are written, in any row."""
        return self.evaluated.union(*self.deltas.values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written, whatever rows are named: so that they are counted."""
        return not (self.evaluated or any(self.deltas.values()))

    @property
    def evaluates(self) -> bool:
        """Whether expressions are evaluated, for which the rows have to be locked before."""
        return bool(self.left or self.anew)

    def of(self, pks: Iterable[PrimaryKey]) -> Update:
        """The part that is about some of the rows."""
        chosen = set(pks)
        anew = {name: chosen.intersection(rows) for name, rows in self.anew.items()}
        return Update(
            self.target,
            among(self.deltas, chosen),
            among(self.joined, chosen),
            among(self.left, chosen),
            {name: rows for name, rows in anew.items() if rows},
        )


def among(rows: Any, chosen: Collection[PrimaryKey]) -> Any:
    return {pk: row for pk, row in rows.items() if pk in chosen}


def sorted_pks(pks: Collection[Any]) -> list[Any]:
    if len(pks) == 1:
        return list(pks)
    try:
        return sorted(pks)
    except TypeError:
        return sorted(pks, key=repr)


def following(plan: Plan) -> Mapping[Model, set[Model]]:
    """The targets that read, also by way of others, what is kept in each target."""

    def find() -> dict[Model, set[Model]]:
        found: dict[Model, set[Model]] = {target: set() for target in plan.targets}
        for each in plan.maintenances:
            for dependency in each.dependencies:
                kept = plan.owned.get(dependency.model, {})
                if not dependency.columns.isdisjoint(kept):
                    found[dependency.model].add(each.target)
        for _ in found:
            for later in found.values():
                later.update(*(found[each] for each in later & found.keys()))
        return found

    return once(("following",), find)


def take(
    effects: Effects, plan: Plan, target: Model, by_itself: Callable[[Maintenance], bool]
) -> Update | tuple[Maintenance, set[PrimaryKey]] | None:
    """Take out of ``effects`` what is to be written to a target: an UPDATE, or the rows of a
    maintenance that is evaluated by itself. None where it has come to nothing.
    """
    deltas = effects.deltas.pop(target, {})
    joined, left = effects.extremes.pop(target, {}), effects.left.pop(target, {})
    if deltas:
        drop_zeros(deltas)
    stale = stale_of(plan.targets[target], effects.stale) if effects.stale else []
    if not stale and len(left) <= MOST_LEFT:
        return Update(target, deltas, joined, left) if deltas or joined or left else None
    names = NO_NAMES.union(*deltas.values(), *joined.values(), *left.values())
    anew = rows_anew(effects, taking_part(stale, names, by_itself), left)
    # What is evaluated has all that was added in it.
    for rows in (deltas, joined, left):
        if rows and not names.isdisjoint(anew):
            without(rows, anew)
    if deltas or joined or left or anew:
        return Update(target, deltas, joined, left, anew)
    return stale[0], effects.stale.pop(stale[0])


def stale_of(
    maintenances: Iterable[Maintenance], stale: Mapping[Maintenance, set[PrimaryKey]]
) -> list[Maintenance]:
    return [each for each in maintenances if stale.get(each)]


def taking_part(
    maintenances: Iterable[Maintenance],
    names: frozenset[str],
    by_itself: Callable[[Maintenance], bool],
) -> Iterator[Maintenance]:
    """Those that are evaluated in the same UPDATE, which writes ``names`` beside."""
    for each in maintenances:
        if not (by_itself(each) or reads_own(each, names)):
            yield each
            names = names.union(each.values)


def rows_anew(
    effects: Effects, maintenances: Iterable[Maintenance], left: Extremes
) -> dict[str, set[PrimaryKey]]:
    """The fields to be evaluated anew, with the rows, taken out of ``effects``."""
    anew: dict[str, set[PrimaryKey]] = {}
    for maintenance in maintenances:
        stale = effects.stale.pop(maintenance)
        for name in maintenance.values:
            anew[name] = anew.get(name, set()) | stale
    if len(left) > MOST_LEFT:
        for pk, row in left.items():
            for name in row:
                anew.setdefault(name, set()).add(pk)
    return anew


def next_target(effects: Effects, plan: Plan) -> Model | None:
    """The first target that reads nothing which is yet to be written."""
    pending = {*effects.deltas, *effects.extremes, *effects.left}
    for maintenance in effects.stale:
        if effects.stale[maintenance]:
            pending.add(maintenance.target)
    if not pending:
        return None
    if len(pending) == 1:
        (target,) = pending
        return target
    return once(("next", frozenset(pending)), lambda: first_of(pending, plan))


def first_of(pending: Collection[Model], plan: Plan) -> Model:
    after = following(plan)
    in_order = sorted(pending, key=lambda target: plan.position[plan.targets[target][0]])
    for target in in_order:
        if not any(target in after[other] for other in pending if other is not target):
            return target
    return in_order[0]


def reads_own(maintenance: Maintenance, names: Collection[str]) -> bool:
    """Whether it reads some of the columns of its own target's table."""
    return any(
        not dependency.columns.isdisjoint(names)
        for dependency in maintenance.dependencies
        if dependency.model is maintenance.target
    )


def without(rows: Any, anew: Mapping[str, Collection[PrimaryKey]]) -> None:
    for name, pks in anew.items():
        for pk in pks:
            if (row := rows.get(pk)) is not None and row.pop(name, None) is not None and not row:
                del rows[pk]
