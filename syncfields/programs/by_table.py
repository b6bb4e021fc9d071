"""MariaDB and MySQL: all that a write will touch, locked by one SELECT for each table, which
returns the keys of rows of those behind it.

What else is asked of them goes with the last one: on MariaDB as a statement of its own in the same
block (``sql/blocks.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from syncfields.declare.paths import Model
from syncfields.maintenance.changes import Held
from syncfields.programs import initial
from syncfields.programs.chosen import Asked, Asking, Chosen, Reading
from syncfields.programs.foresight import Foresight, Step
from syncfields.sql import statements
from syncfields.sql.blocks import can_read_both, read_both
from syncfields.sql.locks import locking
from syncfields.sql.once import once
from syncfields.sql.rows import rows_given, rows_with
from syncfields.sql.statements import Param, Row, Statement
from syncfields.targets.writing import PAIR


def lock_each(
    using: str,
    found: Foresight,
    keys: Mapping[Model, set[Any]],
    start: initial.Start | None = None,
    asking: Asking | None = None,
    chosen: Chosen | None = None,
    reading: Reading | None = None,
) -> Held:
    """One statement for each table, which reads the keys that lead on. ``asking``: what else is to
    be read of one row, where all that this reads is locked by then.
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
            locks = by_keys(using, step.model, list(wanted), tuple(names))
            ask = asking if step is found.steps[-1] else None
            rows, said = lock_and_ask(using, step.model, locks, taken, ask)
            answer = said or answer
        take(step.model, names, rows, taken, columns)
        complete = complete and wanted.issubset(taken[step.model])
    return Held(taken, found.whole, complete, columns, answer)


def lock_and_ask(
    using: str, model: Model, locks: Asked, taken: Collection[Model], asking: Asking | None
) -> tuple[list[Row], list[Row] | None]:
    """The rows of a table, locked by a statement, and what else is asked; ``taken``: the tables of
    which the rows were locked before.
    """
    statement, at_once = locks.statement, can_read_both(using)
    asked = None if asking is None else asking([*taken, model] if at_once else [*taken])
    if asked is None:
        return statement.rows(**locks.values), None
    if at_once:
        values = {**locks.values, **asked.values}
        return read_both(statement, asked.statement, values, locks.is_kept and asked.is_kept)
    table, width = connections[using].ops.quote_name(model._meta.db_table), len(statement.selected)
    given = asked.statement.bound(**asked.values)
    rows = statement.bound(**locks.values).around(given, table).rows()
    convert = asked.statement.converted
    return rows, [convert(row[width:], connections[using]) for row in rows[:1]]


def names_read(
    steps: Sequence[Step], more: Mapping[Model, Collection[str]]
) -> dict[Model, list[str]]:
    """The columns that lead on from each table, and ``more``."""
    return {
        step.model: [*dict.fromkeys([*leading_on(steps, step.model), *more.get(step.model, ())])]
        for step in steps
    }


def by_keys(using: str, model: Model, pks: Sequence[Any], names: tuple[str, ...]) -> Asked:
    """Locks the rows, and reads their keys and some columns."""
    if len(pks) > PAIR:
        return Asked(locking_select(rows_with(model, using, pks), names))
    given = {f"pk {number}": pk for number, pk in enumerate(pks)}

    def make() -> Statement:
        chosen = [Param(name, model._meta.pk) for name in given]
        return locking_select(rows_given(model, using, chosen), names)

    return Asked(once(("by keys", using, model, len(pks), names), make), given, is_kept=True)


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
