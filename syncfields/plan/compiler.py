"""From rules to the plan: what each expression reads, along which path, kept in which way.

Nothing is parsed: Django resolves the expression against the target, and the joins and columns of
the resolved expression say what it reads. No query is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import Any

from django.db.models import (
    Aggregate,
    Count,
    ExpressionWrapper,
    Max,
    Min,
    StdDev,
    Sum,
    Value,
    Variance,
)
from django.db.models.expressions import Combinable, CombinedExpression
from django.db.models.functions import Coalesce
from django.db.models.sql import Query

from syncfields.declare.expressions import EVENTS, Tally
from syncfields.declare.paths import Dependency, UnknownRelationError, merged, with_joins
from syncfields.declare.rules import Rule, refuse_duplicates
from syncfields.exceptions import RuleError
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta, Term
from syncfields.maintenance.direct import direct
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.maintenance.tally import Tallied
from syncfields.plan import siblings, types
from syncfields.plan.aggregation import adds_up, is_hollow, is_row_local, required
from syncfields.plan.levels import Circle, in_order, shared
from syncfields.plan.plan import Plan
from syncfields.sql.reading import Part, Reader, declared, join_paths, part_of, resolve, walked
from syncfields.sql.scans import Grouped
from syncfields.sql.trees import aggregates, isolated, prefixed, replaced, without_default
from syncfields.sql.zones import settled


def compile_rules(rules: Iterable[Rule]) -> tuple[Plan, list[RuleError]]:
    """The plan for all rules that can be kept, and what is wrong with the others."""
    rules = list(rules)
    errors = list(refuse_duplicates(rules))
    compiled: list[Maintenance] = []
    for rule in {(rule.model, rule.field_name): rule for rule in reversed(rules)}.values():
        try:
            compiled[:0] = compile_rule(rule.made())
        except Exception as error:  # noqa: BLE001 - one rule must not stop the project
            errors.append(broken(rule, error))
    unused, errors = siblings.told_apart(errors, compiled)
    while True:
        try:
            maintenances = list(shared(in_order(compiled)))
        except Circle as circle:
            errors.append(circle.error)
            compiled = [each for each in compiled if each.rules[0] not in circle.rules]
        else:
            return Plan.of(maintenances, direct, unused, frozen(rules, maintenances)), errors


def broken(rule: Rule, error: Exception) -> RuleError:
    """What is wrong with a rule, in words of ours also where Django raised it: it has not resolved
    a relation, for instance, because the model at its far end is not there.
    """
    found = error
    if isinstance(error, UnknownRelationError):
        message = f"The expression of {rule.label} cannot be resolved: {error}"
        found = RuleError(message, id="E001", hint=error.hint, obj=rule.model)
    elif not isinstance(error, RuleError):
        found = RuleError(
            f"The rule of {rule.label} cannot be read: {type(error).__name__}: {error}",
            id="E020",
            hint="Django's own checks may say more. If they do not, please report it.",
            obj=rule.model,
        )
        found.__cause__ = error
    assert isinstance(found, RuleError)
    found.rules = (rule,)
    return found


def frozen(rules: Iterable[Rule], maintenances: Iterable[Maintenance]) -> Iterator[Rule]:
    """The rules that are not kept though their fields could be synced."""
    kept = {rule.label for each in maintenances for rule in each.rules}
    for rule in rules:
        if rule.label not in kept:
            with suppress(RuleError):
                types.check_field(rule)
                yield rule


def compile_rule(rule: Rule) -> list[Maintenance]:
    """The maintenances of one rule: one for each to-many path that it adds up, or just one."""
    types.check_field(rule)
    types.check_options(rule)
    rule = settled(rule)
    if isinstance(rule.expression, Tally):
        return [tallied(rule)]
    refuse_no_expression(rule)
    named = list(declared(rule))
    if (terms := linear(rule.expression, rule)) is not None:
        tree = summed(rule)
        values = {rule.field.attname: isolated(rule.model, tree)}
        read = read_by_each(rule, [term.aggregate for term in terms])
        refuse_unread(rule, read)
        groups = grouped(rule, tree, read)
        return [
            Delta(
                target=rule.model,
                rules=(rule,),
                dependencies=found,
                values=values,
                grouped=groups,
                terms=(term,),
            )
            for term, found in zip(terms, read, strict=True)
        ]
    tree = tree_of(rule)
    outside = part_of(rule, replaced(tree, lambda node: blank(node, rule)))
    refuse_fan_out(rule, outside)
    reader = Reader(rule)
    row_part = reader.dependencies(outside)
    read = read_by_each(rule, aggregates(tree), reader)
    refuse_opaque(rule, reader)
    found = merged(chain(row_part, *read, with_joins(named)))
    refuse_unread(rule, [found])
    whole = part_of(rule, tree)
    types.check_value(rule, whole.tree, whole.paths)
    values = {rule.field.attname: isolated(rule.model, tree)}
    common: Any = {
        "target": rule.model,
        "rules": (rule,),
        "dependencies": found,
        "values": values,
        "grouped": grouped(rule, tree, read),
    }
    if is_extreme(tree) and is_comparable(rule, tree) and aggregate_adds_up(rule, tree):
        return [Extreme(aggregate=tree, **common)]
    if aggregates(tree) or any(each.path.many for each in found):
        return [Recompute(**common)]
    return [Copy(**common)]


def linear(tree: Any, rule: Rule, sign: int = 1) -> list[Term] | None:
    """The counts and exact sums that the expression adds and subtracts, if it is nothing else."""
    if isinstance(tree, ExpressionWrapper):
        return linear(tree.expression, rule, sign)
    if isinstance(tree, CombinedExpression) and tree.connector in (Combinable.ADD, Combinable.SUB):
        left = linear(tree.lhs, rule, sign)
        right = linear(tree.rhs, rule, sign if tree.connector == Combinable.ADD else -sign)
        return None if left is None or right is None else left + right
    if type(tree) is Coalesce:
        summand: Any
        summand, *others = tree.get_source_expressions()
        if type(summand) is Sum and vars(summand)["default"] is None and is_zero(others):
            tree = defaulting(summand)
    if not isinstance(tree, Aggregate) or not distributive(tree, rule):
        return None
    return [Term(rule, sign, without_default(tree))]


def distributive(aggregate: Any, rule: Rule) -> bool:
    if getattr(aggregate, "distinct", False) or getattr(aggregate, "order_by", None):
        return False
    if not aggregate_adds_up(rule, aggregate):
        return False
    if type(aggregate) is Count:
        return types.is_exact(rule.field)
    if type(aggregate) is not Sum:
        return False
    default = vars(aggregate)["default"]
    if not (is_zero([default]) if default is not None else not rule.field.null):
        return False
    return types.sums_exactly(resolve(rule, aggregate.get_source_expressions()[0]), rule.field)


def aggregate_adds_up(rule: Rule, aggregate: Any) -> bool:
    return adds_up(part_of(rule, without_default(aggregate)))


def read_by_each(
    rule: Rule, found: Iterable[Any], reader: Reader | None = None
) -> list[tuple[Dependency, ...]]:
    """What each aggregate of a rule reads. What one of them ignores another may count."""
    reader = reader or Reader(rule)
    read: list[tuple[Dependency, ...]] = []
    for aggregate in found:
        part = part_of(rule, without_default(aggregate))
        needed = required(part)
        read.append(
            tuple(
                replace(each, hollow=is_hollow(each.path, needed))
                for each in reader.dependencies(part)
            )
        )
    return read


def grouped(rule: Rule, tree: Any, read: Sequence[Sequence[Dependency]]) -> dict[str, Grouped]:
    """The one to-many path of a rule, with its expression, if there is just one.

    ``read``: what each aggregate of the expression reads.
    """
    found = aggregates(tree)
    local = all(is_row_local(part_of(rule, without_default(each)).tree) for each in found)
    # Django's own StdDev and Variance for SQLite fail on a target without rows.
    if not found or not local or any(isinstance(a, (StdDev, Variance)) for a in found):
        return {}
    if not is_row_local(part_of(rule, replaced(tree, lambda node: blank(node, rule))).tree):
        return {}
    stems = [{dependency.path.stem for dependency in each} for each in read]
    deepest = max(set().union(*stems), key=lambda path: len(path.hops))
    for own in stems:
        if deepest not in own or not all(deepest.starts_with(stem) for stem in own):
            return {}
    adding = all(aggregate_adds_up(rule, aggregate) for aggregate in found)
    return {rule.field.attname: Grouped(deepest, tree, adding)}


def is_zero(values: Sequence[Any]) -> bool:
    if len(values) != 1:
        return False
    value = values[0].value if isinstance(values[0], Value) else values[0]
    return isinstance(value, (int, Decimal)) and value == 0


def defaulting(aggregate: Any, zero: Any = 0) -> Any:
    copy = aggregate.copy()
    copy.default = zero
    return copy


def tree_of(rule: Rule) -> Any:
    """The expression of a rule that is not linear, as it is kept."""
    return summed(rule) if type(rule.expression) is Sum else rule.expression


def summed(rule: Rule) -> Any:
    """The expression of a sum, or of a linear rule; where the field cannot be NULL, no rows add up
    to 0, or to what is 0 for such values.
    """

    def replace_sum(node: Any) -> Any:
        if type(node) is Sum and vars(node)["default"] is None and not rule.field.null:
            zero = types.zero(resolve(rule, node).output_field)
            return node if zero is None else defaulting(node, zero)
        return node if isinstance(node, Aggregate) else None

    return replaced(rule.expression, replace_sum)


def is_extreme(tree: Any) -> bool:
    return type(tree) in (Min, Max) and tree.default is None


def is_comparable(rule: Rule, extreme: Any) -> bool:
    return types.stores_unchanged(resolve(rule, extreme.get_source_expressions()[0]), rule.field)


def blank(node: Any, rule: Rule) -> Any:
    """Aggregates replaced by a constant: what is left is read from the target's own row."""
    return Value(None, output_field=rule.field) if isinstance(node, Aggregate) else None


