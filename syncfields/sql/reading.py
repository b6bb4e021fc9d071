"""What an expression reads, along which path: asked of the expression that Django has resolved.

Nothing is parsed, and no query is run. All that a query says is read: what it selects, filters,
joins, groups, and how it orders its rows, since the order decides which of them comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db.models import F, Window
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col, RawSQL
from django.db.models.lookups import Exact
from django.db.models.sql import Query

from syncfields.declare.paths import (
    Dependency,
    Path,
    columns_of,
    concrete,
    hop_along,
    walk,
    with_joins,
)
from syncfields.declare.rules import Rule
from syncfields.exceptions import RuleError
from syncfields.sql.trees import nodes, prefixed

Read = tuple[Path, list[str]]
Paths = Mapping[str, Path]
"""The path to each table that a resolved query joins, by its alias."""
# What these give depends on when they are asked, and not on the rows alone.
UNSTEADY = frozenset(
    {
        "django.db.models.functions.datetime.Now",
        "django.db.models.functions.math.Random",
        "django.db.models.functions.uuid.UUID4",
        "django.db.models.functions.uuid.UUID7",
        "django.contrib.postgres.functions.RandomUUID",
        "django.contrib.postgres.functions.TransactionNow",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of a rule's expression, as Django has resolved it, and the joins that this made."""

    tree: Any
    paths: Paths

    @property
    def fans_out(self) -> Path | None:
        """A path by which it has more than one value for a target, if no aggregate is around it."""
        return next((path for path in self.paths.values() if path.many), None)


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


def part_of(rule: Rule, tree: Any) -> Part:
    query = Query(rule.model)
    resolved = resolve(rule, tree, query)
    return Part(resolved, {query.get_initial_alias(): Path(rule.model)} | join_paths(query, {}))


def join_paths(query: Any, known: Paths) -> dict[str, Path]:
    """The paths to all tables that a resolved query joins; some are ``known``."""
    paths = dict(known)
    joins: dict[str, Any] = query.alias_map
    for alias, join in joins.items():
        parent = getattr(join, "parent_alias", None)
        if parent is None:
            paths.setdefault(alias, Path(concrete(query.model)))
        elif query.alias_refcount.get(alias):
            paths[alias] = paths[parent] / hop_along(join.join_field)
    return paths


