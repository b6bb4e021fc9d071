"""MariaDB and MySQL: all that a write will touch, locked by one SELECT for each table, which
returns the keys of rows of those behind it.
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
from syncfields.programs.chosen import Chosen, Reading
from syncfields.programs.foresight import Foresight, Step
from syncfields.sql import statements
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
                statement = statement.around(asked.statement.bound(**asked.values), table)
            rows = statement.rows()
            if asked is not None and rows:
                beside = rows[0][1 + len(names) :]
                answer = [asked.statement.converted(beside, connections[using])]
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
