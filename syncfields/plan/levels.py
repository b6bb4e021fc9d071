"""From the maintenances of single rules to those of the plan: in order, and alike ones together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.db.models import Model

from syncfields.declare.paths import Path, merged
from syncfields.declare.rules import Rule
from syncfields.exceptions import RuleError
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.tally import Tallied


class Circle(Exception):
    """Rules of which each reads the next, and the last the first."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.error = RuleError(
            "Rules go in a circle: " + " -> ".join(rule.label for rule in rules) + ".",
            id="E006",
            hint="Let one of them read the rows that the others count, not their synced fields.",
            obj=rules[0].model,
        )
        self.error.rules = rules


def in_order(maintenances: Sequence[Maintenance]) -> dict[Maintenance, int]:
    """Each after those whose fields it reads, with the length of the longest way from one that
    reads none. Raises ``Circle``.
    """
    writers: dict[tuple[type[Model], str], list[Maintenance]] = defaultdict(list)
    for each in maintenances:
        for rule in each.rules:
            writers[each.target, rule.field.attname].append(each)
            if rule.declaration.touch:
                writers[each.target, rule.declaration.touch].append(each)
    graph = {
        each: [
            writer
            for dependency in each.dependencies
            for column in dependency.columns
            for writer in writers.get((dependency.model, column), ())
        ]
        for each in maintenances
    }
    levels: dict[Maintenance, int] = {}
    try:
        for each in TopologicalSorter(graph).static_order():
            levels[each] = max((1 + levels[writer] for writer in graph[each]), default=0)
    except CycleError as error:
        circle = [each.rules[0] for each in reversed(error.args[1])]
        raise Circle(circle) from error
    return dict(sorted(levels.items(), key=lambda item: item[1]))


@dataclass(frozen=True, slots=True)
class Likeness:
    """Maintenances that are alike in this share their queries."""

    kind: type[Maintenance]
    target: type[Model]
    paths: frozenset[Path]
    level: int
    """How many others it follows, one after the other: what one keeps, no other of them reads."""


def likeness(each: Maintenance, level: int) -> Likeness | Maintenance:
    if isinstance(each, (Extreme, Tallied)):
        return each
    paths = frozenset(found.path for found in each.dependencies)
    return Likeness(type(each), each.target, paths, level)


def shared(maintenances: Mapping[Maintenance, int]) -> Iterator[Maintenance]:
    """Those that are alike made one, in the order of their levels."""
    alike: dict[Any, list[Maintenance]] = defaultdict(list)
    for each, level in maintenances.items():
        alike[likeness(each, level)].append(each)
    for group in alike.values():
        yield combined(group) if len(group) > 1 else group[0]


def combined(group: Sequence[Maintenance]) -> Maintenance:
    first = group[0]
    more: dict[str, Any] = {}
    if isinstance(first, Delta):
        more["terms"] = tuple(term for each in group for term in each.terms)  # type: ignore[attr-defined]
    return replace(
        first,
        rules=tuple(dict.fromkeys(rule for each in group for rule in each.rules)),
        dependencies=merged(found for each in group for found in each.dependencies),
        values={name: value for each in group for name, value in each.values.items()},
        grouped={name: value for each in group for name, value in each.grouped.items()},
        **more,
    )
