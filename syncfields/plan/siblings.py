"""One abstract rule on many models: what is wrong with it, and what is merely not used yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django.core.exceptions import FieldError

from syncfields.declare.paths import Dependency, Model, walk
from syncfields.declare.rules import Rule
from syncfields.exceptions import RuleError
from syncfields.maintenance.base import Maintenance
from syncfields.plan.plan import Unused


def told_apart(
    errors: Sequence[RuleError], compiled: Sequence[Maintenance]
) -> tuple[list[Unused], list[RuleError]]:
    """The rules that nothing is wrong with but that nothing refers to their model, and the other
    errors.
    """
    unused: list[Unused] = []
    others: list[RuleError] = []
    for error in errors:
        found = next(unused_rules(error, compiled), None) if error.id.endswith("E001") else None
        if found is None:
            others.append(error)
        else:
            unused.append(found)
    return unused, others


def unused_rules(error: RuleError, compiled: Iterable[Maintenance]) -> Iterator[Unused]:
    for rule in error.rules:
        if not is_inherited(rule):
            continue
        for maintenance in compiled:
            (sibling, *_) = maintenance.rules
            if sibling.declaration is not rule.declaration:
                continue
            relation = missing(rule.model, maintenance.dependencies)
            if relation is not None:
                yield Unused(rule, sibling, relation)


def is_inherited(rule: Rule) -> bool:
    declared = rule.declaration.field
    return declared is not None and declared.model._meta.abstract


def missing(model: Model, read: Iterable[Dependency]) -> str | None:
    """The relation that a model lacks, if a rule that reads so has no rows to read there.

    All that it reads elsewhere lies beyond relations that other models declare and that no model
    has declared here. Of an own column, or of one relation of two that is there, the value would
    depend, and it would have to be kept.
    """
    names: dict[str, None] = {}
    for dependency in read:
        if not dependency.path.hops:
            if dependency.columns:
                return None
            continue
        hop = dependency.path.hops[0]
        if hop.forward or not lacks(model, hop.name):
            return None
        names[hop.name] = None
    return next(iter(names), None)


def lacks(model: Model, relation: str) -> bool:
    try:
        walk(model, relation)
    except FieldError:
        return True
    return False
