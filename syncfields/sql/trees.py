"""Expressions as trees: found in, copied with parts replaced, evaluated away from their rows."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import (
    Aggregate,
    DecimalField,
    F,
    Field,
    ForeignObject,
    Func,
    Lookup,
    OuterRef,
    Q,
    QuerySet,
    StdDev,
    Subquery,
    Value,
    Variance,
)
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import ResolvedOuterRef
from django.db.models.lookups import In
from django.db.models.sql import Query
from django.db.models.sql.constants import INNER
from django.db.models.sql.datastructures import Join
from django.db.models.sql.where import AND, OR, WhereNode

from syncfields.declare.paths import Model, Path
from syncfields.sql.databases import vendor_of
from syncfields.sql.fields import takes_keys
from syncfields.sql.statements import Param

# Up to so many keys are given to the database one by one.
FEW = 50

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


def rows(model: Model, using: str | None = None) -> QuerySet[Any]:
    """All rows, whatever the managers of the model hide, from where writes go."""
    return for_writing(QuerySet(model, using=using)).order_by()


def for_writing(queryset: Any) -> Any:
    """The queryset, which the router sends to where writes go, and packages that answer reads from
    a cache to the database: what is read is locked, or compared with what a write leaves.
    """
    if queryset._for_write:
        return queryset
    queryset = queryset.all()
    queryset._for_write = True
    return queryset


def rows_given(model: Model, using: str, pks: Sequence[Param]) -> QuerySet[Any]:
    """The rows of primary keys that are given at execution."""
    # Not pk__in, which takes no expressions where it is a relation.
    return rows(model, using).filter(In(F("pk"), pks))


def plain(queryset: Any) -> QuerySet[Any]:
    """The same rows, by Django's own class: that of a package may give columns in another order, or
    those of the language of the moment.
    """
    found: Any = QuerySet(queryset.model, queryset.query.chain(), queryset._db, queryset._hints)
    found._for_write = queryset._for_write
    return found


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


class Keys(Param):
    """Any number of keys, given at execution as one value."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(name, field)
        self.takes_integers = False

    def adapted(self, value: Any, connection: Any) -> Any:
        return as_one(value, self.output_field, connection)


def as_one(keys: Sequence[Any], field: Any, connection: Any) -> Any:
    """Keys as one value: a JSON document, or an array."""
    integers = bool(keys) and isinstance(keys[0], int)
    if not integers:
        keys = [field.get_db_prep_value(each, connection, prepared=False) for each in keys]
    if connection.vendor == "sqlite":
        return json.dumps(keys)
    # A literal, because psycopg looks at each item of a list.
    return f"{{{json.dumps(keys)[1:-1]}}}" if integers else keys


class Among(In):
    """``IN`` for any number of keys, which the database is given as one value; MariaDB and MySQL
    read numbers in the statement.
    """

    lookup_name = "syncfields_among"

    def get_prep_lookup(self) -> Any:
        return self.rhs if isinstance(self.rhs, Keys) else list(self.rhs)

    def given(self, connection: Any) -> Any:
        keys, field = self.rhs, self.lhs.output_field
        return keys if isinstance(keys, Keys) else as_one(keys, field, connection)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        sql, params = self.process_lhs(compiler, connection)
        return f"{sql} = ANY(%s)", (*params, self.given(connection))

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        sql, params = self.process_lhs(compiler, connection)
        return sql + " IN (SELECT value FROM json_each(%s))", (*params, self.given(connection))  # noqa: S608

    def as_mysql(self, compiler: Any, connection: Any) -> Any:
        sql, params = self.process_lhs(compiler, connection)
        return f"{sql} IN ({', '.join(map(str, self.rhs))})", params


Field.register_lookup(Among)
ForeignObject.register_lookup(Among)  # Which inherits none of them: a primary key can be one.


class Found(In):
    """``IN`` a subquery that PostgreSQL carries out before all else, which it plans faster, and
    carries out slower for many rows: they are looked up one by one.
    """

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return f"= ANY(ARRAY{rhs})"