def refuse_no_expression(rule: Rule) -> None:
    if not hasattr(rule.expression, "resolve_expression"):
        raise RuleError(
            f"The rule of {rule.label} is {rule.expression!r}, which is no expression.",
            id="E001",
            hint='Give what annotate() takes, for instance F("user__email") or Count("comments").',
            obj=rule.model,
        )


def refuse_fan_out(rule: Rule, outside: Part) -> None:
    if (path := outside.fans_out) is not None:
        raise RuleError(
            f"The expression of {rule.label} has no single value: {path} leads to many rows.",
            id="E011",
            hint="Wrap it in an aggregate, or use Exists() or Subquery().",
            obj=rule.model,
        )


def refuse_opaque(rule: Rule, reader: Reader) -> None:
    if reader.opaque and not rule.declaration.depends_on:
        raise RuleError(
            f"The expression of {rule.label} holds {type(reader.opaque[0]).__name__}, and what "
            "that reads cannot be seen from outside.",
            id="E007",
            hint='Name the relations it reads: depends_on=["comments", "comments__author"].',
            obj=rule.model,
        )


def refuse_unread(rule: Rule, read: Iterable[Iterable[Dependency]]) -> None:
    if not any(each.path.hops for found in read for each in found):
        raise RuleError(
            f"The expression of {rule.label} reads no relation.",
            id="E002",
            hint="For an expression over the row's own columns use Django's GeneratedField.",
            obj=rule.model,
        )


