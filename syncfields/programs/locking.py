"""What is foreseen of a write (``foresight.py``), locked before it.

PostgreSQL is sent one statement. Each step is a part of it that is named as its table, so that the
parts behind it, and what is asked at the end, see the rows that are locked instead, as they are
after any wait. A row that another transaction inserted, and came to refer to, while it was waited
for, is not seen yet: then the statement is sent once more. MariaDB and MySQL are sent a locking
SELECT for each step, which returns the keys of those behind it; MariaDB one for all, where each has
one row (``joined.py``).

The rows that an ``update()`` or a DELETE is about to write are locked with what it will touch: they
are the first part of the statement, or the first one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import F, QuerySet

from syncfields.declare.paths import Model, column
from syncfields.maintenance.changes import Change, Held
from syncfields.maintenance.folding import holding_of
from syncfields.programs import initial, joined
from syncfields.programs.foresight import Foresight, Named, Starts, Step, foresight, is_plain
from syncfields.programs.order import against_the_order, ranks
from syncfields.sql import meetings, statements
from syncfields.sql.databases import vendor_of
from syncfields.sql.holding import UNKNOWN
from syncfields.sql.locks import locking, must_write, rows_of
from syncfields.sql.statements import Param, Row, Statement, once
from syncfields.sql.trees import Keys, rows_given, rows_with
from syncfields.targets.writing import PAIR
from syncfields.transactions import pending, scope


class Reading(Protocol):
    """What is to be read of the rows of a queryset, when they are locked."""

    def asked_of_all(self, locked: Collection[Model]) -> Statement | None:
        """A SELECT in which the locked rows stand for all of their tables, where it reads no
        others.
        """

    def asked_of_each(self, queryset: QuerySet[Any], columns: Sequence[str]) -> Statement | None:
        """A SELECT of the rows of the queryset, behind some of their columns, where it reads no
        others.
        """


Asking: TypeAlias = Callable[[Collection[Model]], Statement | None]
"""What is to be read of the rows that are locked: a SELECT, where all of the tables that it reads
are among these.
"""


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
    if not may_lock(connection) or change.inserted:
        return None
    if not (change.is_single or (change.kind == "insert" and not change.partial)):
        return None
    if change.kind != "insert" and len(change.learnt.former) != 1:
        return None
    found = foresight(using, change, Starts.of(start))
    if found is None or (keys := named_keys(using, change, found.steps)) is None:
        return None
    if not any(keys.values()):  # Or there are no steps.
        return None
    if connection.vendor == "postgresql":
        asking = asking if start is None else start.asked
        several = start is not None and not start.is_of_one
        held = lock_chained(using, found, keys, asking, several=several)
        if lacks_any(using, keys, held):
            held = lock_chained(using, found, keys, asking, several=several)
    else:
        held = lock_joined(using, change, found, start) or lock_each(using, found, keys, start)
    are_there = all(pks.issubset(held.rows[model]) for model, pks in keys.items())
    # Rows that nobody has named may refer to one that was there before.
    return replace(held, complete=held.complete and are_there and not change.unordered)


def lacks_any(using: str, keys: Mapping[Model, set[Any]], held: Held) -> bool:
    """Whether rows of these keys were absent. Those who insert them by now were waited for."""
    lacking = {model: pks.difference(held.rows[model]) for model, pks in keys.items()}
    for model, pks in lacking.items():
        meetings.wait(using, model, model._meta.pk.attname, pks)
    return any(lacking.values())


def lock_joined(
    using: str, change: Change, found: Foresight, start: initial.Start | None
) -> Held | None:
    """Lock one row of each table by one statement; None where there are more, or it would take a
    statement more than one for each table, the last of which says what a new row begins with.
    """
    steps, asks = (*found.steps, *found.last), start is not None and bool(start.reading)
    keys = named_keys(using, change, steps)
    if keys is None or len(found.steps) < 1 + asks or not joined.fits(using, steps, keys):
        return None
    more = {} if start is None else start.columns()
    return joined.lock(using, steps, found.whole, keys, names_read(steps, more))


def may_lock(connection: Any) -> bool:
    """Whether what follows from a write is to be locked before it."""
    return (
        connection.features.has_select_for_update
        and not must_write(connection.alias)
        and not pending.waits(connection)
        and not scope.loading()
    )


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
        for row in change.learnt.former:
            yield change.learnt.pks[0] if name == own else row.get(name, UNKNOWN)


def lock_each(
    using: str,
    found: Foresight,
    keys: Mapping[Model, set[Any]],
    start: initial.Start | None = None,
    chosen: Chosen | None = None,
    reading: Reading | None = None,
) -> Held:
    """One statement for each table, which reads the keys that lead on. The last one says as well
    what a new row begins with, where that is read of rows that are locked by then.
    """
    taken: dict[Model, Collection[Any]] = {}
    columns: dict[tuple[Model, str], dict[Any, Any]] = defaultdict(dict)
    complete = True
    answer: Sequence[Row] | None = None
    if chosen is not None:
        names = leading_on(found.steps, chosen.model)
        rows, answer = chosen.rows(("pk", *names), reading)
        take(chosen.model, names, rows, taken, columns)
    read = names_read(found.steps, {} if start is None else start.columns())
    for step in found.steps:
        led = (columns[each].values() for each in step.led)
        wanted = keys[step.model].union(*led) - {None}
        names, rows = read[step.model], []
        if wanted:
            statement, asked = by_keys(using, step.model, list(wanted), tuple(names)), None
            if start is not None and start.is_of_one and step is found.steps[-1]:
                asked = start.asked(taken.keys())
            if asked is not None:
                table = connections[using].ops.quote_name(step.model._meta.db_table)
                statement = statement.around(asked, table)
            rows = statement.rows()
            if asked is not None and rows:
                beside = rows[0][1 + len(names) :]
                answer = [asked.converted(beside, connections[using])]
        take(step.model, names, rows, taken, columns)
        complete = complete and wanted.issubset(taken[step.model])
    return Held(taken, found.whole, complete, columns, answer)


def names_read(
    steps: Sequence[Step], more: Mapping[Model, Collection[str]]
) -> dict[Model, list[str]]:
    """The columns that lead on from each table, and ``more``."""
    return {
        step.model: [*dict.fromkeys([*leading_on(steps, step.model), *more.get(step.model, ())])]
        for step in steps
    }


def by_keys(using: str, model: Model, pks: Sequence[Any], names: tuple[str, ...]) -> Statement:
    """Locks the rows, and reads their keys and some columns."""
    if len(pks) > PAIR:
        return locking_select(rows_with(model, using, pks), names)
    given = {f"pk {number}": pk for number, pk in enumerate(pks)}

    def make() -> Statement:
        chosen = [Param(name, model._meta.pk) for name in given]
        return locking_select(rows_given(model, using, chosen), names)

    return once(("by keys", using, model, len(pks), names), make).bound(**given)


def locking_select(queryset: QuerySet[Any], names: Sequence[str]) -> Statement:
    return statements.select(locking(queryset.order_by("pk")).values_list("pk", *names))


def take(
    model: Model,
    names: Sequence[str],
    rows: Sequence[Row],
    taken: dict[Model, Collection[Any]],
    columns: dict[tuple[Model, str], dict[Any, Any]],
) -> None:
    """Note the rows of a table that were locked: their keys, and what they hold in some columns."""
    taken[model] = dict.fromkeys(row[0] for row in rows)
    for number, name in enumerate(names, 1):
        columns[model, name] = {row[0]: row[number] for row in rows}


def leading_on(steps: Sequence[Step], model: Model) -> list[str]:
    """The columns of a table that name rows of others."""
    return list(dict.fromkeys(name for each in steps for near, name in each.led if near is model))


def lock_chained(
    using: str,
    found: Foresight,
    keys: Mapping[Model, set[Any]],
    asking: Asking | None,
    chosen: Chosen | None = None,
    several: bool = False,
) -> Held:
    """One statement for all, which answers as well what is asked of the rows. ``several``: by any
    number of rows.
    """
    steps = found.steps
    models = [step.model for step in steps]
    if chosen is None:
        statement = once(("locks", using, steps, several), lambda: chain(using, steps, several))
    else:
        models, statement = [chosen.model, *models], chain(using, steps, several, chosen)
    asked = asking(models) if asking is not None else None
    if asked is not None:
        statement = statement.beside(asked)
    given = {str(number): list(keys[step.model]) for number, step in enumerate(steps)}
    for _ in range(2):
        rows = statement.rows(**given)
        own = iter(rows[0])
        taken = {model: dict.fromkeys(next(own) or ()) for model in models}
        led = [(step.model, each, next(own) or ()) for step in steps for each in step.led]
        complete = all(set(keys) - {None} <= taken[model].keys() for model, _, keys in led)
        if complete:
            break
    columns = {
        (near, name): dict(zip(taken[near], keys, strict=True))
        for _, (near, name), keys in led
        if chosen is None or near is not chosen.model
    }
    answer = None
    if asked is not None:
        width = len(models) + len(led)
        answer = [asked.converted(row[width:], connections[using]) for row in rows]
    return Held(taken, found.whole, complete, columns, answer)


def chain(
    using: str, steps: Sequence[Step], several: bool, chosen: Chosen | None = None
) -> Statement:
    """The statement. It returns the keys of the rows of each step, and those that led to the rows
    of a step; in the first of its rows, if there are ``several``.
    """
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    for_update = connection.ops.for_update_sql(
        no_key=connection.features.has_select_for_no_key_update
    )
    parts: list[str] = []
    params: list[Any] = []
    before, models = "", [step.model for step in steps]
    if chosen is not None:
        before, models = quote(chosen.model._meta.db_table), [chosen.model, *models]
        text, params = chosen.selected(before)
        parts.append(f"{before} AS MATERIALIZED ({text})")
    for number, step in enumerate(steps):
        key = step.model._meta.pk
        table, kind = quote(step.model._meta.db_table), key.rel_db_type(connection)
        arrays = [
            f"%s::{kind}[]",
            *(f"{led_from(quote, each, chosen)}::{kind}[]" for each in step.led),
        ]
        wanted = " || ".join(arrays)
        if before:  # Which is carried out first, as this one asks for it.
            wanted = f"CASE WHEN (SELECT COUNT(*) FROM {before}) >= 0 THEN {wanted} END"  # noqa: S608
        params.append(Keys(str(number), key))
        own = f"{table}.{quote(key.column)}"
        of_table = f"SELECT * FROM {table} WHERE {own} = ANY({wanted})"  # noqa: S608
        parts.append(f"{table} AS MATERIALIZED ({of_table} ORDER BY {own} {for_update})")
        before = table
    columns = [held(quote, model, model._meta.pk.attname) for model in models]
    columns += [led_from(quote, each, chosen) for step in steps for each in step.led]
    if several:
        columns = [f"CASE WHEN ROW_NUMBER() OVER () = 1 THEN {each} END" for each in columns]
    return Statement(using, f"WITH {', '.join(parts)} SELECT {', '.join(columns)}", params)


def led_from(quote: Any, near: tuple[Model, str], chosen: Chosen | None) -> str:
    """The keys that rows hold of others; of any number of rows each key once."""
    return held(quote, *near, distinct=chosen is not None and near[0] is chosen.model)


def held(quote: Any, model: Model, name: str, distinct: bool = False) -> str:
    """What the rows of a step hold in a column, row after row."""
    table, key = quote(model._meta.db_table), quote(model._meta.pk.column)
    held_in = f"{table}.{quote(column(model, name).column)}"
    if distinct:
        return f"ARRAY(SELECT DISTINCT {held_in} FROM {table})"  # noqa: S608
    return f"ARRAY(SELECT {held_in} FROM {table} ORDER BY {table}.{key})"  # noqa: S608


# Rows of several tables that are deleted at once --------------------------------------------------


def lock_deleted(connection: Any, changes: Sequence[Change], asking: Asking) -> Held | None:
    """Lock all that some DELETEs will touch, and their own rows where they are not ``locked``. None
    where that is not to be foreseen, or takes as many statements as there are tables.
    """
    if connection.vendor != "postgresql" or not may_lock(connection):
        return None
    together = Together()
    if not all(together.take(connection.alias, change) for change in changes):
        return None
    steps = together.steps()
    taken = {change.model for change in changes if change.learnt.locked}
    if not are_in_order(steps) or not taken.isdisjoint(step.model for step in steps):
        return None
    keys = {step.model: together.keys[step.model] for step in steps}
    found = Foresight(steps, together.whole)
    held = lock_chained(connection.alias, found, keys, asking, several=True)
    if not held.complete:
        return None
    for change in changes:
        learnt, there = change.learnt, held.rows.get(change.model, ())
        learnt.all_locked(learnt.pks if learnt.locked else [pk for pk in learnt.pks if pk in there])
    return held


@dataclass
class Together:
    """What several DELETEs lock, as if they were one."""

    keys: dict[Model, set[Any]] = field(default_factory=lambda: defaultdict(set))
    led: dict[Model, dict[tuple[Model, str], None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    whole: dict[Model, frozenset[str]] = field(default_factory=dict)

    def take(self, using: str, change: Change) -> bool:
        """Add what a DELETE locks; False where it is not to be foreseen."""
        found = foresight(using, change, is_free=True)
        if change.kind != "delete" or found is None or not is_plain(change.model):
            return False
        if not change.learnt.locked:
            self.keys[change.model].update(change.learnt.pks)
        for step in found.steps:
            self.led[step.model] |= dict.fromkeys(step.led)
            for name in (each.column for each in step.named):
                if not change.learnt.locked:
                    self.led[step.model][change.model, name] = None
                elif not all(name in row for row in change.learnt.former):
                    return False
                else:
                    self.keys[step.model] |= {row[name] for row in change.learnt.former} - {None}
        for model, names in found.whole.items():
            self.whole[model] = self.whole.get(model, names) | names
        return True

    def steps(self) -> tuple[Step, ...]:
        models = sorted({*self.keys, *self.led}, key=lambda each: ranks().get(each, -1))
        return tuple(Step(model, (), tuple(self.led[model])) for model in models)


def are_in_order(steps: Sequence[Step]) -> bool:
    """Whether each table is known to the order, and comes after those that lead to its rows."""
    before: set[Model] = set()
    for step in steps:
        if step.model not in ranks() or not all(near in before for near, _ in step.led):
            return False
        before.add(step.model)
    return True


# Rows that a queryset chooses ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a queryset, of one table, with which the locks begin."""

    model: Model
    queryset: QuerySet[Any]

    def locked(self) -> QuerySet[Any]:
        return locking(rows_of(self.queryset))

    def rows(
        self, columns: Sequence[str], reading: Reading | None
    ) -> tuple[list[Row], list[Row] | None]:
        """The columns of each row, and what is read of it."""
        locked = self.locked()
        asked = None if reading is None else reading.asked_of_each(locked, columns)
        if asked is None:
            return statements.select(locked.values_list(*columns)).rows(), None
        rows, width = asked.rows(), len(columns)
        return rows, [row[width:] for row in rows]

    def selected(self, table: str) -> tuple[str, list[Any]]:
        """The SQL and parameters of a SELECT of whole rows, in the order of their keys."""
        keys = self.locked().annotate(_syncfields_pk=F("pk")).values_list("_syncfields_pk")
        statement = statements.select(keys)
        head, clause, tail = statement.sql.partition(f" FROM {table} ")
        return f"{head}, {table}.*{clause}{tail}", statement.params


