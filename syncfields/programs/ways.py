"""What changed rows contribute to all their targets, read from their own side.

A path that leads from a target to many sources leads back from each source to one target. So one
SELECT of the changed rows, with the rows that they lead to joined, says for all such maintenances
together which targets the rows are connected with and what they contribute to each. That is said by
the aggregates of the rules, as Django has resolved them for the target: each joined row is the same
from both ends, and only the names of the tables differ. All joins are outer ones, as those are that
Django makes behind a target: a row that lacks one of those rows has NULLs in its place.

Where a path does not lead back to one row, or where it is not proven that each joined row
contributes by itself, a maintenance reads from the side of its targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.db.models import ForeignKey, Func, QuerySet
from django.db.models.expressions import Col
from django.db.models.sql.constants import LOUTER
from django.db.models.sql.datastructures import Join

from syncfields.declare.paths import Dependency, Model, Path, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.plan.aggregation import adds_up
from syncfields.plan.types import family
from syncfields.sql import statements
from syncfields.sql.fields import takes_integers
from syncfields.sql.locks import reading, snapshot_is_old
from syncfields.sql.once import once
from syncfields.sql.reading import Part, part_of
from syncfields.sql.rows import rows, rows_with
from syncfields.sql.statements import Param, Row, Statement
from syncfields.sql.trees import nodes, without_default

Known = dict[Any, Any]
"""What rows contribute to each target, as the maintenance compares it: ``{primary key: ...}``."""
# Which of two such values is the greater is the same here as in every database.
ORDERED = ("date", "decimal", "duration", "float", "integer", "time", "timestamp")


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """The way from changed rows to the targets of one maintenance."""

    maintenance: Maintenance
    dependency: Dependency
    parts: tuple[Part, ...]
    """What it aggregates; nothing where it evaluates its targets anew."""

    def put_together(self, one: Any, other: Any) -> Any:
        if isinstance(self.maintenance, Extreme):
            known = [each for each in (*one, *other) if each is not None]
            best = max if self.maintenance.better == "gt" else min
            return (best(known, key=rank, default=None),)
        return tuple(map(added, one, other))


def added(one: Any, other: Any) -> Any:
    """The sum, as the database has it: of nothing it is NULL."""
    if one is None or other is None:
        return other if one is None else one
    return one + other


def rank(value: Any) -> tuple[bool, Any]:
    """PostgreSQL's NaN is greater than all numbers, and not unlike itself."""
    is_nan = value != value  # noqa: PLR0124
    return is_nan, 0 if is_nan else value


def way(maintenance: Maintenance, model: Model) -> Way | None:
    """The way from rows of a model to the targets of a maintenance, if there is one."""
    return once(("way", maintenance, model), lambda: find_way(maintenance, model))


def find_way(maintenance: Maintenance, model: Model) -> Way | None:
    found = [each for each in maintenance.dependencies if each.model is model]
    if len(found) != 1 or not leads_back(found[0].path):
        return None
    (dependency,) = found
    parts = parts_of(maintenance)
    # Exactly these: others that are made of them look at rows in their own way.
    if type(maintenance) not in (Delta, Extreme, Recompute):
        return None
    if type(maintenance) is Extreme and family(parts[0].tree.output_field) not in ORDERED:
        return None
    if not all(is_seen(part, dependency.path) for part in parts):
        return None
    return Way(maintenance, dependency, parts)


def parts_of(maintenance: Maintenance) -> tuple[Part, ...]:
    """The aggregates of which a maintenance compares what they are before a write and after it."""
    if type(maintenance) is Delta:
        return tuple(part_of(term.rule, term.aggregate) for term in maintenance.terms)
    if type(maintenance) is Extreme:
        return (part_of(maintenance.rules[0], without_default(maintenance.aggregate)),)
    return ()


def leads_back(path: Path) -> bool:
    """Whether each row at the end of a path is connected with one target at the most, by keys."""
    return (
        bool(path.hops)
        and len(path.target._meta.pk_fields) == 1
        and all(
            not hop.forward and isinstance(hop.field, ForeignKey) and len(hop.columns) == 1
            for hop in path.hops
        )
    )


def is_seen(part: Part, source: Path) -> bool:
    """Whether each row at the end of a path says what it contributes, with the rows that it leads
    to.
    """
    paths = part.paths.values()
    deepest = max((path.stem for path in paths), key=lambda path: len(path.hops))
    return (
        deepest.hops == source.hops
        and adds_up(part)
        and not any(hop.generic for path in paths for hop in path.hops)
    )


def alias_of(query: Any, source: Path, path: Path) -> str:
    """The alias of the row at the end of ``path``, in a query for rows at the end of ``source``
    that is to be joined with it.
    """
    alias: str = query.get_initial_alias()
    pairs = zip(source.hops, path.hops, strict=False)
    shared = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
    if shared is None:
        shared = min(len(source.hops), len(path.hops))
    for number in range(len(source.hops), shared, -1):
        field = source.hops[number - 1].field
        alias = joined(query, alias, source.until(number - 1).model, field)
    for hop in path.hops[shared:]:
        alias = joined(query, alias, hop.model, hop.join_field)
    return alias


