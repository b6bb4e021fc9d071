"""Expressions as they are written: Django's ``repr()`` says of a subquery only that it is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, Model, QuerySet, Subquery
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col, ResolvedOuterRef
from django.db.models.sql import Query
from django.db.models.sql.where import WhereNode

from syncfields.sql.trees import name_of, nodes, replaced


class Text:
    """Stands for a queryset, which its own ``repr()`` would carry out."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def shown(expression: Any) -> str:
    """``repr()``, with each subquery in it as the queryset that it was made of. No query is run."""
    tree = replaced(expression, lambda each: plain(each) if isinstance(each, QuerySet) else None)
    text = repr(tree)
    for node in nodes(tree):
        if isinstance(node, Subquery):
            inner = queryset(node.query, exists=isinstance(node, Exists))
            text = text.replace(object.__repr__(node), f"{type(node).__name__}({inner})")
    return text.replace("NegatedExpression(", "~(")


def plain(found: Any) -> Text:
    return Text(queryset(found.query))


def queryset(query: Any, exists: bool = False) -> str:
    text = f"{query.model.__name__}.objects"
    wanted = [each for each in query.where.children if not getattr(each, "negated", False)]
    if wanted:
        text += f".filter({', '.join(conditions(query, each) for each in wanted)})"
    for child in query.where.children:
        if child not in wanted:
            text += f".exclude({conditions(query, WhereNode(child.children, child.connector))})"
    if query.distinct:
        text += ".distinct()"
    if query.order_by:
        text += f".order_by({', '.join(map(repr, query.order_by))})"
    if exists:  # It selects 1 of the first row, whatever the queryset says.
        return text if wanted or text.endswith(")") else f"{text}.all()"
    if query.values_select or query.annotation_select:
        names = [*map(repr, query.values_select), *computed(query)]
        text += f".values({', '.join(names)})"
    if query.is_sliced:
        high = "" if query.high_mark is None else query.high_mark
        text += f"[{query.low_mark or ''}:{high}]"
    return text


def computed(query: Any) -> Iterator[str]:
    for name, value in query.annotation_select.items():
        yield f"{name}={value!r}"


def conditions(query: Any, condition: Any) -> str:
    if isinstance(condition, WhereNode):
        either = condition.connector != "AND"
        joined = f" {condition.connector} " if either else ", "
        text = joined.join(conditions(query, child) for child in condition.children)
        return f"~({text})" if condition.negated else f"({text})" if either else text
    names = list(names_of(query, getattr(condition, "lhs", None)))
    if not names:
        return shown(condition) if hasattr(condition, "get_source_expressions") else repr(condition)
    if condition.lookup_name != "exact":
        names.append(condition.lookup_name)
    return f"{LOOKUP_SEP.join(names)}={value(condition.rhs)}"


def names_of(query: Any, tree: Any) -> Iterator[str]:
    """A column, or a transform of one, as a lookup spells it."""
    if isinstance(tree, Col):
        join: Any = query.alias_map.get(tree.alias)
        steps = []
        while getattr(join, "parent_alias", None):
            steps.append(join.join_field.name)
            join = query.alias_map[join.parent_alias]
        yield from (*reversed(steps), tree.target.name)
    elif hasattr(tree, "lookup_name") and hasattr(tree, "lhs"):
        yield from names_of(query, tree.lhs)
        yield tree.lookup_name


def value(given: Any) -> str:
    if isinstance(given, Query):
        return queryset(given)
    if isinstance(given, Model):
        return f"<{type(given).__name__} {given.pk}>"
    if isinstance(given, Col):
        return f"F({given.target.name!r})"
    if isinstance(given, ResolvedOuterRef):
        return f"OuterRef({name_of(given)!r})"
    return shown(given)
