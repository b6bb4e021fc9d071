"""One time zone and one language for a rule: its value does not depend on who writes.

``at__year``, ``TruncDate("at")`` and their like mean what they mean in the current time zone, which
Django asks for when a query is compiled, and when what it returns is read. In a rule they are meant
in the project's ``TIME_ZONE``: those parts of an expression are wrapped when the rule is compiled,
and whoever uses the expression gets that with it. Text that is translated is what it is in the
project's ``LANGUAGE_CODE``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db.models import Aggregate, ExpressionWrapper, F, Model, Q, Subquery, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import BaseExpression
from django.db.models.functions.datetime import TimezoneMixin
from django.db.models.lookups import YearLookup
from django.db.models.sql import Query
from django.utils import timezone, translation
from django.utils.functional import Promise

from syncfields.declare.expressions import Tally
from syncfields.declare.paths import walk
from syncfields.declare.rules import Rule
from syncfields.sql.trees import name_of, nodes, replaced


class InZone(ExpressionWrapper):  # type: ignore[type-arg]
    """An expression that is compiled, and whose values are read, in the project's time zone."""

    def __init__(self, expression: Any) -> None:
        super().__init__(expression, output_field=None)  # type: ignore[arg-type]

    def _resolve_output_field(self) -> Any:
        return self.expression._output_field_or_none

    @property
    def conditional(self) -> bool:
        return bool(getattr(self.expression, "conditional", False))

    def get_group_by_cols(self) -> list[Any]:
        return BaseExpression.get_group_by_cols(self)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        with timezone.override(timezone.get_default_timezone()):
            return super().as_sql(compiler, connection)

    def get_db_converters(self, connection: Any) -> list[Any]:
        inner: Any = self.expression
        return [self.converting(each) for each in inner.get_db_converters(connection)]

    def converting(self, convert: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(convert)
        def converted(value: Any, expression: Any, connection: Any) -> Any:
            with timezone.override(timezone.get_default_timezone()):
                return convert(value, self.expression, connection)

        return converted

    def __repr__(self) -> str:
        return repr(self.expression)


def settled(rule: Rule) -> Rule:
    """The rule, with an expression that means the same for everybody."""
    given = rule.expression
    if isinstance(given, Tally):
        expression: Any = settled_tally(rule, given)
    elif hasattr(given, "resolve_expression"):
        expression = in_zone(rule.model, given)
    else:
        return rule
    return rule if expression is given else rule.meaning(expression)


def settled_tally(rule: Rule, tally: Tally) -> Tally:
    try:
        source = walk(rule.model, tally.path).model
    except (FieldError, FieldDoesNotExist):  # Which a check reports.
        return tally
    amount: Any
    when: Any
    amount, when = (
        in_zone(source, part) if hasattr(part, "resolve_expression") else part
        for part in (tally.amount, tally.when)
    )
    if amount is tally.amount and when is tally.when:
        return tally
    return Tally(tally.path, amount, when=when, on=tally.on)


def in_zone(model: type[Model], tree: Any) -> Any:
    """The expression, with its parts that depend on a zone, or on a language, settled; itself where
    there is none.
    """
    changed = False

    def settle(node: Any) -> Any:
        nonlocal changed
        found = settled_node(model, node)
        changed = changed or (found is not None and found is not node)
        return found

    settled_tree = replaced(tree, settle)
    return settled_tree if changed else tree


def settled_node(model: type[Model], node: Any) -> Any:
    """What stands for a node; None where it stays, and its parts are looked at."""
    if isinstance(node, Q):
        return settled_condition(model, spoken(node))
    if isinstance(node, Value) and isinstance(node.value, Promise):
        text = node.copy()
        text.value = in_language(node.value)
        return text
    if type(node) is F:
        with_transform = LOOKUP_SEP in name_of(node) and depends(resolved(model, node))
        return InZone(node) if with_transform else None
    if isinstance(node, Subquery):
        return InZone(node) if depends(node) else None
    return InZone(node) if is_dependent(node) else None


def settled_condition(model: type[Model], condition: Q) -> Q:
    """A condition, of which as little as possible is wrapped. Not a part of what is negated, where
    NULL is looked at.
    """
    if not depends(resolved(model, condition)):
        return condition
    if condition.negated or condition.connector not in (Q.AND, Q.OR) or len(condition) == 1:
        return holding(InZone(condition))
    children = [
        settled_condition(model, child if isinstance(child, Q) else holding(child))
        for child in condition.children
    ]
    return holding(*children, connector=condition.connector)


def holding(*children: Any, connector: str = Q.AND) -> Q:
    condition = Q(_connector=connector)
    condition.children = list(children)
    return condition


def spoken(condition: Q) -> Q:
    """The condition, with text in the project's language."""
    children = [
        (child[0], in_language(child[1]))
        if isinstance(child, tuple) and isinstance(child[1], Promise)
        else (spoken(child) if isinstance(child, Q) else child)
        for child in condition.children
    ]
    if all(one is other for one, other in zip(children, condition.children, strict=True)):
        return condition
    other = holding(*children, connector=condition.connector)
    other.negated = condition.negated
    return other


def in_language(text: Any) -> Any:
    with translation.override(settings.LANGUAGE_CODE):
        return text._proxy____cast()


def resolved(model: type[Model], tree: Any) -> Any:
    try:
        return tree.resolve_expression(Query(model), allow_joins=True, reuse=None)
    except (FieldError, FieldDoesNotExist, TypeError, ValueError):  # Reported where it is compiled.
        return None


def depends(tree: Any) -> bool:
    """Whether a resolved expression holds what depends on the current zone."""
    return any(
        reads_zone(node) if isinstance(node, Query) else is_dependent(node) for node in nodes(tree)
    )


def reads_zone(query: Any) -> bool:
    # Names are resolved when the query is compiled: one of several parts may be a transform.
    ordered = [str(getattr(each, "expression", each)) for each in query.order_by]
    parts = (query.where, *query.annotations.values(), *query.select)
    return (
        any(LOOKUP_SEP in name for name in ordered)
        or any(map(depends, parts))
        or any(map(reads_zone, query.combined_queries))
    )


def is_dependent(node: Any) -> bool:
    """Whether it may ask for the current zone by itself: of other packages nobody knows."""
    if isinstance(node, TimezoneMixin):
        return node.tzinfo is None
    if isinstance(node, YearLookup):
        return True
    known = type(node).__module__.startswith(("django.", "syncfields."))
    return not known and isinstance(node, BaseExpression) and not isinstance(node, Aggregate)
