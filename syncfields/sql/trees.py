"""Expressions as trees: found in, copied with parts replaced, evaluated away from their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import (
    Aggregate,
    DecimalField,
    F,
    Func,
    Lookup,
    OuterRef,
    Q,
    StdDev,
    Subquery,
    Value,
    Variance,
)
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import ResolvedOuterRef
from django.db.models.sql import Query

from syncfields.declare.paths import Model
from syncfields.sql.rows import outer, rows

LISTS = (list, tuple, set, frozenset)
"""What a condition may compare with, item by item: values, or expressions."""

Replace = Callable[[Any], Any]


def nodes(tree: Any) -> Iterator[Any]:
    """Each node of a declared or resolved expression, from the root down."""
    yield tree
    for part in parts_of(tree):
        if part is not None:
            yield from nodes(part)


def parts_of(tree: Any) -> Iterable[Any]:
    if isinstance(tree, Q):
        return [child[1] if isinstance(child, tuple) else child for child in tree.children]
    if isinstance(tree, LISTS):
        return [each for each in tree if hasattr(each, "resolve_expression")]
    if not hasattr(tree, "get_source_expressions"):
        return ()
    sources: list[Any] = tree.get_source_expressions()
    # Django leaves out what a lookup compares with where that is a list, of expressions too.
    if isinstance(tree, Lookup) and isinstance(tree.rhs, LISTS):
        return [*sources, tree.rhs]
    return sources


def replaced(tree: Any, replace: Replace, rename: Callable[[str], str] = str) -> Any:
    """A copy in which ``replace`` gave another node for some nodes (None: keep and go deeper).

    ``rename`` is applied to the names on the left of the conditions of each ``Q``.
    """
    if (other := replace(tree)) is not None:
        return other
    if isinstance(tree, Q):
        copy = Q(_connector=tree.connector, _negated=tree.negated)
        copy.children = [
            (rename(child[0]), replaced(child[1], replace, rename))
            if isinstance(child, tuple)
            else replaced(child, replace, rename)
            for child in tree.children
        ]
        return copy
    if isinstance(tree, LISTS) and any(hasattr(each, "resolve_expression") for each in tree):
        return [replaced(each, replace, rename) for each in tree]
    if not hasattr(tree, "get_source_expressions") or isinstance(tree, Subquery):
        return tree
    clone = tree.copy()
    clone.set_source_expressions(
        [source and replaced(source, replace, rename) for source in tree.get_source_expressions()]
    )
    return clone


def name_of(reference: Any) -> str:
    """What an ``F`` refers to."""
    return str(reference.name)


def renamed(tree: Any, rename: Callable[[str], str]) -> Any:
    """A copy in which ``rename`` was applied to each name that the expression refers to."""
    return replaced(
        tree, lambda node: F(rename(name_of(node))) if type(node) is F else None, rename
    )


def prefixed(tree: Any, prefix: str) -> Any:
    """An expression over a source row, as its target sees it."""
    return renamed(tree, lambda name: f"{prefix}{LOOKUP_SEP}{name}")


def aggregates(tree: Any) -> list[Aggregate]:
    return [node for node in nodes(tree) if isinstance(node, Aggregate)]


def without_default(aggregate: Any) -> Any:
    bare = aggregate.copy()
    bare.default = None
    return bare


def condition_of(aggregate: Aggregate) -> Any:
    """The ``filter`` that an aggregate was given (Django 6.0 wraps it), or None."""
    condition = aggregate.filter
    if condition is None or isinstance(condition, Q):
        return condition
    sources = condition.get_source_expressions()
    return sources[0] if type(condition).__name__ == "AggregateFilter" else condition


def cast_type(field: Any, connection: Any) -> str | None:
    """What a value of a field is cast to; Django before 6.0 writes digits of a decimal that are not
    known.
    """
    digits: Any = field.max_digits if isinstance(field, DecimalField) else 0
    if digits is None:
        return "numeric"
    kind: str | None = field.cast_db_type(connection)
    return kind


class One(Subquery):
    """A subquery, and NULL where Django knows that it finds no row: in a SELECT it says so by
    itself, what else holds the subquery it takes for empty, an UPDATE for one that changes nothing.
    """

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> Any:
        try:
            return super().as_sql(compiler, connection, *args, **extra)
        except EmptyResultSet:
            return "NULL", ()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """An aggregate that nothing can match is NULL there, of which PostgreSQL makes a text."""
        text, params = self.as_sql(compiler, connection, **extra)
        begin, kind = "(SELECT NULL AS ", cast_type(self.output_field, connection)
        if kind and text.startswith(begin):
            text = f"(SELECT NULL::{kind} AS {text.removeprefix(begin)}"
        return text, params


def of_row(model: Model, value: Any) -> Subquery:
    """``value`` of the row at hand, where only columns of its own table may be named."""
    return One(rows(model).filter(pk=OuterRef("pk")).values(_syncfields_value=value))


# Which inherits none of them: a primary key can be one.


def settable(model: Model, value: Any) -> Any:
    """``value`` as an UPDATE of the model can take it, which cannot join."""
    names = [*references(value, model), *outer_references(value)]
    joins = any(LOOKUP_SEP in name or is_inherited(model, name) for name in names)
    return of_row(model, value) if joins else value


class Typed(Func):
    """An expression whose NULL has the type of its values.

    Of a condition that nothing can meet Django leaves no more than NULL, which PostgreSQL takes for
    text.
    """

    template = "%(expressions)s"
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (source,) = self.get_source_expressions()
        try:
            text, params = compiler.compile(source)
        except EmptyResultSet:
            text, params = compiler.compile(Value(source.empty_result_set_value))
        kind = cast_type(self.output_field, connection)
        return (f"NULL::{kind}" if kind and text == "NULL" else text), params


def is_inherited(model: Model, name: str) -> bool:
    """Whether a parent's table holds the column."""
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return field.concrete and field not in model._meta.local_fields