def joined(query: Any, alias: str, model: Model, join_field: Any) -> str:
    # As Query.setup_joins() does, which would make an inner join of a key that cannot be NULL: its
    # row may be missing all the same, until COMMIT.
    join = Join(model._meta.db_table, alias, None, LOUTER, join_field, nullable=True)
    found: str = query.join(join)
    return found


def key_of(query: Any, source: Path) -> Any:
    """The primary key of the target: as the row next to it holds it, where that is the same."""
    hop, key = source.hops[0], source.target._meta.pk
    ((near, far),) = hop.columns
    if near == key.attname and takes_integers(key) and not hop.outlives_target:
        return column(hop.model, far).get_col(alias_of(query, source, source.until(1)))
    return key.get_col(alias_of(query, source, source.until(0)))


def seen(query: Any, source: Path, part: Part) -> Any:
    """An aggregate of a target, in a query for rows at the end of ``source``."""
    named = {node.alias for node in nodes(part.tree) if isinstance(node, Col)}
    return part.tree.relabeled_clone(
        {alias: alias_of(query, source, part.paths[alias]) for alias in named}
    )


class Apart(Func):
    """A column by which rows are grouped. Where it is the primary key of a table, Django leaves out
    all other columns of that table, as PostgreSQL allows; but not where rows that are locked stand
    for the table.
    """

    template = "%(expressions)s"
    arity = 1


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of one model, those with the same targets as one: of each way the target's primary key,
    and what they contribute.
    """

    queryset: QuerySet[Any]
    ways: tuple[Way, ...]
    keys: tuple[int, ...]
    """Which column is the key, way by way. What is contributed comes after the keys, in order."""
    width: int
    """How many columns they are."""

    @property
    def tables(self) -> list[str]:
        """Those that it reads, each as often as it is read."""
        query: Any = self.queryset.query
        return [query.alias_map[name].table_name for name, n in query.alias_refcount.items() if n]

    def known(self, found: Iterable[Row]) -> list[Known]:
        known: list[Known] = [{} for _ in self.ways]
        first = len(set(self.keys))
        for row in found:
            place = first
            for way, number, contributed in zip(self.ways, self.keys, known, strict=True):
                here = row[place : place + len(way.parts)]
                place += len(way.parts)
                if (key := row[number]) is None:
                    continue
                if key in contributed:
                    here = way.put_together(contributed[key], here)
                contributed[key] = here
        return known


def selection(
    queryset: QuerySet[Any], ways: tuple[Way, ...], columns: Sequence[str] = ()
) -> Selection:
    """``queryset``: rows of the model that the ways come from. Those with the same ``columns`` are
    one; these come first, and ``known()`` is not to be given them.
    """
    query = queryset.query
    keys: dict[Any, str] = {}
    places: list[int] = []
    parts: dict[str, Any] = {}
    numbers = count()
    for way in ways:
        source = way.dependency.path
        key = key_of(query, source)
        name = keys.setdefault(key, f"_syncfields_key_{len(keys)}")
        places.append([*keys.values()].index(name))
        for part in way.parts:
            parts[f"_syncfields_{next(numbers)}"] = seen(query, source, part)
    named = {name: Apart(key) for key, name in keys.items()}
    grouped = queryset.annotate(**named).values_list(*columns, *named).annotate(**parts)
    return Selection(reading(grouped), ways, tuple(places), len(keys) + len(parts))


def read(
    using: str, model: Model, ways: tuple[Way, ...], pks: Sequence[Any], cursor: Any = None
) -> list[Known]:
    """What the rows with these primary keys contribute, by each of the ways."""
    if is_one(model, pks):
        found, statement = selection_of_one(using, model, ways)
        return found.known(statement.rows(cursor, pk=pks[0]))
    found = selection(rows_with(model, using, pks), ways)
    return found.known(found.queryset)


def is_one(model: Model, pks: Sequence[Any]) -> bool:
    return len(pks) == 1 and len(model._meta.pk_fields) == 1


def selection_of_one(
    using: str, model: Model, ways: tuple[Way, ...]
) -> tuple[Selection, Statement]:
    """That of one row, compiled."""

    def make() -> tuple[Selection, Statement]:
        one = rows(model, using).filter(pk=Param("pk", model._meta.pk))
        found = selection(one, ways)
        return found, statements.select(found.queryset)

    return once(("contributions", using, model, ways, snapshot_is_old(using)), make)


def selection_of_all(
    using: str, model: Model, ways: tuple[Way, ...]
) -> tuple[Selection, Statement]:
    """That of all rows, compiled: a part of a statement in which some stand for all."""

    def make() -> tuple[Selection, Statement]:
        found = selection(rows(model, using), ways)
        return found, statements.select(found.queryset)

    return once(("contributions of all", using, model, ways), make)
