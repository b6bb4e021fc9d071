"""What an expression is for a row whose key was just made: what nothing can refer to, is empty.

An aggregate, or a subquery, over rows that refer to a new row is replaced by what it is over no
rows. What is left is a constant, or an expression over the row itself and what it refers to. This
is done for what is on the lists below, each with its reason, and for nothing else: whatever stays
as it was is evaluated by the database after the INSERT.

**Empty** is the end of a path of which the first relation leads backwards to the new row by its
primary key. (Links from a child to the parents that were inserted with it, for multi-table models,
may come before.) It is **certain** where a constraint of the database, of a table that Django has
made, keeps keys from dangling, and no fixture is loaded.

- An aggregate of those that ignore NULL is empty where what it aggregates is NULL in
  the row of NULLs that such a path gives: made of columns by arithmetic only, one of them at the
  end of such a path. Its filter and its other joins do not matter then. A ``default`` must be a
  constant.
- ``Exists()`` and ``Subquery()`` are empty where one of the conditions that must all hold is that a
  foreign key is the primary key of the new row. A query with an aggregate that does not group has
  one row in any case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldError
from django.db.models import (
    Aggregate,
    BooleanField,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    Window,
)
from django.db.models.expressions import (
    Col,
    NegatedExpression,
    RawSQL,
)
from django.db.models.fields.related_lookups import RelatedExact
from django.db.models.lookups import Exact
from django.db.models.sql import Query
from django.db.models.sql.where import AND

from syncfields.declare.paths import Model, Path
from syncfields.declare.rules import Rule
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.delta import Delta
from syncfields.plan.compiler import tree_of
from syncfields.sql.once import once
from syncfields.sql.proven import IGNORING_NULL, OF_A_ROW, OPERATORS, is_one_of
from syncfields.sql.reading import join_paths, resolve
from syncfields.sql.storing import keeps_form
from syncfields.sql.trees import nodes, references, replaced, without_default

# These hide what they read, or stand for more rows than one.
OPAQUE = (Aggregate, OuterRef, Query, QuerySet, RawSQL, Subquery, Window)


@dataclass(frozen=True, slots=True)
class Start:
    """How the fields of a maintenance start, by attribute name."""

    constants: Mapping[str, Any]
    """Expressions without references."""
    rows: Mapping[str, Any]
    """Expressions over the row and what it refers to."""
    certain: bool
    """Whether these are the values, and all of them."""
    empty: bool
    """Whether some rows are taken not to be there."""


def start(maintenance: Maintenance, inserted: Collection[Model] = ()) -> Start:
    """``inserted``: the parents, of a multi-table model, that were inserted with the row."""
    key = ("start", maintenance, frozenset(inserted))
    return once(key, lambda: find_start(maintenance, inserted))


def find_start(maintenance: Maintenance, inserted: Collection[Model]) -> Start:
    constants: dict[str, Any] = {}
    rows: dict[str, Any] = {}
    certain, empty = True, False
    for rule in maintenance.rules:
        newborn = Newborn(rule, inserted)
        name = rule.field.attname
        if isinstance(maintenance, Delta):
            terms = [term.aggregate for term in maintenance.terms if term.rule is rule]
            if all(newborn.aggregate(each) is not None for each in terms):
                constants[name] = Value(0)
        elif is_plain(value := newborn.reduced(tree_of(rule))):
            found = rows if any(True for _ in references(value, rule.model)) else constants
            found[name] = value
            certain &= name in constants or keeps_form(output_of(rule, value), rule.field)
        certain &= newborn.certain and (name in constants or name in rows)
        empty |= newborn.empty
    return Start(constants, rows, certain, empty)


def output_of(rule: Rule, value: Any) -> Any:
    """The field of an expression's values; None where nobody knows."""
    try:
        return resolve(rule, value).output_field
    except (FieldError, AttributeError):
        return None


