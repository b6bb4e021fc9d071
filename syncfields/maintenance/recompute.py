"""Everything else that ``annotate()`` takes: targets that a write touches are evaluated anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from syncfields.maintenance.base import Effects, Maintenance, PrimaryKey
from syncfields.maintenance.changes import Change


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Recompute(Maintenance):
    kind: ClassVar[str] = "recompute"

    def before(self, changes: Sequence[Change], using: str) -> set[PrimaryKey]:
        return self.targets([each for each in changes if each.kind != "insert"], using)

    def after(
        self, changes: Sequence[Change], using: str, before: set[PrimaryKey], effects: Effects
    ) -> None:
        after = self.targets([each for each in changes if each.kind != "delete"], using)
        self.compare(before, after, effects)

    def compare(
        self, before: Iterable[PrimaryKey], after: Iterable[PrimaryKey], effects: Effects
    ) -> None:
        if touched := {*before, *after}:
            effects.stale[self] |= touched
