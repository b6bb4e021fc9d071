"""Minimum and maximum: a row that comes is compared with the stored value; only when the extreme
itself may have left is the target evaluated anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Aggregate, Max

from syncfields.maintenance.base import Effects, Maintenance, PrimaryKey
from syncfields.maintenance.changes import Change
from syncfields.sql.locks import reading
from syncfields.sql.rows import outer

Contributions = Mapping[PrimaryKey, Sequence[Any]]
"""The best value among some rows of each target, as the only one of its parts."""
NOTHING = (None,)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Extreme(Maintenance):
    aggregate: Aggregate

    attname: str = field(init=False)
    better: str = field(init=False)
    """The lookup by which one value beats another."""

    kind: ClassVar[str] = "extreme"

    def __post_init__(self) -> None:
        Maintenance.__post_init__(self)
        object.__setattr__(self, "attname", self.rules[0].field.attname)
        object.__setattr__(self, "better", "gt" if isinstance(self.aggregate, Max) else "lt")

    def before(self, changes: Sequence[Change], using: str) -> Contributions:
        return self.contributions([each for each in changes if each.kind != "insert"], using)

    def after(
        self, changes: Sequence[Change], using: str, before: Contributions, effects: Effects
    ) -> None:
        after = self.contributions([each for each in changes if each.kind != "delete"], using)
        self.compare(before, after, effects)

    def compare(self, before: Contributions, after: Contributions, effects: Effects) -> None:
        for pk in before.keys() | after.keys():
            (old,), (new,) = before.get(pk, NOTHING), after.get(pk, NOTHING)
            if old == new:
                continue
            if old is not None and self.is_touching:
                effects.stale[self].add(pk)
                continue
            if old is not None:
                effects.left[self.target][pk][self.attname] = (self.better, old)
            if new is not None:
                effects.extremes[self.target][pk][self.attname] = (self.better, new)

    def contributions(self, changes: Sequence[Change], using: str) -> Contributions:
        affected = self.affected(changes, using)
        if affected is None:
            return {}
        grouped = outer(affected).values_list("pk").annotate(_syncfields_0=self.aggregate)
        return {pk: (value,) for pk, value in reading(grouped)}