class Newborn:
    """A rule, seen from a row whose key was just made."""

    def __init__(self, rule: Rule, inserted: Collection[Model]) -> None:
        self.rule = rule
        self.inserted = inserted
        self.certain = True
        """Whether what was found to be empty is so for certain."""
        self.empty = False
        """Whether anything was found to be empty."""

    def reduced(self, tree: Any) -> Any:
        """The expression, with what is empty replaced by what it is over no rows."""
        return replaced(tree, self.replace)

    def replace(self, node: Any) -> Any:
        if isinstance(node, Aggregate):
            return self.aggregate(node)
        if type(node) is Exists and self.finds_nothing(node):
            return Value(False, output_field=BooleanField())
        if type(node) is NegatedExpression and type(node.expression) is Exists:
            empty = self.finds_nothing(node.expression)
            return Value(True, output_field=BooleanField()) if empty else None
        if type(node) is Subquery and self.finds_nothing(node):
            return Value(None, output_field=output_of(self.rule, node))
        return None

    def aggregate(self, node: Any) -> Any:
        """What an aggregate is over no rows, if it is over none."""
        default = getattr(node, "default", None)
        if not is_one_of(node, IGNORING_NULL | {Count}) or not is_constant(default):
            return None
        query = Query(self.rule.model)
        resolved = resolve(self.rule, without_default(node), query)
        source = resolved.get_source_expressions()[0]
        paths = {query.get_initial_alias(): Path(self.rule.model)} | join_paths(query, {})
        if not all(is_one_of(each, OPERATORS) for each in nodes(source)):
            return None
        columns = [each for each in nodes(source) if isinstance(each, Col)]
        if not any(self.is_empty(paths[each.alias]) for each in columns if each.alias in paths):
            return None
        if type(node) is Count:
            return Value(0, output_field=IntegerField())
        if isinstance(default, Value):
            return default
        return Value(default, output_field=resolved.output_field)

    def is_empty(self, path: Path) -> bool:
        """Whether there can be no row at the end of a path."""
        hops = list(path.hops)
        while hops and hops[0].forward and self.is_parent(hops[0].field):
            del hops[0]
        if not hops or hops[0].forward or hops[0].by_value:
            return False
        self.empty = True
        self.certain &= not hops[0].outlives_target and is_managed(hops[0].field.model)
        return True

    def is_parent(self, field: Any) -> bool:
        link = field.remote_field
        return bool(getattr(link, "parent_link", False)) and field.related_model in self.inserted

    def finds_nothing(self, node: Any) -> bool:
        """Whether a subquery asks for rows that refer to the new one."""
        outer = Query(self.rule.model)
        resolved = resolve(self.rule, node, outer)
        query: Any = next(each for each in nodes(resolved) if isinstance(each, Query))
        where = query.where
        if query.combinator or query.extra_tables or where.connector != AND or where.negated:
            return False
        found = query.annotations.values()
        if not query.group_by and not all(isinstance(each, (Col, Value)) for each in found):
            return False
        return any(
            self.is_reference(each, outer.get_initial_alias())
            for each in where.children
            if type(each) in (Exact, RelatedExact)
        )

    def is_reference(self, condition: Any, alias: str) -> bool:
        """Whether a condition says that a foreign key is the primary key of the new row."""
        for key, own in ((condition.lhs, condition.rhs), (condition.rhs, condition.lhs)):
            if not (isinstance(key, Col) and isinstance(own, Col) and own.alias == alias):
                continue
            field: Any = key.target
            named = getattr(field, "foreign_related_fields", ())
            if own.target.primary_key and named == (own.target,):
                self.empty = True
                self.certain &= bool(field.db_constraint) and is_managed(field.model)
                return True
        return False


def is_managed(model: Model) -> bool:
    """Whether Django has made the table, and with it what ``db_constraint`` says."""
    return bool(model._meta.managed)


def is_constant(default: Any) -> bool:
    return isinstance(default, Value) or not hasattr(default, "resolve_expression")


def is_plain(tree: Any) -> bool:
    """Whether the expression names all that it reads, by ``F`` or in a ``Q``, and is otherwise made
    of what is known to be made of the columns of one row.

    For a condition Django looks up which columns can be NULL, and negates it otherwise where they
    can; where the names stand for values it does not. So a negated condition is not plain.
    """
    return all(is_plain_node(node) for node in nodes(tree))


def is_plain_node(node: Any) -> bool:
    if isinstance(node, (list, tuple, set, frozenset)):
        return not any(hasattr(each, "resolve_expression") for each in node)
    if isinstance(node, OPAQUE) or (isinstance(node, Q) and node.negated):
        return False
    if not hasattr(node, "resolve_expression") or type(node) is F or type(node) is Q:
        return True
    return is_one_of(node, OF_A_ROW)