def lock_chosen(queryset: QuerySet[Any], change: Change, reading: Reading) -> Held | None:
    """Lock the rows of a queryset, which a change is about to write, and all that it will touch:
    the change learns which rows these are. None where that is not to be foreseen, or not needed.

    ``reading``: what is to be read of the rows, which is answered where it can be.
    """
    using, model = queryset.db, change.model
    if not may_lock(connections[using]) or not is_plain(model):
        return None
    found = foresight(using, change, is_free=True)
    if found is None or not is_first(change, found.steps):
        return None
    if (keys := keys_written(using, change, found.steps)) is None:
        return None
    found = replace(found, steps=tuple(led_by(change, step) for step in found.steps))
    chosen = Chosen(model, queryset)
    try:
        if vendor_of(using) == "postgresql":
            held = lock_chained(using, found, keys, reading.asked_of_all, chosen, several=True)
        else:
            held = lock_each(using, found, keys, chosen=chosen, reading=reading)
    except EmptyResultSet:
        return None
    if not held.complete or not all(pks.issubset(held.rows[each]) for each, pks in keys.items()):
        return None  # Those that are there are locked again, with all others.
    change.learnt.all_locked(list(held.rows[model]))
    return held


def is_first(change: Change, steps: Sequence[Step]) -> bool:
    """Whether the rows of a change are to be locked before all others."""
    rank = ranks().get(change.model, len(ranks()))
    return all(ranks()[step.model] > rank for step in steps) and not any(
        change.writes(each.columns) for each in against_the_order(change.model)
    )


def led_by(change: Change, step: Step) -> Step:
    """The step, where the rows of a change are locked before it: these lead to it, by the keys that
    they hold.
    """
    names = [each.column for each in step.named if not (each.as_written and writes(change, each))]
    return replace(step, led=(*((change.model, name) for name in names), *step.led))


def writes(change: Change, named: Named) -> bool:
    return change.kind == "update" and change.writes((named.column,))


def keys_written(using: str, change: Change, steps: Sequence[Step]) -> dict[Model, set[Any]] | None:
    """The keys that rows are going to hold; None where these are unknown."""
    found: dict[Model, set[Any]] = {}
    for step in steps:
        pks: set[Any] = set()
        for name in {each.column for each in step.named if writes(change, each)}:
            holds = holding_of(using, change.model, name)
            pks |= {holds(row[name]) for row in change.rows if name in row} or {UNKNOWN}
        if UNKNOWN in pks:
            return None
        found[step.model] = pks - {None}
    return found