def tallied(rule: Rule) -> Tallied:
    tally: Tally = rule.expression
    if not tally.on or not tally.on <= EVENTS:
        raise RuleError(
            f"The Tally of {rule.label} counts on={sorted(tally.on)!r}.",
            id="E013",
            hint='The events are "create" and "save".',
            obj=rule.model,
        )
    path = walked(rule, tally.path, id="E001")
    own = {hop.field for hop in path.hops}
    for part in (tally.when, tally.amount):
        if hasattr(part, "resolve_expression"):
            query = Query(path.model)
            resolve(rule, part, query)
            back = join_paths(query, {}).values()
            if any(hop.field in own for each in back for hop in each.hops):
                raise RuleError(
                    f"The Tally of {rule.label} is filtered by its own target.",
                    id="E008",
                    hint="An event is counted or not when it happens; say so by columns of the "
                    f"source, {path.model._meta.label}.",
                    obj=rule.model,
                )
    amount = tally.amount if hasattr(tally.amount, "resolve_expression") else Value(tally.amount)
    when = None if tally.when is None else prefixed(tally.when, tally.path)
    aggregate = Sum(prefixed(amount, tally.path), filter=when)
    return Tallied(
        target=rule.model,
        rules=(rule,),
        dependencies=(Dependency(path, frozenset()),),
        values={},
        grouped={},
        terms=(Term(rule, 1, aggregate),),
        on=tally.on,
    )