def of_group(model: Model, aggregate: Aggregate) -> Subquery:
    """``aggregate`` for the row at hand, by itself: no other join multiplies its rows."""
    group = rows(model).filter(pk=OuterRef("pk"))
    if isinstance(aggregate, (StdDev, Variance)):
        # SQLite's own versions of these, in Django, fail on a group without values.
        (source, *_) = aggregate.get_source_expressions()
        group = group.alias(_syncfields_source=source).filter(_syncfields_source__isnull=False)
        condition = condition_of(aggregate)
        group = group if condition is None else group.filter(condition)
    # Where a key that must be there names no row, an inner join would leave nothing to be counted.
    grouped = outer(group.values("pk").annotate(_syncfields_value=Typed(aggregate)))
    return One(grouped.values("_syncfields_value"))


def isolated(model: Model, tree: Any) -> Any:
    """The expression with each of its aggregates evaluated by itself."""

    def replace(node: Any) -> Any:
        if isinstance(node, Aggregate):
            return of_group(model, node)
        return One(node.query) if type(node) is Subquery else None

    return replaced(tree, replace)


def references(expression: Any, model: Model) -> Iterator[str]:
    """The names of fields, also across relations, that a declared expression holds."""
    for node in nodes(expression):
        if type(node) is F:
            yield name_of(node)
        elif isinstance(node, Q):
            for child in node.children:
                if isinstance(child, tuple):
                    parts = child[0].split(LOOKUP_SEP)
                    *_, rest = Query(model).names_to_path(parts, model._meta)
                    yield LOOKUP_SEP.join(parts[: len(parts) - len(rest)])


def outer_references(tree: Any) -> Iterator[str]:
    """The names by which the subqueries of a declared expression refer to the row at hand."""
    for node in nodes(tree):
        if isinstance(node, Query):
            for part in (node.where, *node.annotations.values()):
                yield from outer_references(part)
        elif isinstance(node, ResolvedOuterRef):
            yield name_of(node)
