"""What a rule reads, which indexes it needs, and what each kind of write of its sources costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connections, router
from django.db.models import DO_NOTHING

from syncfields import indexes, initial, newborn, registry
from syncfields.changes import Change
from syncfields.compiler import compile_rule
from syncfields.costs import Sending, moves
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.extreme import Extreme
from syncfields.paths import Model, column
from syncfields.printing import shown
from syncfields.rules import Rule
from syncfields.selection import matching

UNCHANGED = "save, nothing that matters changed"
OTHERS = "save(update_fields=[...]) of other columns"
NOTHING: frozenset[str] = frozenset()
CASCADES = "rows of other models may go with it"
EACH_ROW = "each row reads what it copies"
LOCKS = "rows that lie between, or beyond, are locked"
NO_KEYS = "it is not known which rows are new"
PARENT_TABLES = "its rows of the parent tables are written too"


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
class Write:
    """What one kind of write costs beside its own statement."""

    name: str
    changed: tuple[str, ...]
    """The columns of which one changes; empty where all are written, or none that matters."""
    statements: tuple[str, ...]
    where_extreme: tuple[str, ...] | None = None
    """The same, where the row held the minimum or maximum of each rule that keeps one; None where
    that makes no difference."""
    more: str = ""
    """Why more may be sent."""


@dataclass(frozen=True, slots=True)
class Source:
    model: str
    database: str
    product: str
    columns: tuple[str, ...]
    """Those that matter to any rule, of this table."""
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    rules: tuple[RuleExplained, ...]
    sources: tuple[Source, ...]


def explain(*labels: str, using: str | None = None) -> Explanation:
    """Explain the rules that the labels select, and writes of what they read.

    Raises ``LookupError`` for a label that names no rule.
    """
    chosen = dict.fromkeys(rule for label in labels or (None,) for rule in matching(label))
    rules = sorted(chosen, key=lambda rule: rule.label)
    maintenances = {rule: compile_rule(rule) for rule in rules}
    read = {
        dependency.model: None
        for rule in rules
        for maintenance in maintenances[rule]
        for dependency in maintenance.dependencies
        if dependency.columns or dependency.path.hops
    }
    return Explanation(
        tuple(rule_explained(rule, maintenances[rule]) for rule in rules),
        tuple(source(model, using) for model in sorted(read, key=lambda each: each._meta.label)),
    )


def rule_explained(rule: Rule, maintenances: Sequence[Maintenance]) -> RuleExplained:
    reads = (
        Reading(str(each.path), each.model._meta.label, tuple(sorted(each.columns)))
        for maintenance in maintenances
        for each in maintenance.dependencies
        if each.columns or each.path.hops
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
    alias = using or router.db_for_write(model)
    connections[alias].ensure_connection()  # Features depend on the server's version.
    return Source(
        model._meta.label,
        alias,
        connections[alias].display_name,
        tuple(sorted(registry.plan().columns.get(model, ()))),
        tuple(writes(alias, model)),
    )


def writes(using: str, model: Model) -> Iterator[Write]:
    if model._meta.auto_created:
        yield adding(using, model)
        yield cost(using, "remove(), clear()", lambda to: to.delete_many(model))
        return
    parents = PARENT_TABLES if model._meta.parents else ""
    along = parents or (CASCADES if may_cascade(model) else "")
    written = writable(model)
    watched = sorted(written & registry.plan().columns[model])
    others = written.difference(watched)
    yield cost(using, "create", lambda to: to.create(model), more=parents)
    yield from alike(saving(using, model, name, written, parents) for name in watched)
    yield cost(using, UNCHANGED, lambda to: to.save(model, NOTHING, written), more=parents)
    if others:
        yield cost(using, OTHERS, lambda to: to.save(model, NOTHING, others), more=parents)
    yield cost(using, "delete", lambda to: to.delete(model), more=along)
    if not model._meta.parents:
        yield creating_many(using, model)
    several = [name for name in watched if not column(model, name).unique]
    yield from alike(updating_many(using, model, name) for name in several)
    yield cost(using, "QuerySet.delete()", lambda to: to.delete_many(model), more=along)


def saving(using: str, model: Model, name: str, written: frozenset[str], more: str) -> Write:
    changed = frozenset({name})
    kind = f"save, {'moved' if is_key(model, name) else 'changed'}"
    found = cost(using, kind, lambda to: to.save(model, changed, written), more=more)
    return replace(found, changed=(name,))


def adding(using: str, model: Model) -> Write:
    features = connections[using].features
    if features.can_return_rows_from_bulk_insert and features.supports_ignore_conflicts:
        return cost(using, "add()", lambda to: to.bulk_create_partly(model))
    return cost(using, "add()", lambda to: to.bulk_create_unknown(model), more=NO_KEYS)


def creating_many(using: str, model: Model) -> Write:
    if not connections[using].features.can_return_rows_from_bulk_insert:
        return cost(using, "bulk_create()", lambda to: to.bulk_create_unknown(model), more=NO_KEYS)
    kept = registry.plan().targets.get(model, ())
    one_by_one = any(newborn.start(each).rows and initial.picky(each) for each in kept)
    more = EACH_ROW if one_by_one else ""
    return cost(using, "bulk_create()", lambda to: to.bulk_create(model), more=more)


def updating_many(using: str, model: Model, name: str) -> Write:
    changed = frozenset({name})
    kind = f"update(), {'moved' if is_key(model, name) else 'changed'}"
    found = cost(using, kind, lambda to: to.update_many(model, changed))
    return replace(found, changed=(name,))


def is_key(model: Model, name: str) -> bool:
    """Whether a change of the column brings the row to other targets, or a target to another."""
    change = Change(model, "update", columns=frozenset({name}))
    watching = registry.plan().sources[model]
    return any(moves(change, each.maintenance) for each in watching)


def cost(using: str, name: str, follow: Callable[[Sending], None], more: str = "") -> Write:
    usual, extreme = Sending(using), Sending(using, was_extreme=True)
    follow(usual)
    follow(extreme)
    differs = len(extreme.sent) != len(usual.sent)
    more = more or (LOCKS if usual.locks_more else "")
    return Write(name, (), tuple(usual.sent), tuple(extreme.sent) if differs else None, more)


def alike(found: Iterable[Write]) -> Iterator[Write]:
    """Writes that send the same, as one with the columns of all."""
    groups: dict[Write, list[str]] = {}
    for each in found:
        groups.setdefault(replace(each, changed=()), []).extend(each.changed)
    for each, changed in groups.items():
        yield replace(each, changed=tuple(changed))


def writable(model: Model) -> frozenset[str]:
    """The columns that ``save()`` writes to an existing row."""
    owned = registry.plan().owned.get(model, {})
    return frozenset(
        each.attname
        for each in model._meta.local_concrete_fields
        if each not in model._meta.pk_fields and not each.generated and each.attname not in owned
    )


def may_cascade(model: Model) -> bool:
    """Whether a delete may reach rows of other models, by Django or by the database."""
    relations = [each for each in model._meta.get_fields(include_hidden=True) if not each.concrete]
    return any(
        getattr(each, "on_delete", None) not in (None, DO_NOTHING)
        or hasattr(each, "bulk_related_objects")
        for each in relations
    )
