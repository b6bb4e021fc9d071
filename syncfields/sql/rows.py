"""Rows as querysets: of one table, by their keys, connected with others by a path."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Field, ForeignObject, Q, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.models.lookups import In
from django.db.models.sql.constants import INNER
from django.db.models.sql.datastructures import Join
from django.db.models.sql.where import AND, OR, WhereNode

from syncfields.declare.paths import Model, Path
from syncfields.sql.databases import vendor_of
from syncfields.sql.fields import takes_keys
from syncfields.sql.statements import Param

# Up to so many keys are given to the database one by one.
FEW = 50


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


class Keys(Param):
    """Any number of keys, given at execution as one value."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(name, field)
        self.takes, self.is_time = None, False

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
ForeignObject.register_lookup(Among)


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
