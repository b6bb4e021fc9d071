"""What is kept, in which way, and what each write must look at: frozen, made once, printable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncfields.declare.paths import Dependency, Model, tables_of_row
from syncfields.declare.rules import Rule

if TYPE_CHECKING:
    from syncfields.maintenance.base import Maintenance
    from syncfields.maintenance.direct import Direct


Directly = Callable[["Maintenance", Dependency], "Direct | None"]


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """One model that one maintenance reads."""

    maintenance: Maintenance
    dependency: Dependency


@dataclass(frozen=True, slots=True)
class Unused:
    """A rule inherited from an abstract model by a model to which nothing refers."""

    rule: Rule
    sibling: Rule
    """The same rule on a model to which something does."""
    relation: str
    """How that is named there, and what is missing here."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All maintenances, asked by the model that is written or by the model that is kept."""

    maintenances: tuple[Maintenance, ...] = ()
    rules: tuple[Rule, ...] = ()
    sources: dict[Model, tuple[Watch, ...]] = field(default_factory=dict)
    targets: dict[Model, tuple[Maintenance, ...]] = field(default_factory=dict)
    columns: dict[Model, frozenset[str]] = field(default_factory=dict)
    """The columns of each source that matter to anybody."""
    counted: frozenset[Model] = frozenset()
    """The sources of which every save is an event that a tally may count."""
    owned: dict[Model, dict[str, Rule]] = field(default_factory=dict)
    """The synced fields of each target, by attribute name."""

    directs: dict[Model, dict[Maintenance, Direct]] = field(default_factory=dict)
    """The short ways of each source."""
    position: dict[Maintenance, int] = field(default_factory=dict)
    """Where each maintenance comes in the order: after those that it reads."""
    unused: tuple[Unused, ...] = ()
    guarded: dict[Model, dict[str, Rule]] = field(default_factory=dict)
    """The same, with the fields of rules that are not kept: nobody writes those by accident."""

    @classmethod
    def of(
        cls,
        maintenances: Iterable[Maintenance],
        directly: Directly,
        unused: Iterable[Unused] = (),
        not_kept: Iterable[Rule] = (),
    ) -> Plan:
        maintenances = tuple(maintenances)
        directs: dict[Model, dict[Maintenance, Direct]] = defaultdict(dict)
        sources: dict[Model, list[Watch]] = defaultdict(list)
        targets: dict[Model, list[Maintenance]] = defaultdict(list)
        owned: dict[Model, dict[str, Rule]] = defaultdict(dict)
        rules: dict[str, Rule] = {}
        for maintenance in maintenances:
            targets[maintenance.target].append(maintenance)
            for rule in maintenance.rules:
                rules[rule.label] = rule
                owned[maintenance.target][rule.field.attname] = rule
            for dependency in maintenance.dependencies:
                sources[dependency.model].append(Watch(maintenance, dependency))
                if (way := directly(maintenance, dependency)) is not None:
                    directs[dependency.model][maintenance] = way
        return cls(
            maintenances=maintenances,
            rules=tuple(rules.values()),
            sources={model: tuple(watches) for model, watches in sources.items()},
            targets={model: tuple(found) for model, found in targets.items()},
            columns={
                model: frozenset(way.key for way in directs[model].values()).union(
                    *(watch.dependency.columns for watch in watches)
                )
                for model, watches in sources.items()
            },
            counted=frozenset(
                dependency.model
                for each in maintenances
                if not each.reconcilable
                for dependency in each.dependencies
            ),
            owned=dict(owned),
            directs=dict(directs),
            position={each: number for number, each in enumerate(maintenances)},
            unused=tuple(unused),
            guarded=by_field([*not_kept, *rules.values()]),
        )

    def guarded_by(self, model: Model) -> Iterator[tuple[Model, dict[str, Rule]]]:
        """The synced fields of each table that a row of the model is made of."""
        for each in tables_of_row(model):
            if each in self.guarded:
                yield each, self.guarded[each]


def by_field(rules: Iterable[Rule]) -> dict[Model, dict[str, Rule]]:
    found: dict[Model, dict[str, Rule]] = {}
    for rule in rules:
        found.setdefault(rule.model, {})[rule.field.attname] = rule
    return found
