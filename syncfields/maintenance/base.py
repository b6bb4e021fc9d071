"""What every way of keeping a rule offers the engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Protocol

from django.db.models import QuerySet

from syncfields.declare.paths import Dependency, Model
from syncfields.declare.rules import Rule
from syncfields.maintenance.changes import Change, reach
from syncfields.sql.locks import reading
from syncfields.sql.rows import connected
from syncfields.sql.scans import Grouped

PrimaryKey = Any
Deltas = dict[PrimaryKey, dict[str, Any]]
"""What is added to the rows of a target: ``{pk: {attname: amount}}``."""
by_target: Any = partial(defaultdict, partial(defaultdict, dict))


class Signed(Protocol):
    """What is added up in a synced field."""

    @property
    def attname(self) -> str: ...

    @property
    def sign(self) -> int: ...


def add_up(
    deltas: Deltas,
    parts: Sequence[Signed],
    contributed: Mapping[PrimaryKey, Sequence[Any]],
    sign: int,
) -> None:
    """Add what rows contribute to each target, part by part (1), or take it back (-1)."""
    for pk, amounts in contributed.items():
        for part, amount in zip(parts, amounts, strict=True):
            if amount:
                row, name = deltas[pk], part.attname
                row[name] = row.get(name, 0) + sign * part.sign * amount


def drop_zeros(deltas: Deltas) -> None:
    for pk, row in [*deltas.items()]:
        if all(row.values()):
            continue
        for attname, amount in list(row.items()):
            if not hasattr(amount, "resolve_expression") and not amount:
                del row[attname]
        if not row:
            del deltas[pk]


@dataclass(slots=True)
class Effects:
    """What a write does to targets; collected first, then written."""

    deltas: dict[Model, Deltas] = field(default_factory=by_target)
    extremes: dict[Model, dict[PrimaryKey, dict[str, Any]]] = field(default_factory=by_target)
    """Values that joined a minimum or maximum, in the same shape: ``(lookup, value)``."""
    left: dict[Model, dict[PrimaryKey, dict[str, Any]]] = field(default_factory=by_target)
    """Values that left a minimum or maximum, and may have been it, in the same shape."""
    stale: dict[Maintenance, set[PrimaryKey]] = field(default_factory=partial(defaultdict, set))
    """Targets to evaluate anew."""
    spared: dict[Model, set[PrimaryKey]] = field(default_factory=partial(defaultdict, set))
    """Targets that were deleted: what came before is not for others of their keys, which may be
    inserted yet."""

    def add(self, target: Model, pk: PrimaryKey, attname: str, amount: Any) -> None:
        row = self.deltas[target][pk]
        row[attname] = row.get(attname, 0) + amount

    def merge(self, later: Effects) -> None:
        """Add the effects of later writes of the same transaction."""
        for target, pks in later.spared.items():
            self.spare(target, pks)
        for target, changed in later.deltas.items():
            for pk, amounts in changed.items():
                for attname, amount in amounts.items():
                    self.add(target, pk, attname, amount)
        for maintenance, pks in later.stale.items():
            self.stale[maintenance] |= pks

    def leave_extremes(self, maintenances: Mapping[Model, Sequence[Maintenance]]) -> None:
        """Evaluate anew what values have joined or left, because this waits, and others follow."""
        for effects in (self.extremes, self.left):
            for target, changed in effects.items():
                for maintenance in maintenances.get(target, ()):
                    for pk, row in changed.items():
                        if not row.keys().isdisjoint(maintenance.values):
                            self.stale[maintenance].add(pk)
            effects.clear()

    def drop_zeros(self) -> None:
        for deltas in self.deltas.values():
            drop_zeros(deltas)

    def spare(self, model: Model, pks: Collection[PrimaryKey]) -> None:
        """Write nothing to targets that are deleted themselves, of what has come so far."""
        self.spared[model].update(pks)
        for effects in (self.deltas, self.extremes, self.left):
            if rows := effects.get(model):
                for pk in pks:
                    rows.pop(pk, None)
        for maintenance, stale in self.stale.items():
            if maintenance.target is model:
                stale.difference_update(pks)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Maintenance:
    """A way of keeping some rules of one target, which read the same paths."""

    target: Model
    rules: tuple[Rule, ...]
    dependencies: tuple[Dependency, ...]
    values: Mapping[str, Any]
    """The value of each rule, ``{attname: expression}``, for ``annotate()`` on the target."""
    grouped: Mapping[str, Grouped]
    """By attribute name, the rules that aggregate over one path only."""

    is_touching: bool = field(init=False)
    """Whether another field tells when one has changed; then values are compared first."""

    kind: ClassVar[str]
    reconcilable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        touching = any(rule.declaration.touch is not None for rule in self.rules)
        object.__setattr__(self, "is_touching", touching)

    def concerned(self, changes: Sequence[Change]) -> bool:
        return any(
            change.concerns(dependency) for change in changes for dependency in self.dependencies
        )

    def affected(self, changes: Sequence[Change], using: str) -> QuerySet[Any] | None:
        """The targets that the rows of ``changes`` are now connected with."""
        found = reach(self.dependencies, changes)
        return connected(using, found) if found else None

    def targets(self, changes: Sequence[Change], using: str) -> set[PrimaryKey]:
        """The primary keys of the targets that the rows of ``changes`` are now connected with."""
        found = reach(self.dependencies, changes)
        if all(not path.hops for path, _ in found):
            return {pk for _, pks in found for pk in pks}
        return set(reading(connected(using, found).values_list("pk", flat=True)))

    def before(self, changes: Sequence[Change], using: str) -> Any:
        """What must be known of the rows before they are written."""
        raise NotImplementedError

    def after(self, changes: Sequence[Change], using: str, before: Any, effects: Effects) -> None:
        """Add to ``effects`` what the write does to the targets."""
        raise NotImplementedError

    def compare(self, before: Any, after: Any, effects: Effects) -> None:
        """Add to ``effects`` what comes of what the rows contributed and contribute now: the
        amounts of the parts, by the primary keys of the targets.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        labels = ", ".join(rule.label for rule in self.rules)
        paths = ", ".join(sorted(str(each.path) for each in self.dependencies))
        return f"<{self.kind}: {labels}; reads {paths}>"