class Reader:
    """Collects what the parts of one rule's expression read."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.opaque: list[Any] = []
        """What hides what it reads."""

    def dependencies(self, part: Part) -> list[Dependency]:
        """What a part reads, with the joins that lead there."""
        reads = [*self.read(part.tree, part.paths), *((path, []) for path in part.paths.values())]
        return list(with_joins(reads))

    def read(self, tree: Any, paths: Paths) -> Iterator[Read]:
        """The columns that a resolved expression names."""
        for node in nodes(tree):
            self.refuse_unsteady(node)
            if isinstance(node, Col) and node.alias in paths:
                yield paths[node.alias], [node.target.attname, *behind(node.target)]
            elif isinstance(node, (Col, RawSQL)):
                self.opaque.append(node)
            elif isinstance(node, Query):
                yield from self.read_subquery(node, paths)

    def read_subquery(self, query: Any, outer: Paths) -> Iterator[Read]:
        orders = [*query.distinct_fields, *ordering(query)]
        if "?" in orders:
            raise self.unsteady('order_by("?")')
        paths = subquery_paths(query, outer)
        if paths is None:  # All that can be seen is what it names of the rows outside.
            self.opaque.append(query)
            orders = []
        else:
            yield from ((path, []) for path in paths.values())
        for tree in said(query):
            yield from self.read(tree, outer if paths is None else paths)
        for each in orders:
            yield from self.read_order(query, each, paths or {})

    def read_order(self, query: Any, given: Any, paths: Paths) -> Iterator[Read]:
        """What decides which row comes first: a name, as ``order_by()`` takes it, or an
        expression.
        """
        name = given.lstrip("-+") if isinstance(given, str) else None
        if name in query.annotations:
            return
        copy = query.clone()
        expression = given if name is None else F(name)
        resolved = expression.resolve_expression(copy, allow_joins=True, reuse=None)
        paths = join_paths(copy, paths)
        yield from ((path, []) for path in paths.values())
        yield from self.read(resolved, paths)
        if name is not None:
            for each in order_behind(name, getattr(resolved, "target", None)):
                yield from self.read_order(query, each, paths)

    def refuse_unsteady(self, node: Any) -> None:
        kind = type(node)
        if f"{kind.__module__}.{kind.__qualname__}" in UNSTEADY:
            raise self.unsteady(f"{kind.__name__}()")
        if isinstance(node, Window):
            raise RuleError(
                f"The expression of {self.rule.label} holds {kind.__name__}, whose value depends "
                "on which other rows are selected with it.",
                id="E016",
                hint="Use an aggregate over a relation, or Subquery().",
                obj=self.rule.model,
            )

    def unsteady(self, what: str) -> RuleError:
        return RuleError(
            f"The expression of {self.rule.label} holds {what}, whose value depends on when it is "
            "asked for.",
            id="E015",
            hint="A stored value follows the rows. Leave this to the query that reads them, or "
            "store it in a column of the source.",
            obj=self.rule.model,
        )


def said(query: Any) -> Iterator[Any]:
    """The expressions of a query, apart from its order."""
    yield from (query.where, *query.annotations.values(), *query.select)
    if isinstance(query.group_by, tuple):
        yield from query.group_by
    for join in query.alias_map.values():
        if (filtered := getattr(join, "filtered_relation", None)) is not None:
            yield filtered.resolved_condition


def order_behind(name: str, field: Any) -> Iterator[Any]:
    """What a relation stands for in ``order_by()``: the order of the model that it leads to."""
    is_key = field is not None and name.rsplit(LOOKUP_SEP, maxsplit=1)[-1] in (field.attname, "pk")
    if field is None or not field.is_relation or is_key:
        return
    for each in field.related_model._meta.ordering:
        if isinstance(each, str):
            yield LOOKUP_SEP.join([name, each.lstrip("-+")])
        else:
            yield prefixed(each, name)


def ordering(query: Any) -> Sequence[Any]:
    """What a query is ordered by, as Django's compiler decides it; nothing within ``Exists()``."""
    if query.order_by or not query.default_ordering:
        return list(query.order_by)
    return list(query.get_meta().ordering)


def behind(field: Any) -> list[str]:
    """The columns that a generated column is made of: it changes when they do."""
    if not field.generated:
        return []
    resolved = field.expression.resolve_expression(Query(field.model), allow_joins=False)
    return [node.target.attname for node in nodes(resolved) if isinstance(node, Col)]


def subquery_paths(query: Any, outer: Paths) -> dict[str, Path] | None:
    """The paths to the tables of a subquery that is tied to an outer row by a foreign key."""
    if query.combinator or query.extra_tables or query.extra or query.extra_order_by:
        return None
    if query.where.connector != "AND" or query.where.negated:
        return None
    for condition in query.where.children:
        near, far = getattr(condition, "rhs", None), getattr(condition, "lhs", None)
        if not isinstance(condition, Exact):
            continue
        if not (isinstance(near, Col) and isinstance(far, Col) and near.alias in outer):
            continue
        key: Any = far.target
        base = query.base_table
        if far.alias != base or not key.is_relation or key.remote_field.hidden:
            continue
        if near.target in key.foreign_related_fields:
            start = outer[near.alias] / hop_along(key.remote_field)
            return join_paths(query, {**outer, base: start})
    return None


def declared(rule: Rule) -> Iterator[Read]:
    """What ``depends_on`` names: any column of each model on the way matters, also those in the
    tables of its parents.
    """
    for lookup in rule.declaration.depends_on:
        path = walked(rule, lookup, id="E013")
        for number in range(1, len(path.hops) + 1):
            for part in with_parents(path.until(number)):
                yield part, list(columns_of(part.model))


def with_parents(path: Path) -> Iterator[Path]:
    """A path, and those that lead on to the tables of multi-table parents."""
    yield path
    for parent in path.model._meta.all_parents:
        further = path
        for info in path.model._meta.get_path_to_parent(parent):
            further /= hop_along(info.join_field)
        yield further


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
