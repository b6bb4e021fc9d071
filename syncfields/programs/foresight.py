"""What a write of one row will touch, locked before it: every table once, in the one order.

The write of a row, or of any number of new ones, that hold the keys of all that it leads to has a
list of ``Step``, found once for each kind of write: rows between and beyond, old and new ones, what
it copies from, and the targets that follow, those that follow from these, and so on. Each step is
the rows of one table, by primary key, which a written row names or those of a step before it.

PostgreSQL is sent one statement. Each step is a part of it that is named as its table, so that the
parts behind it, and what is asked at the end, see the rows that are locked instead, as they are
after any wait. A row that another transaction inserted, and came to refer to, while it was waited
for, is not seen yet: then the statement is sent once more. MariaDB and MySQL are sent a locking
SELECT for each step, which returns the keys of those behind it.

What cannot be foreseen so goes the long way, of ``order.py``: keys that the database makes,
generic relations, rows that are found by the keys that they hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol

from django.db import connections
from django.db.models.constants import LOOKUP_SEP

from syncfields.declare.paths import Dependency, Hop, Model, Path, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change, Held
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.folding import holding_of
from syncfields.maintenance.recompute import Recompute
from syncfields.plan import registry
from syncfields.plan.routes import concerned
from syncfields.programs import initial
from syncfields.programs.order import beyond, comes_to_be_connected, is_loose, ranks
from syncfields.sql import statements
from syncfields.sql.fields import is_arrayed
from syncfields.sql.holding import UNKNOWN
from syncfields.sql.locks import locking, must_write
from syncfields.sql.statements import Statement, once
from syncfields.sql.trees import Keys, references, rows_with
from syncfields.targets import evaluating
from syncfields.transactions import pending, scope


class UnforeseenError(Exception):
    """Which rows a write will touch cannot be said before it, or not in the order of the tables."""


class Starts(Enum):
    """What begins with a write, as a new target."""

    NOTHING = 0
    ROW = 1
    ROWS = 2

    @classmethod
    def of(cls, start: initial.Start | None) -> Starts:
        if start is None:
            return cls.NOTHING
        return cls.ROW if len(start.instances) == 1 else cls.ROWS


@dataclass(frozen=True, slots=True)
class Named:
    """A column of the written row."""

    column: str
    as_written: bool
    """Only what it will hold; else what it has held, too."""


@dataclass(frozen=True, slots=True)
class Step:
    """Rows of one table."""

    model: Model
    named: tuple[Named, ...]
    """The columns of the written row that hold their keys."""
    led: tuple[tuple[Model, str], ...]
    """Tables of steps before this one, and the columns of those that hold their keys."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """The steps of one kind of write."""

    steps: tuple[Step, ...]
    whole: Mapping[Model, frozenset[str]]
    """The columns of targets, of which all is locked that follows when they are written."""


class Asking(Protocol):
    """What is to be read of the rows that are locked."""

    def asked(self, locked: Collection[Model]) -> Statement | None:
        """A SELECT of one row, where all of these tables that it reads are read of locked rows."""


def lock(
    connection: Any,
    change: Change,
    start: initial.Start | None = None,
    asking: Asking | None = None,
) -> Held | None:
    """Lock all that the write of a row, or of new rows, will touch, these themselves apart. None,
    and nothing is locked, where that is not to be foreseen, or not needed.

    ``start``: what the synced fields of new rows begin with is read, and locked with it.
    ``asking``: what else is to be read of them, which is answered where it can be.
    """
    using = connection.alias
    if not connection.features.has_select_for_update or must_write(using):
        return None
    if change.inserted or pending.waits(connection) or scope.loading():
        return None
    if not (change.is_single or (change.kind == "insert" and not change.partial)):
        return None
    if change.kind != "insert" and len(change.former) != 1:
        return None
    found = foresight(using, change, Starts.of(start))
    if found is None or (keys := named_keys(using, change, found.steps)) is None:
        return None
    if not any(keys.values()):
        return None
    if connection.vendor == "postgresql":
        held = lock_chained(using, found, keys, asking if start is None else start)
    else:
        held = lock_each(using, found, keys, start)
    are_there = all(pks <= {*held.rows[model]} for model, pks in keys.items())
    # Rows that nobody has named may refer to one that was there before.
    return replace(held, complete=held.complete and are_there and not change.unordered)


def named_keys(using: str, change: Change, steps: Sequence[Step]) -> dict[Model, set[Any]] | None:
    """The keys that the written row holds and is going to hold; None where these are unknown."""
    found: dict[Model, set[Any]] = {}
    for step in steps:
        keys = [key for each in step.named for key in keys_in(using, change, each)]
        if UNKNOWN in keys:
            return None
        found[step.model] = set(keys) - {None}
    return found


def keys_in(using: str, change: Change, named: Named) -> Iterator[Any]:
    name = named.column
    is_written = change.kind == "insert" or (change.kind == "update" and change.writes((name,)))
    for row in change.rows if is_written else ():
        holds = holding_of(using, change.model, name)
        yield holds(row[name]) if name in row else UNKNOWN
    if not (is_written and named.as_written):
        own = change.model._meta.pk.attname
        for row in change.former:
            yield change.pks[0] if name == own else row.get(name, UNKNOWN)


def lock_each(
    using: str,
    found: Foresight,
    keys: Mapping[Model, set[Any]],
    start: initial.Start | None,
) -> Held:
    """One statement for each table, which reads the keys that lead on. The last one says as well
    what a new row begins with, where that is read of rows that are locked by then.
    """
    taken: dict[Model, set[Any]] = {}
    columns: dict[tuple[Model, str], dict[Any, Any]] = defaultdict(dict)
    complete, answer = True, None
    for step in found.steps:
        led = (columns[each].values() for each in step.led)
        wanted = keys[step.model].union(*led) - {None}
        names = leading_on(found.steps, step.model)
        rows: list[Any] = []
        if wanted:
            queryset = locking(rows_with(step.model, using, list(wanted)).order_by("pk"))
            statement, asked = statements.select(queryset.values_list("pk", *names)), None
            if start is not None and step is found.steps[-1]:
                asked = start.asked(taken.keys())
            if asked is not None:
                table = connections[using].ops.quote_name(step.model._meta.db_table)
                statement = statement.around(asked, table)
            rows = statement.rows()
            if asked is not None and rows:
                answer = asked.converted(rows[0][1 + len(names) :], connections[using])
        taken[step.model] = {row[0] for row in rows}
        complete = complete and taken[step.model] >= wanted
        for number, name in enumerate(names, 1):
            columns[step.model, name] = {row[0]: row[number] for row in rows}
    return Held(taken, found.whole, complete, columns, answer)


def leading_on(steps: Sequence[Step], model: Model) -> list[str]:
    """The columns of a table that name rows of others."""
    return list(dict.fromkeys(name for each in steps for near, name in each.led if near is model))


def lock_chained(
    using: str, found: Foresight, keys: Mapping[Model, set[Any]], asking: Asking | None
) -> Held:
    """One statement for all, which answers as well what is asked of the rows."""
    steps = found.steps
    key = ("locks", using, steps)
    statement = once(key, lambda: Statement(using, *chain(using, steps)))
    asked = asking.asked({step.model for step in steps}) if asking is not None else None
    if asked is not None:
        statement = statement.beside(asked)
    given = {str(number): list(keys[step.model]) for number, step in enumerate(steps)}
    for _ in range(2):
        row = statement.row(**given) or ()
        taken = {step.model: set(row[number] or ()) for number, step in enumerate(steps)}
        rest = iter(row[len(steps) :])
        complete = all(
            taken[step.model].issuperset(set(next(rest) or ()) - {None})
            for step in steps
            for _ in step.led
        )
        if complete:
            break
    answer = None if asked is None else asked.converted(tuple(rest), connections[using])
    return Held(taken, found.whole, complete, answer=answer)


def chain(using: str, steps: Sequence[Step]) -> tuple[str, list[Any]]:
    """Its SQL and parameters. It returns the keys of the rows of each step, and those that led to
    the rows of a step.
    """
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    for_update = connection.ops.for_update_sql(
        no_key=connection.features.has_select_for_no_key_update
    )
    parts, params, before = [], [], ""
    for number, step in enumerate(steps):
        key = step.model._meta.pk
        table, kind = quote(step.model._meta.db_table), key.rel_db_type(connection)
        arrays = [f"%s::{kind}[]", *(f"{held(quote, *each)}::{kind}[]" for each in step.led)]
        wanted = " || ".join(arrays)
        if before:  # Which is carried out first, as this one asks for it.
            wanted = f"CASE WHEN (SELECT COUNT(*) FROM {before}) >= 0 THEN {wanted} END"  # noqa: S608
        params.append(Keys(str(number), key))
        own = f"{table}.{quote(key.column)}"
        chosen = f"SELECT * FROM {table} WHERE {own} = ANY({wanted})"  # noqa: S608
        parts.append(f"{table} AS MATERIALIZED ({chosen} ORDER BY {own} {for_update})")
        before = table
    columns = [held(quote, step.model, step.model._meta.pk.attname) for step in steps]
    columns += [held(quote, *each) for step in steps for each in step.led]
    return f"WITH {', '.join(parts)} SELECT {', '.join(columns)}", params


def held(quote: Any, model: Model, name: str) -> str:
    """What the rows of a step hold in a column."""
    table, field = quote(model._meta.db_table), column(model, name)
    return f"ARRAY(SELECT {table}.{quote(field.column)} FROM {table})"  # noqa: S608


# How the steps are found -------------------------------------------------------------------------


def foresight(using: str, change: Change, starts: Starts) -> Foresight | None:
    """The steps of a kind of write; None where there are none, or need not be."""
    key = (
        *("foresight", using, change.model, change.kind, change.columns),
        *(change.saved, change.unordered, starts),
    )
    return once(key, lambda: find_foresight(using, change, starts))


def find_foresight(using: str, change: Change, starts: Starts) -> Foresight | None:
    tracing = Tracing(change.model)
    try:
        if starts is not Starts.NOTHING:
            tracing.start(using, change, is_one=starts is Starts.ROW)
        tracing.follow(change)
    except UnforeseenError:
        return None
    return tracing.found(using, change)


@dataclass
class Tracing:
    """Follows a write to all that it touches."""

    model: Model
    named: dict[Model, dict[Named, None]] = field(default_factory=lambda: defaultdict(dict))
    led: dict[Model, dict[tuple[Model, str], None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    copied: dict[Model, None] = field(default_factory=dict)
    """Tables that a new row copies from."""
    needed: set[Model] = field(default_factory=set)
    """Tables whose rows must be locked before the write in any case."""
    written: dict[Model, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Targets, and the synced fields that are written."""
    stale: dict[Model, None] = field(default_factory=dict)
    """Targets that are evaluated anew, or may be."""
    whole: dict[Model, frozenset[str]] = field(default_factory=dict)

    def lead(self, near: Model | None, far: Model, name: str, as_written: bool = False) -> None:
        """Rows of a table ``near``, or the written row, hold the keys of others."""
        if far is self.model:
            raise UnforeseenError
        if near is None:
            self.named[far][Named(name, as_written)] = None
        elif ranks().get(near, -1) < ranks().get(far, -1):
            self.led[far][near, name] = None
        else:
            raise UnforeseenError

    def along(self, near: Model | None, hops: Iterable[Hop], as_written: bool = False) -> None:
        """Forwards, by the keys that rows hold."""
        for hop in hops:
            self.lead(near, hop.model, key_of(hop, hop.model), as_written)
            near = hop.model

    def start(self, using: str, change: Change, is_one: bool) -> None:
        """What new rows begin with, which is read of rows that they refer to. One row next to a new
        one is locked when it is read, before the INSERT.
        """
        for each in initial.beginnings(using, change):
            if each.rows or each.late or each.late_if_unordered:
                first = int(is_one and not each.late)
                for path in initial.ahead([each.maintenance]):
                    self.along(None, path.hops, as_written=True)
                    self.copied |= dict.fromkeys(hop.model for hop in path.hops)
                    self.needed.update(hop.model for hop in path.hops[first:])

    def follow(self, change: Change, near: Model | None = None) -> None:
        """From the rows of a change: those of a table, or the written row."""
        written: dict[Model, set[str]] = defaultdict(set)
        for maintenance in concerned([change]):
            for dependency in leading(maintenance, change):
                self.follow_one(maintenance, dependency, change, near)
            if not isinstance(maintenance, Copy):
                written[maintenance.target].update(changing(maintenance, change))
        for target, names in written.items():
            self.written[target] |= names
            self.follow_target(target, evaluating.written(target, frozenset(names)))

    def follow_one(
        self, maintenance: Maintenance, dependency: Dependency, change: Change, near: Model | None
    ) -> None:
        others, copies = maintenance.dependencies, isinstance(maintenance, Copy)
        path, moves = dependency.path, comes_to_be_connected(change, dependency, others)
        further = list(beyond(path, others))
        if moves and (near is not None or any(is_loose(hop) for _, hop in further)):
            raise UnforeseenError
        if copies and not moves:
            return
        for other, _ in further:
            hops = other.path.hops[len(path.hops) :]
            self.along(near, hops, as_written=copies)
            self.needed.update(hop.model for hop in hops)
        if copies:
            return
        self.back(near, path, moves)
        if isinstance(maintenance, Recompute) or reads_target(maintenance):
            self.needed.add(path.target)
        if isinstance(maintenance, Extreme) and change.kind != "insert":
            self.stale[path.target] = None

    def back(self, near: Model | None, path: Path, moves: bool) -> None:
        """Towards the targets: what lies between, and the targets themselves."""
        for number in range(len(path.hops) - 1, -1, -1):
            hop, nearer = path.hops[number], path.until(number).model
            if hop.forward or (moves and is_loose(hop)):
                raise UnforeseenError
            self.lead(near, nearer, key_of(hop, nearer))
            near = nearer
            if number:
                self.needed.add(near)

    def follow_target(self, target: Model, columns: frozenset[str]) -> None:
        """What the engine's own write of a target leads to, as far as that can be foreseen."""
        later = Tracing(self.model)
        try:
            later.follow(Change(target, "update", columns=columns), target)
        except UnforeseenError:
            return
        self.whole[target] = self.whole.get(target, columns) | columns
        for model, more in later.whole.items():
            self.whole[model] = self.whole.get(model, more) | more
        self.needed |= later.needed
        self.stale |= later.stale
        for model, found in later.led.items():
            self.led[model] |= found
        for model, names in later.written.items():
            self.written[model] |= names

    def found(self, using: str, change: Change) -> Foresight | None:
        models = {*self.named, *self.led}
        order = [model for model in ranks() if model in models]
        if not self.is_needed() or len(order) != len(models) or not all(map(is_plain, order)):
            return None
        if connections[using].vendor == "mysql":
            order = self.without_last(order, change)
        steps = tuple(
            Step(model, tuple(self.named.get(model, ())), tuple(self.led.get(model, ())))
            for model in order
        )
        return Foresight(steps, self.whole) if steps else None

    def is_needed(self) -> bool:
        """Whether other rows are locked than those of UPDATEs, which come in the order of the
        tables by themselves.
        """
        met = [*self.copied, *self.stale, *self.applied()]
        return bool(self.needed) or not is_in_order(list(dict.fromkeys(met)))

    def applied(self) -> list[Model]:
        """The targets in the order in which they are added to."""
        plan = registry.plan()
        return sorted(self.written, key=lambda each: plan.position[plan.targets[each][0]])

    def without_last(self, order: list[Model], change: Change) -> list[Model]:
        """Without the last tables, where these are only added to, in their order: each would be a
        statement more. Those of new keys InnoDB locks by itself, if only shared; a row that is
        deleted has none.
        """
        kept = self.needed | self.stale.keys() | self.copied.keys()
        for model, names in self.named.items() if change.kind != "delete" else ():
            if change.kind == "insert" or change.writes([each.column for each in names]):
                kept.add(model)
        while order and order[-1] not in kept:
            left = [each for each in self.applied() if each not in order[:-1]]
            if not is_in_order(left):
                break
            order = order[:-1]
        return order


