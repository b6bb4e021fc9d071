"""PostgreSQL: all that a write will touch, locked by one statement.

Each step is a part of it that is named as its table, so that the parts behind it, and what is asked
at the end, see the rows that are locked instead, as they are after any wait. A row that another
transaction inserted, and came to refer to, while it was waited for, is not seen yet: then the
statement is sent once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections

from syncfields.declare.paths import Model, column
from syncfields.maintenance.changes import Held
from syncfields.programs.chosen import Asked, Asking, Chosen
from syncfields.programs.foresight import Foresight, Step
from syncfields.sql.once import once
from syncfields.sql.rows import Keys
from syncfields.sql.statements import Statement


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
    given: dict[str, Any] = {}
    if asked is not None:
        statement = beside(statement, asked, is_kept=chosen is None)
        given |= asked.values
    given |= {str(number): list(keys[step.model]) for number, step in enumerate(steps)}
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
        convert, connection = asked.statement.converted, connections[using]
        answer = [convert(row[width:], connection) for row in rows]
    return Held(taken, found.whole, complete, columns, answer)


def beside(locks: Statement, asked: Asked, is_kept: bool) -> Statement:
    """The statement that locks, and what is asked."""

    def make() -> Statement:
        return locks.beside(asked.statement)

    return once(("beside", locks, asked.statement), make) if is_kept and asked.is_kept else make()


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
