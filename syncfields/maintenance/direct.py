"""The short way, for one row that holds the key of its target and everything else that counts.

What such a row contributes follows from its own columns: the database reads it with the row, or
``folding.py`` finds it in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Aggregate, Case, Count, F, Q, When
from django.db.models.constants import LOOKUP_SEP

from syncfields.declare.paths import Dependency, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.sql.trees import Typed, condition_of, name_of, references, renamed


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one row adds to one synced field, over the row's own model."""

    attname: str
    sign: int
    condition: Q | None
    amount: Any
    """An expression; None stands for 1."""
    counted: str | None
    """The column that must not be NULL for a row to count."""

    @property
    def expression(self) -> Any:
        """The contribution; NULL where the row does not count."""
        amount = models.Value(1) if self.amount is None else self.amount
        conditions = Q() if self.condition is None else self.condition
        if self.counted is not None:
            conditions &= Q((f"{self.counted}__isnull", False))
        return Typed(Case(When(conditions, then=amount))) if conditions else amount


@dataclass(frozen=True, slots=True, eq=False)
class Direct:
    """How one maintenance sees a single row of a source model."""

    maintenance: Maintenance
    key: str
    """The column that holds the target's primary key."""
    columns: frozenset[str]
    parts: tuple[Part, ...]


def direct(maintenance: Maintenance, dependency: Dependency) -> Direct | None:
    """The short way for a dependency, if there is one."""
    hops = dependency.path.hops
    if len(hops) != 1 or hops[0].forward or hops[0].generic:
        return None
    others = [each for each in maintenance.dependencies if each is not dependency]
    if any(each.is_read for each in others):
        return None
    ((near, key),) = hops[0].columns if len(hops[0].columns) == 1 else (("", ""),)
    if near != maintenance.target._meta.pk.attname:
        return None
    if isinstance(maintenance, Delta):
        found = [
            part_of(dependency, term.aggregate, term.attname, term.sign)
            for term in maintenance.terms
        ]
    elif isinstance(maintenance, Extreme):
        found = [part_of(dependency, maintenance.aggregate, maintenance.attname, 0)]
    elif isinstance(maintenance, Recompute):
        found = []
    else:
        return None
    if None in found:
        return None
    parts = tuple(part for part in found if part is not None)
    return Direct(maintenance, key, dependency.columns | {key}, parts)


def part_of(dependency: Dependency, aggregate: Aggregate, attname: str, sign: int) -> Part | None:
    """An aggregate over ``comments__score``, as the comment itself sees it."""
    (hop,), model = dependency.path.hops, dependency.model
    source: Any = aggregate.get_source_expressions()[0]
    condition = condition_of(aggregate)
    if condition is not None and not isinstance(condition, Q):
        return None
    for part in (source, condition):
        for name in references(part, dependency.path.target) if part is not None else ():
            if name.split(LOOKUP_SEP)[0] != hop.name:
                return None

    here = None if condition is None else renamed(condition, hop.at_far_end)
    source = renamed(source, hop.at_far_end)
    if not isinstance(aggregate, Count):
        return Part(attname, sign, here, source, None)
    if not isinstance(source, F):
        return None
    if name_of(source) == "pk":
        return Part(attname, sign, here, None, None)
    field = column(model, name_of(source))
    may_be_null = field.null or field.generated
    return Part(attname, sign, here, None, field.attname if may_be_null else None)
