"""One query that evaluates several rules for many targets.

Rules that aggregate over the same path share a GROUP BY. Where nothing of the target decides what
is aggregated, the sources are grouped before they are joined: a derived table, which costs half of
what ``annotate()`` does, since that joins first and then groups all that it has joined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.db.models import Aggregate, Count, Expression, F, Max, Min, Q, QuerySet, Sum
from django.db.models.constants import LOOKUP_SEP
from django.db.models.functions import Coalesce
from django.db.models.sql import Query
from django.db.models.sql.constants import LOUTER
from django.db.models.sql.datastructures import Join

from syncfields.declare.paths import Hop, Model, Path, hop_along
from syncfields.sql.rows import among, rows
from syncfields.sql.trees import aggregates, references, renamed, replaced, without_default

ALIAS = "_syncfields_grouped"
KEY = "_syncfields_key"
# Of these it is known what they are over no rows.
DERIVED = (Count, Sum, Min, Max)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one model: those with the given primary keys, or those with one in a range."""

    model: Model
    using: str
    pks: Collection[Any] | None = None
    after: Any = None
    last: Any = None

    def queryset(self) -> QuerySet[Any]:
        return rows(self.model, self.using).filter(self.condition(Path(self.model)))

    def condition(self, path: Path) -> Q:
        """The condition that a row at the other end of a path reaches one of them."""
        if self.pks is not None:
            return among(self.using, self.model, self.pks, path)
        found = Q((path.pk_lookup("lte"), self.last))
        return found if self.after is None else found & Q((path.pk_lookup("gt"), self.after))


@dataclass(frozen=True, slots=True)
class Grouped:
    """A rule that aggregates over one path only."""

    path: Path
    expression: Any
    """For ``annotate()`` on the target, where no other join multiplies its rows."""
    adds_up: bool
    """Whether its aggregates find nothing in the row of NULLs that a target without sources is
    joined with."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The values of some rules, ``{attname: expression}``, that one query can ask for."""

    values: Mapping[str, Any]
    path: Path | None = None
    """That of sources which can be grouped before they are joined."""

    def annotated(self, chosen: Rows) -> tuple[QuerySet[Any], Mapping[str, Any]]:
        """The rows, and the values as they can be annotated to them."""
        if self.path is None:
            return chosen.queryset(), self.values
        hop = self.path.hops[0]
        back = Path(hop.model, (hop_along(hop.field),))
        numbers, inner = count(), {}

        def replace(node: Any) -> Any:
            if not isinstance(node, Aggregate):
                return None
            name = f"_syncfields_{next(numbers)}"
            inner[name] = renamed(without_default(node), hop.at_far_end)
            return of_group(name, node, chosen.model)

        values = {name: replaced(value, replace) for name, value in self.values.items()}
        sources = rows(hop.model, chosen.using).filter(chosen.condition(back))
        sources = sources.values(**{KEY: F(hop.field.name)}).annotate(**inner)
        queryset = chosen.queryset()
        DerivedTable.of(queryset.query, hop, sources.query).enter(queryset.query)
        return queryset, values


def of_group(name: str, aggregate: Any, model: Model) -> Any:
    """An aggregate of the derived table, for a row that has no group in it as well."""
    field = aggregate.resolve_expression(Query(model), allow_joins=True, reuse=None).output_field
    column = DerivedColumn(name, field)
    empty = aggregate.empty_result_set_value if aggregate.default is None else aggregate.default
    return column if empty is None else Coalesce(column, empty, output_field=field)


def quoted_alias(alias: str | None, compiler: Any) -> str:
    """As Django writes it in the same query: before 6.1 without quotes, where it chose the name."""
    quote: Any = getattr(compiler, "quote_name", None) or compiler.quote_name_unless_alias
    return str(quote(alias))


class DerivedColumn(Expression):
    def __init__(self, name: str, field: Any, alias: str = ALIAS) -> None:
        super().__init__(output_field=field)
        self.name = name
        self.alias = alias

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        alias = quoted_alias(self.alias, compiler)
        return f"{alias}.{connection.ops.quote_name(self.name)}", []

    def relabeled_clone(self, change_map: Mapping[str, str]) -> DerivedColumn:
        alias = change_map.get(self.alias, self.alias)
        return DerivedColumn(self.name, self.output_field, alias)


class DerivedTable(Join):
    """The join of the sources, as any other of Django's, of which they are grouped before they are
    joined: ``LEFT JOIN (SELECT ... GROUP BY ...)``.
    """

    query: Any

    @classmethod
    def of(cls, query: Any, hop: Hop, grouped: Any) -> DerivedTable:
        table = hop.model._meta.db_table
        start = query.get_initial_alias()
        found = cls(table, start, ALIAS, LOUTER, hop.join_field, nullable=True)
        found.query = grouped
        return found

    def enter(self, query: Any) -> None:
        """As ``Query.join()`` does, which would choose the alias."""
        query.alias_map[self.table_alias] = self
        query.alias_refcount[self.table_alias] = 1
        query.table_map.setdefault(self.table_name, []).append(self.table_alias)

    def relabeled_clone(self, change_map: Any) -> DerivedTable:
        clone: Any = super().relabeled_clone(change_map)
        clone.query = self.query
        return clone

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        quote = connection.ops.quote_name
        text, params = self.query.get_compiler(connection=connection).as_sql()
        alias, ((near, _),) = quoted_alias(self.table_alias, compiler), self.join_cols
        here = f"{quoted_alias(self.parent_alias, compiler)}.{quote(near)}"
        return f"{self.join_type} ({text}) {alias} ON ({here} = {alias}.{quote(KEY)})", params


def is_derivable(path: Path, expression: Any) -> bool:
    """Whether what is aggregated over a path follows from the sources, grouped by a column of
    theirs that is the target's primary key.
    """
    if not path.hops:
        return False  # All that is aggregated is one row or none.
    first = path.hops[0]
    if first.forward or first.generic or len(first.columns) != 1:
        return False
    ((near, _),) = first.columns
    if near != path.target._meta.pk.attname:
        return False
    found = aggregates(expression)
    names = (name for each in found for name in references(each, path.target))
    return all(type(each) in DERIVED for each in found) and all(
        name.split(LOOKUP_SEP)[0] == first.name for name in names
    )


def scans(grouped: Mapping[str, Grouped], values: Mapping[str, Any]) -> Iterator[Scan]:
    """Those that together ask for all values."""
    shared: dict[tuple[Path, bool], dict[str, Any]] = {}
    alone: dict[str, Any] = {}
    for name, value in values.items():
        if (found := grouped.get(name)) is None:
            alone[name] = value
            continue
        derivable = found.adds_up and is_derivable(found.path, found.expression)
        shared.setdefault((found.path, derivable), {})[name] = found.expression
    for (path, derivable), together in shared.items():
        yield Scan(together, path if derivable else None)
    if alone:
        yield Scan(alone)
