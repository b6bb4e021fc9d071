"""A field and its expression by themselves, as a migration has them: evaluated, and not kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from syncfields.declare.expressions import Tally
from syncfields.declare.rules import Rule
from syncfields.exceptions import RuleError
from syncfields.plan import types
from syncfields.plan.compiler import (
    blank,
    grouped,
    linear,
    read_by_each,
    refuse_fan_out,
    refuse_no_expression,
    summed,
    tree_of,
)
from syncfields.sql.reading import Reader, part_of
from syncfields.sql.scans import Grouped
from syncfields.sql.trees import aggregates, isolated, replaced
from syncfields.sql.zones import settled


@dataclass(frozen=True, slots=True)
class Alone:
    """How the value of a rule is asked for."""

    value: Any
    """For ``annotate()`` on the target."""
    grouped: dict[str, Grouped]
    own: frozenset[str]
    """The columns of the target's own table that it reads, in whichever of its rows."""


def alone(rule: Rule) -> Alone:
    """The same value as the rule would have. Raises ``RuleError`` where it has none; that writes
    could not keep it, for lack of ``depends_on`` for instance, does not matter here.
    """
    types.check_field(rule)
    if isinstance(rule.expression, Tally):
        raise RuleError(
            f"{rule.label} counts events, of which no value follows.",
            id="E001",
            hint="Leave it at its default, or let RunPython say where it starts.",
            obj=rule.model,
        )
    refuse_no_expression(rule)
    rule = settled(rule)
    tree = summed(rule) if linear(rule.expression, rule) is not None else tree_of(rule)
    outside = part_of(rule, replaced(tree, lambda node: blank(node, rule)))
    refuse_fan_out(rule, outside)
    reader = Reader(rule)
    read = read_by_each(rule, aggregates(tree), reader)
    own = (
        dependency.columns
        for each in (*read, reader.dependencies(outside))
        for dependency in each
        if dependency.model is rule.model
    )
    return Alone(isolated(rule.model, tree), grouped(rule, tree, read), frozenset().union(*own))
