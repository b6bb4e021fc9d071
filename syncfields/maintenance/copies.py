"""Row expressions over to-one paths: which targets follow a row is none of the row's doing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from syncfields.declare.paths import Path
from syncfields.maintenance.base import PrimaryKey
from syncfields.maintenance.changes import Change
from syncfields.maintenance.recompute import Recompute


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Copy(Recompute):
    kind: ClassVar[str] = "copy"

    def followed(self, change: Change) -> Path | None:
        """The path by which one UPDATE finds the targets that follow a changed row, if it can."""
        if change.kind != "update" or self.moves_targets(change):
            return None
        paths = [each.path for each in self.dependencies if change.concerns(each)]
        return paths[0] if len(paths) == 1 and len(paths[0].hops) == 1 else None

    def leads_elsewhere(self, change: Change) -> bool:
        """Whether the write changes a key by which the path goes on: other rows are read then,
        which must be locked first.
        """
        return any(
            change.writes((near,))
            for dependency in self.dependencies
            for number, hop in enumerate(dependency.path.hops)
            if number and dependency.path.hops[number - 1].model is change.model
            for near, _ in hop.columns
        )

    def before(self, changes: Sequence[Change], using: str) -> set[PrimaryKey]:
        # Other rows are found as well afterwards.
        lost = [each for each in changes if each.kind == "delete" or self.moves_targets(each)]
        return self.targets(lost, using)

    def moves_targets(self, change: Change) -> bool:
        """Whether the write changes the very column that keys refer to (``to_field``)."""
        return change.kind == "update" and any(
            change.writes((far,))
            for dependency in self.dependencies
            if dependency.path.hops and change.concerns(dependency)
            for _, far in dependency.path.hops[-1].columns
        )
