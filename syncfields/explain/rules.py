"""What a rule reads, which indexes it needs, and what each kind of write of its sources sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, router

from syncfields.capture import receivers
from syncfields.declare.paths import Model
from syncfields.declare.rules import Rule
from syncfields.exceptions import NoRollback, NotMigrated
from syncfields.explain.naming import chosen
from syncfields.explain.recording import Write, record
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.extreme import Extreme
from syncfields.plan import homes, indexes, registry
from syncfields.plan.compiler import compile_rule
from syncfields.sql.printing import shown


@dataclass(frozen=True, slots=True)
class Index:
    model: str
    columns: tuple[str, ...]
    there: bool
    only_advised: bool = False
    """Faster with it, where a target has many rows; not looked for by the check."""


@dataclass(frozen=True, slots=True)
class Reading:
    path: str
    model: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleExplained:
    label: str
    expression: str
    maintenance: str
    reads: tuple[Reading, ...]
    indexes: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Source:
    model: str
    database: str
    product: str
    columns: tuple[str, ...]
    """Those that matter to any rule, of this table."""
    receivers: tuple[str, ...]
    """The library's own of saves to this table: ``"post_save of app.Model"``."""
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    rules: tuple[RuleExplained, ...]
    sources: tuple[Source, ...]


def explain(*labels: str, using: str | None = None) -> Explanation:
    """Explain the rules that the labels select, and writes of what they read.

    Raises ``LookupError`` for a label that names neither a rule nor a model that one reads,
    ``NotMigrated`` and ``NoRollback``.
    """
    return Explanation(tuple(explain_rules(*labels)), tuple(explain_sources(*labels, using=using)))


def explain_rules(*labels: str) -> Iterator[RuleExplained]:
    """The rules that the labels name, and those that read a model that they name."""
    for rule in in_order(chosen(*labels).rules):
        yield rule_explained(rule, compile_rule(rule))


def explain_sources(*labels: str, using: str | None = None) -> Iterator[Source]:
    """What the named rules read, and the named models that are read: what writes of them send."""
    named = chosen(*labels)
    read = {
        dependency.model
        for rule in named.of_targets
        for maintenance in compile_rule(rule)
        for dependency in maintenance.dependencies
        if dependency.is_read
    }
    for model in sorted(read.union(named.sources), key=lambda each: each._meta.label):
        yield source(model, using)


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    return sorted(rules, key=lambda rule: rule.label)


def rule_explained(rule: Rule, maintenances: Sequence[Maintenance]) -> RuleExplained:
    reads = (
        Reading(str(each.path), each.model._meta.label, tuple(sorted(each.columns)))
        for maintenance in maintenances
        for each in maintenance.dependencies
        if each.is_read
    )
    return RuleExplained(
        rule.label,
        shown(rule.expression),
        maintenances[0].kind,
        tuple(dict.fromkeys(reads)),
        tuple(indexes_of(maintenances)),
    )


def indexes_of(maintenances: Sequence[Maintenance]) -> Iterator[Index]:
    for each in indexes.lookups(maintenances):
        yield Index(each.model._meta.label, each.columns, indexes.is_indexed(each))
    for maintenance in maintenances:
        if isinstance(maintenance, Extreme):
            yield from fastest(maintenance)


def fastest(maintenance: Extreme) -> Iterator[Index]:
    """The index in which the next extreme of a target is the first entry, or the last."""
    deepest = max(maintenance.dependencies, key=lambda each: len(each.path.hops))
    source: Any = maintenance.aggregate.get_source_expressions()[0]
    name = getattr(source, "name", "").removeprefix(f"{deepest.path.lookup}__")
    (*_, hop) = deepest.path.hops
    if name in deepest.columns and not hop.forward and not hop.generic:
        lookup = indexes.Lookup(deepest.model, (*(far for _, far in hop.columns), name))
        yield Index(
            lookup.model._meta.label,
            lookup.columns,
            lookup.columns in indexes.indexes(lookup.model),
            only_advised=True,
        )


# Each kind of write ----------------------------------------------------------------------------


def source(model: Model, using: str | None) -> Source:
    """Record each kind of write of a model, and leave nothing behind.

    Raises ``NotMigrated`` where the tables are not there, and ``NoRollback`` where the database
    would keep the sample rows.
    """
    alias = using or router.db_for_write(model)
    plan = registry.plan()
    targets = (watch.maintenance.target for watch in plan.sources[model])
    concerned = dict.fromkeys((*model._meta.all_parents, model, *targets))
    connections[alias].ensure_connection()
    if lacking := homes.lacking(alias, concerned):
        raise NotMigrated(alias, lacking)
    if (kept := homes.without_rollback(alias)) is not None:
        raise NoRollback(alias, kept)
    return Source(
        model._meta.label,
        alias,
        connections[alias].display_name,
        tuple(sorted(plan.columns.get(model, ()))),
        tuple(
            sorted(f"{signal} of {sender._meta.label}" for signal, sender in receivers.of(model))
        ),
        tuple(record(alias, model)),
    )
