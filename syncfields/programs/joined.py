"""One row of each of several tables, locked by one statement, where each is named by a key.

MariaDB locks the rows of a join as it comes to them. Outer joins by primary keys are taken in the
order in which they are written, each row after the one before it (tried: with any of the rows held
by another transaction, those before it are locked and those behind it are not), and what leads on
is read as it is after any wait. Subqueries are not: so nothing else is asked here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connections

from syncfields.declare.paths import Model, column
from syncfields.maintenance.changes import Held
from syncfields.programs.foresight import Step
from syncfields.sql.databases import vendor_of
from syncfields.sql.once import once
from syncfields.sql.statements import Param, Statement

Names = Mapping[Model, Sequence[str]]
"""The columns that are read of the row of each table, behind its key."""


def fits(using: str, steps: Sequence[Step], keys: Mapping[Model, Collection[Any]]) -> bool:
    """Whether there is one row of each table at the most, and several tables."""
    if vendor_of(using) != "mysql" or not getattr(connections[using], "mysql_is_mariadb", False):
        return False
    reached = {step.model for step in steps if keys[step.model] or step.led}
    return len(reached) > 1 and all(len(keys[each.model]) + len(each.led) <= 1 for each in steps)


def lock(
    using: str,
    steps: Sequence[Step],
    whole: Mapping[Model, frozenset[str]],
    keys: Mapping[Model, Collection[Any]],
    names: Names,
) -> Held:
    """Lock the rows, and read their keys and these columns. ``whole``: as it is foreseen."""
    reached: list[Step] = []
    for step in steps:
        near = {each.model for each in reached}
        if keys[step.model] or any(model in near for model, _ in step.led):
            reached.append(step)
    columns = [(step.model, name) for step in reached for name in ("pk", *names[step.model])]
    named = tuple(step.model for step in reached if keys[step.model])
    key = ("joined", using, tuple(reached), named, tuple(columns))
    statement = once(key, lambda: select(using, reached, named, columns))
    given = {str(number): next(iter(keys[model])) for number, model in enumerate(named)}
    (found,) = statement.rows(**given)  # Whatever is there: all joins are outer ones.
    row = dict(zip(columns, found, strict=True))
    taken: dict[Model, Collection[Any]] = {step.model: {} for step in steps}
    held: dict[tuple[Model, str], dict[Any, Any]] = {
        (model, name): {} for model in taken for name in names[model]
    }
    complete = True
    for step in reached:
        pk = row[step.model, "pk"]
        wanted = keys[step.model] or [row[each] for each in step.led]
        complete = complete and all(each in (pk, None) for each in wanted)
        if pk is not None:
            taken[step.model] = {pk: None}
            for name in names[step.model]:
                held[step.model, name] = {pk: row[step.model, name]}
    return Held(taken, whole, complete, held)


def select(
    using: str,
    steps: Sequence[Step],
    named: Collection[Model],
    columns: Sequence[tuple[Model, str]],
) -> Statement:
    """``named``: those of which the key is given."""
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    joins: list[str] = []
    params: list[Param] = []
    for step in steps:
        table, pk = quote(step.model._meta.db_table), step.model._meta.pk
        wanted = "%s"
        if step.model in named:
            params.append(Param(str(len(params)), pk))
        else:
            ((near, name),) = step.led
            wanted = f"{quote(near._meta.db_table)}.{quote(column(near, name).column)}"
        joins.append(f"LEFT JOIN {table} ON {table}.{quote(pk.column)} = {wanted}")
    selected = [field(*each).get_col(each[0]._meta.db_table) for each in columns]
    compiler = steps[0].model._default_manager.none().query.get_compiler(using)
    names = ", ".join(compiler.compile(each)[0] for each in selected)
    text = f"SELECT {names} FROM (SELECT 1) AS one {' '.join(joins)} FOR UPDATE"  # noqa: S608
    made = Statement(using, text, params)
    made.selected, made.converters = selected, [*compiler.get_converters(selected).items()]
    return made


def field(model: Model, name: str) -> Any:
    return model._meta.pk if name == "pk" else column(model, name)