def in_lookup(using: str, model: Model, pks: Collection[Any]) -> str:
    """The lookup for that many primary keys: SQLite runs out of variables, and all databases
    take their time to read a long statement, as Django does to write it.
    """
    if len(pks) <= FEW or len(model._meta.pk_fields) > 1:
        return "in"
    kinds = {type(pk) for pk in pks}
    fits = takes_keys(model._meta.pk, kinds) and (kinds == {int} or takes_as_one(using))
    return Among.lookup_name if fits else "in"


def takes_as_one(using: str) -> bool:
    """Whether the database takes any number of keys as one value."""
    return vendor_of(using) in ("postgresql", "sqlite")


def among(using: str, model: Model, pks: Collection[Any], path: Path | None = None) -> Q:
    """The condition that a row is one of those, or reaches one of those along a path."""
    name = in_lookup(using, model, pks)
    lookup = (path or Path(model)).pk_lookup(name)
    # In a list Django would look for expressions, one item after the other.
    return Q((lookup, deque(pks) if name == Among.lookup_name else pks))


def one_of(ordered: QuerySet[Any], many: bool = False) -> Any:
    """The condition that a row is one of a queryset, whose rows PostgreSQL is to lock in order."""
    keys = ordered.values("pk")
    if len(ordered.model._meta.pk_fields) > 1:
        return Q(pk__in=keys)
    # Not by name, which a primary key that is a relation does not have.
    return (In if many else Found)(F("pk"), keys.query)


def tables(queryset: QuerySet[Any]) -> int:
    """How many tables it reads, subqueries apart."""
    return sum(map(bool, queryset.query.alias_refcount.values()))


def keys_at(queryset: QuerySet[Any], path: Path) -> QuerySet[Any]:
    """The primary keys of the rows at the end of a path, to be looked for in a subquery."""
    names = [field.attname for field in path.model._meta.pk_fields]
    if not path.hops or len(names) == 1:
        return queryset.values_list(path.pk_lookup(""), flat=True)
    # Django 5.2 takes a key of several columns for one, unless it is that of the queryset's model.
    steps = [hop.name for hop in path.hops if hop.name]
    return queryset.values_list(*(LOOKUP_SEP.join([*steps, name]) for name in names))


def rows_with(model: Model, using: str, pks: Collection[Any]) -> QuerySet[Any]:
    return rows(model, using).filter(among(using, model, pks))


def connected(using: str, found: Iterable[tuple[Path, Iterable[Any]]]) -> QuerySet[Any]:
    """The targets that reach one of the given rows, ``[(path, primary keys)]``."""
    found = list(found)
    queryset = rows(found[0][0].target, using)
    if not any(path.ambiguous for path, _ in found):
        conditions = (among(using, path.model, list(pks), path) for path, pks in found)
        return queryset.filter(reduce(or_, conditions))
    where = WhereNode(connector=OR)
    for path, pks in found:
        alias = queryset.query.get_initial_alias()
        for hop in path.hops:
            # As setup_joins() does, which would look the hop up by its name.
            table = hop.model._meta.db_table
            join = Join(table, alias, None, INNER, hop.join_field, nullable=True)
            alias = queryset.query.join(join)
        key, keys = path.model._meta.pk, list(pks)
        lookup: Any = In
        if len(path.model._meta.pk_fields) > 1:
            lookup = key.get_lookup("in")
        elif in_lookup(using, path.model, keys) == Among.lookup_name:
            lookup = Among
        where.add(lookup(key.get_col(alias, key), keys), OR)
    queryset.query.where.add(where, AND)
    return queryset


def outer(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The queryset with outer joins, as ``annotate()`` makes them behind a relation that leads
    backwards: what is annotated then counts a row that lacks one as it does for all rows.
    """
    joins: dict[str, Any] = queryset.query.alias_map
    for alias, join in joins.items():
        if join.join_type == INNER:
            joins[alias] = join.promote()
    return queryset


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
    grouped = group.values("pk").annotate(_syncfields_value=Typed(aggregate))
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
