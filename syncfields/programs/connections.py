"""What decides, with the rows of a write, on what they contribute, is wanted to be locked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.db.models.constants import LOOKUP_SEP

from syncfields.declare.paths import Dependency, Hop, Path
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.copies import Copy
from syncfields.sql.along import matters_beyond, values
from syncfields.sql.rows import connected, keys_at, rows
from syncfields.sql.wanted import Wanted

Written = Sequence[Mapping[str, Any]]
"""Rows as far as their columns are known."""


def beyond(path: Path, others: Collection[Dependency]) -> Iterator[tuple[Dependency, Hop]]:
    """What rows at the end of a path lead to, away from the target, and the hop that does it."""
    for other in sorted(others, key=lambda each: len(each.path.hops)):
        if matters_beyond(path, other, others):
            yield other, other.path.hops[len(path.hops)]


class Connections:
    """What decides, with the rows at the end of a path, on what they contribute."""

    def __init__(
        self,
        wanted: Wanted,
        maintenance: Maintenance,
        dependency: Dependency,
        pks: Collection[Any],
        known: Written = (),
    ) -> None:
        self.wanted = wanted
        self.using = wanted.using
        self.copies = isinstance(maintenance, Copy)
        self.others = maintenance.dependencies
        self.path = dependency.path
        self.pks = pks
        self.known = known

    def want(self) -> None:
        self.want_beyond()
        if not self.copies:
            self.want_between()

    def knows(self, hop: Hop, name: str) -> bool:
        """Whether the keys by which a hop leads on are in memory."""
        return (
            bool(self.known)
            and len(hop.columns) == 1
            and (not self.pks or all(name in row for row in self.known))
        )

    def want_beyond(self) -> None:
        """Away from the target, by the keys that the rows hold."""
        depth = len(self.path.hops)
        for other, hop in beyond(self.path, self.others):
            ((held, name), *_) = hop.columns
            skipped = int(self.knows(hop, held))
            rest = other.path.after(depth + skipped)
            column, keys = (name, values(self.known, held)) if skipped else ("pk", self.pks)
            if skipped and not rest.hops:
                self.wanted.name(hop.model, name, keys)
            elif keys:
                near = rows(rest.target, self.using).filter(**{f"{column}__in": keys})
                pks = keys_at(near, rest)
                self.wanted.find(rest.model, pks, rest, column, keys)

    def want_between(self) -> None:
        """What lies between the rows and their targets, and the targets where the rule reads their
        columns.

        Rows that hold keys to the changed ones, and so lead to them, are left: who changes such a
        row locks what is beyond it.
        """
        hops = self.path.hops
        for number in range(len(hops) - 1, 0, -1):
            rest = self.path.after(number)
            if not all(hop.forward for hop in rest.hops):
                self.want_reaching(rest)
        reads_target = any(each.columns and not each.path.hops for each in self.others)
        # Targets of the same table are locked in one statement with the rows themselves.
        if hops and (reads_target or self.path.target is self.path.model):
            self.want_reaching(self.path)

    def want_reaching(self, rest: Path) -> None:
        """The rows at the beginning of a path that reach the changed ones."""
        *hops, last = rest.hops
        ((near, far), *_) = last.columns
        nearer, keys = Path(rest.target, tuple(hops)), values(self.known, far)
        if last.forward or last.generic or nearer.ambiguous or not self.knows(last, far):
            if self.pks:
                reaching = connected(self.using, [(rest, self.pks)])
                pks = reaching.values_list("pk", flat=True)
                self.wanted.find(rest.target, pks, rest, "pk", self.pks)
        elif not hops:
            self.wanted.name(rest.target, near, keys)
        elif keys:
            lookup = LOOKUP_SEP.join([nearer.lookup, near, "in"])
            pks = (
                rows(rest.target, self.using).filter(**{lookup: keys}).values_list("pk", flat=True)
            )
            self.wanted.find(rest.target, pks, nearer, near, keys)