def leading(maintenance: Maintenance, change: Change) -> Iterator[Dependency]:
    """What the rows of a change are to a maintenance; those of events always lead to targets."""
    for dependency in maintenance.dependencies:
        counts = not maintenance.reconcilable and dependency.model is change.model
        if change.concerns(dependency) or (counts and dependency.path.hops):
            yield dependency


def changing(maintenance: Maintenance, change: Change) -> Iterable[str]:
    """The fields that a write may change, of those that are kept together."""
    if not isinstance(maintenance, Delta) or change.kind != "update" or change.columns is None:
        return maintenance.values
    found = [each for each in maintenance.dependencies if change.concerns(each)]
    if any(comes_to_be_connected(change, each, maintenance.dependencies) for each in found):
        return maintenance.values
    if not maintenance.reconcilable or not all(map(is_read_by_name, found)):
        return maintenance.values
    read = {
        LOOKUP_SEP.join([each.path.lookup, name])
        for each in found
        for name in names_of(each.model, each.columns & change.columns)
    }
    return {
        term.attname
        for term in maintenance.terms
        if any(
            name == other or name.startswith(other + LOOKUP_SEP)
            for name in references(term.aggregate, maintenance.target)
            for other in read
        )
    }


def is_read_by_name(dependency: Dependency) -> bool:
    path = dependency.path
    generated = any(column(path.model, name).generated for name in dependency.columns)
    return bool(path.hops) and not path.ambiguous and not generated


def names_of(model: Model, columns: Iterable[str]) -> Iterator[str]:
    """What a lookup may call them."""
    for name in columns:
        yield from {name, column(model, name).name}


def reads_target(maintenance: Maintenance) -> bool:
    return any(each.columns and not each.path.hops for each in maintenance.dependencies)


def is_in_order(models: Sequence[Model]) -> bool:
    return list(models) == sorted(models, key=ranks().__getitem__)


def key_of(hop: Hop, model: Model) -> str:
    """The column, at the end that holds the key, by which a hop names rows by primary key."""
    if hop.generic or len(hop.columns) != 1:
        raise UnforeseenError
    ((near, far),) = hop.columns
    held, name = (near, far) if hop.forward else (far, near)
    if len(model._meta.pk_fields) != 1 or name != model._meta.pk.attname:
        raise UnforeseenError
    return held


def is_plain(model: Model) -> bool:
    """Whether its keys can be given as one value, and its table is named by one word."""
    return is_arrayed(model._meta.pk) and '"' not in model._meta.db_table
