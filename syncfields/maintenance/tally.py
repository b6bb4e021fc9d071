"""Events counted as they happen. What was counted is never taken back: nothing is read before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from syncfields.maintenance.base import Deltas, Effects
from syncfields.maintenance.changes import Change, Learnt
from syncfields.maintenance.delta import Contributions, Delta


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Tallied(Delta):
    on: frozenset[str]

    kind: ClassVar[str] = "tally"
    reconcilable: ClassVar[bool] = False

    def concerned(self, changes: Sequence[Change]) -> bool:
        return any(self.events(changes))

    def events(self, changes: Sequence[Change]) -> list[Change]:
        (dependency,) = self.dependencies
        return [
            Change(change.model, "update", Learnt(change.learnt.pks))
            for change in changes
            if change.model is dependency.model
            and not change.loaded
            and (
                (change.kind == "insert" and "create" in self.on and change.concerns(dependency))
                or (change.kind == "update" and change.saved and "save" in self.on)
            )
        ]

    def differ(self, before: Contributions, after: Contributions, deltas: Deltas) -> None:
        super(Tallied, self).differ({}, after, deltas)

    def before(self, changes: Sequence[Change], using: str) -> Contributions:
        return {}

    def after(
        self, changes: Sequence[Change], using: str, before: Contributions, effects: Effects
    ) -> None:
        Delta.after(self, self.events(changes), using, before, effects)
