"""What an expression reads, along which path: asked of the expression that Django has resolved.

Nothing is parsed, and no query is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db.models import Subquery
from django.db.models.expressions import Col, RawSQL
from django.db.models.sql import Query

from syncfields.exceptions import RuleError
from syncfields.paths import Dependency, Path, columns_of, concrete, hop_along, walk, with_joins
from syncfields.rules import Rule
from syncfields.trees import nodes

Read = tuple[Path, list[str]]


def resolve(rule: Rule, tree: Any, query: Query | None = None) -> Any:
    try:
        return tree.resolve_expression(query or Query(rule.model), allow_joins=True, reuse=None)
    except (FieldError, FieldDoesNotExist) as error:
        raise RuleError(
            f"The expression of {rule.label} cannot be resolved: {error}",
            id="E001",
            hint="Name relations as a lookup does, from the target to the source; a relation "
            'without a name (related_name="+") needs one.',
            obj=rule.model,
        ) from error


def dependencies(rule: Rule, trees: Sequence[Any], needed: bool = True) -> tuple[Dependency, ...]:
    """What the given parts of a rule's expression read, with the joins that lead there."""
    reads: list[Read] = []
    opaque: list[Any] = []
    for tree in trees:
        query = Query(rule.model)
        resolved = resolve(rule, tree, query)
        paths = {query.get_initial_alias(): Path(rule.model)} | join_paths(query, {})
        reads += read(resolved, paths, opaque)
    if needed:
        reads += declared(rule)
        if opaque and not rule.declaration.depends_on:
            raise RuleError(
                f"The expression of {rule.label} holds {type(opaque[0]).__name__}, and what that "
                "reads cannot be seen from outside.",
                id="E007",
                hint='Name the relations it reads: depends_on=["comments", "comments__author"].',
                obj=rule.model,
            )
        if not any(path.hops for path, _ in reads):
            raise RuleError(
                f"The expression of {rule.label} reads no relation.",
                id="E002",
                hint="For an expression over the row's own columns use Django's GeneratedField.",
                obj=rule.model,
            )
    return tuple(with_hollows(with_joins(reads)))


def join_paths(query: Any, known: dict[str, Path]) -> dict[str, Path]:
    """The path to each table that a resolved query joins, by alias."""
    paths = dict(known)
    joins: dict[str, Any] = query.alias_map
    for alias, join in joins.items():
        parent = getattr(join, "parent_alias", None)
        if parent is None:
            paths.setdefault(alias, Path(concrete(query.model)))
        elif query.alias_refcount.get(alias):
            paths[alias] = paths[parent] / hop_along(join.join_field)
    return paths


def read(tree: Any, paths: dict[str, Path], opaque: list[Any]) -> Iterator[Read]:
    """The columns that a resolved expression names; what hides its own goes to ``opaque``."""
    for node in nodes(tree):
        if isinstance(node, Col):
            yield paths[node.alias], [node.target.attname, *behind(node.target)]
        elif isinstance(node, RawSQL):
            opaque.append(node)
        elif isinstance(node, Query):
            inner = subquery_paths(node, paths)
            if inner is None:
                opaque.append(node)
                continue
            for path in inner.values():
                yield path, []
            yield from read_query(node, inner, opaque)


def behind(field: Any) -> list[str]:
    """The columns that a generated column is made of: it changes when they do."""
    if not field.generated:
        return []
    resolved = field.expression.resolve_expression(Query(field.model), allow_joins=False)
    return [node.target.attname for node in nodes(resolved) if isinstance(node, Col)]


def read_query(query: Query, paths: dict[str, Path], opaque: list[Any]) -> Iterator[Read]:
    for part in (query.where, *query.annotations.values(), *query.select):
        yield from read(part, paths, opaque)


def subquery_paths(query: Query, outer: dict[str, Path]) -> dict[str, Path] | None:
    """The paths to the tables of a subquery that is tied to an outer row by a foreign key."""
    if query.combinator or query.extra_tables:
        return None
    for condition in query.where.children if query.where.connector == "AND" else ():
        near, far = getattr(condition, "rhs", None), getattr(condition, "lhs", None)
        if not (isinstance(near, Col) and isinstance(far, Col) and near.alias in outer):
            continue
        key, base = far.target, query.base_table
        if far.alias != base or not key.is_relation or key.remote_field.hidden:
            continue
        if near.target in key.foreign_related_fields:
            start = outer[near.alias] / hop_along(key.remote_field)
            return join_paths(query, {**outer, base: start})
    return None


def declared(rule: Rule) -> Iterator[Read]:
    """What ``depends_on`` names: any column of each model on the way matters."""
    for lookup in rule.declaration.depends_on:
        path = walked(rule, lookup, id="E013")
        for number in range(1, len(path.hops) + 1):
            part = Path(path.target, path.hops[:number])
            yield part, list(columns_of(part.model))


def walked(rule: Rule, lookup: str, id: str) -> Path:
    try:
        return walk(rule.model, lookup)
    except (FieldError, FieldDoesNotExist) as error:
        raise RuleError(
            f"{rule.label} names {lookup!r}, which is no relation: {error}",
            id=id,
            hint="Name relations as a lookup does, from the target to the source.",
            obj=rule.model,
        ) from error


def with_hollows(found: Iterable[Dependency]) -> Iterator[Dependency]:
    found = list(found)
    for each in found:
        depth = len(each.path.hops)
        beyond = [
            other.path.hops[depth]
            for other in found
            if len(other.path.hops) > depth and other.path.hops[:depth] == each.path.hops
        ]
        hollow = bool(beyond) and all(not hop.forward and not hop.outlives_target for hop in beyond)
        # What reads columns of the row itself may count it without the rows beyond.
        joins = {near for hop in beyond for near, _ in hop.columns}
        joins |= {far for hop in each.path.hops[-1:] for _, far in hop.columns}
        yield replace(each, hollow=hollow and each.columns <= joins)


def has_subquery(tree: Any) -> bool:
    return any(isinstance(node, (Subquery, RawSQL)) for node in nodes(tree))
