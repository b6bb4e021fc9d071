"""Whether two declarations say the same. Django's expressions are equal if they are made of equal
parts, but querysets and functions are equal only to themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import CellType, CodeType, FunctionType
from typing import Any

from django.db.models import Expression, QuerySet, Subquery
from django.db.models.sql import Query
from django.utils.tree import Node

from syncfields.declare.expressions import Tally

# All that a query says; the rest of its attributes is remembered, or follows.
OF_QUERY = (
    "model",
    "alias_map",
    "where",
    "annotations",
    "annotation_select_mask",
    "select",
    "values_select",
    "default_cols",
    "deferred_loading",
    "distinct",
    "distinct_fields",
    "order_by",
    "extra_order_by",
    "default_ordering",
    "standard_ordering",
    "group_by",
    "low_mark",
    "high_mark",
    "combinator",
    "combinator_all",
    "combined_queries",
    "extra",
    "extra_tables",
)
OF_FUNCTION = ("__code__", "__defaults__", "__kwdefaults__", "__closure__")


def alike(one: Any, other: Any) -> bool:
    """Whether two values, or what they are made of, are equal. Of what nobody can tell, no."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    parts = parts_of(one)
    return bool(one == other) if parts is None else alike(parts, list(parts_of(other) or ()))


def parts_of(value: Any) -> list[Any] | None:
    """What it is made of, if it is not equal to another that is made of the same."""
    if isinstance(value, QuerySet):
        return named(value, ("query", "_db"))
    if isinstance(value, Query):
        return named(value, OF_QUERY)
    if isinstance(value, Node):  # A condition.
        return [value.connector, value.negated, value.children]
    if isinstance(value, Subquery):
        return [value.query, value.extra]
    if isinstance(value, Expression):
        return named(value, ["_constructor_args"])
    if isinstance(value, Tally):
        return [vars(value)]
    return parts_of_function(value)


def parts_of_function(value: Any) -> list[Any] | None:
    if isinstance(value, FunctionType):
        return named(value, OF_FUNCTION)
    if isinstance(value, CodeType):
        return [value.co_code, value.co_names, list(value.co_consts), value.co_freevars]
    if isinstance(value, CellType):
        return [value.cell_contents]
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    return None


def named(value: Any, names: Iterable[str]) -> list[Any]:
    return [getattr(value, name, None) for name in names]
