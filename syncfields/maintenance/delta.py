"""Counts and exact sums: kept by adding what a write contributes now, less what it did before.

A value can be kept by deltas where contributions form a group under addition: the value over a
union of disjoint sets of rows is the sum of the values, and a contribution can be taken back.
(The algebra is that of differential dataflow's ``Difference``.) Floats do not qualify, since
taking back is not exact; ``NULL`` for "no rows" does not, since a sum of 0 may still have rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Aggregate

from syncfields.declare.rules import Rule
from syncfields.maintenance.base import Deltas, Effects, Maintenance, PrimaryKey, add_up
from syncfields.maintenance.changes import Change
from syncfields.sql.locks import reading
from syncfields.sql.rows import outer

Contributions = Mapping[PrimaryKey, Sequence[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One aggregate of a rule, added or subtracted."""

    rule: Rule
    sign: int
    aggregate: Aggregate

    attname: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attname", self.rule.field.attname)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Delta(Maintenance):
    terms: tuple[Term, ...]

    kind: ClassVar[str] = "delta"

    def before(self, changes: Sequence[Change], using: str) -> Contributions:
        return self.contributions([each for each in changes if each.kind != "insert"], using)

    def after(
        self, changes: Sequence[Change], using: str, before: Contributions, effects: Effects
    ) -> None:
        after = self.contributions([each for each in changes if each.kind != "delete"], using)
        self.compare(before, after, effects)

    def compare(self, before: Contributions, after: Contributions, effects: Effects) -> None:
        self.differ(before, after, effects.deltas[self.target])

    def differ(self, before: Contributions, after: Contributions, deltas: Deltas) -> None:
        """Add to ``deltas`` what comes of it."""
        if before:
            add_up(deltas, self.terms, before, -1)
        if after:
            add_up(deltas, self.terms, after, 1)

    def contributions(self, changes: Sequence[Change], using: str) -> Contributions:
        """What the rows of ``changes`` add to each target they are now connected with."""
        affected = self.affected(changes, using)
        if affected is None:
            return {}
        terms = {f"_syncfields_{n}": term.aggregate for n, term in enumerate(self.terms)}
        grouped = outer(affected).values_list("pk").annotate(**terms)
        return {pk: tuple(amounts) for pk, *amounts in reading(grouped)}
