"""One row of each of several tables, or two, locked by one statement, where each is named by a key.

MariaDB locks the rows of a join as it comes to them. Outer joins by primary keys are taken in the
order in which they are written, each row after the one before it (tried: with any of the rows held
by another transaction, those before it are locked and those behind it are not), and what leads on
is read as it is after any wait. Subqueries are not: so what else is asked is a statement of its
own, in the same block (``sql/blocks.py``). Two rows of one table are joined in the order of their
keys; those that two rows lead to, the lesser key first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import connections

from syncfields.declare.paths import Model, column
from syncfields.maintenance.changes import Held
from syncfields.programs.chosen import Asking
from syncfields.programs.foresight import Step
from syncfields.sql.blocks import can_read_both, read_both
from syncfields.sql.databases import takes_blocks
from syncfields.sql.fields import takes_integers
from syncfields.sql.once import once
from syncfields.sql.statements import Param, Statement

PAIR = 2
Names = Mapping[Model, Sequence[str]]
"""The columns that are read of the row of each table, behind its key."""


def fits(using: str, steps: Sequence[Step], keys: Mapping[Model, Collection[Any]]) -> bool:
    """Whether there are two rows of each table at the most, and several tables."""
    if not takes_blocks(using):
        return False
    if any(len(step.led) + bool(keys[step.model]) > 1 for step in steps):
        return False  # More than keys lead to its rows, or the rows of more than one table do.
    numbers = numbers_of(steps, keys)
    return len(numbers) > 1 and all(
        number == 1 or (number == PAIR and takes_integers(model._meta.pk))
        for model, number in numbers.items()
    )


def numbers_of(steps: Sequence[Step], keys: Mapping[Model, Collection[Any]]) -> dict[Model, int]:
    """How many rows there may be of each table that is reached."""
    found: dict[Model, int] = {}
    for step in steps:
        if number := len(keys[step.model]) or sum(found.get(near, 0) for near, _ in step.led):
            found[step.model] = number
    return found


def lock(
    using: str,
    steps: Sequence[Step],
    whole: Mapping[Model, frozenset[str]],
    keys: Mapping[Model, Collection[Any]],
    names: Names,
    asking: Asking | None = None,
) -> Held:
    """Lock the rows, and read their keys and these columns. ``whole``: as it is foreseen.
    ``asking``: what else is to be read of them.
    """
    numbers = numbers_of(steps, keys)
    reached = tuple(step for step in steps if step.model in numbers)
    columns = {step.model: ("pk", *names[step.model]) for step in reached}
    key = "joined", using, reached, *numbers.values(), *columns.values()
    statement = once(key, lambda: select(using, reached, numbers, columns))
    given = {
        f"{step.model._meta.label} {number}": pk
        for step in reached
        for number, pk in enumerate(sorted(keys[step.model]))
    }
    asked = asking([*columns]) if asking is not None and can_read_both(using) else None
    answer = None
    if asked is None:
        rows = statement.rows(**given)
    else:
        given |= asked.values
        rows, answer = read_both(statement, asked.statement, given, asked.is_kept)
    (found,) = rows  # Whatever is there: all joins are outer ones.
    held = answered(steps, whole, keys, names, numbers, list(found))
    return held if answer is None else replace(held, answer=answer)


def answered(
    steps: Sequence[Step],
    whole: Mapping[Model, frozenset[str]],
    keys: Mapping[Model, Collection[Any]],
    names: Names,
    numbers: Mapping[Model, int],
    found: Sequence[Any],
) -> Held:
    taken: dict[Model, dict[Any, None]] = {step.model: {} for step in steps}
    columns: dict[tuple[Model, str], dict[Any, Any]] = {
        (model, name): {} for model in taken for name in names[model]
    }
    values = iter(found)
    for step in steps:
        model = step.model
        for _ in range(numbers.get(model, 0)):
            pk, *row = (next(values) for _ in ("pk", *names[model]))
            if pk is not None:
                taken[model][pk] = None
                for name, value in zip(names[model], row, strict=True):
                    columns[model, name][pk] = value
    led = [(step.model, columns[near].values()) for step in steps for near in step.led]
    wanted = [*((model, pks) for model, pks in keys.items() if model in taken), *led]
    complete = all({*pks} - {None} <= taken[model].keys() for model, pks in wanted)
    return Held(taken, whole, complete, columns)


def select(
    using: str,
    steps: Sequence[Step],
    numbers: Mapping[Model, int],
    columns: Mapping[Model, Sequence[str]],
) -> Statement:
    """``numbers``: how many rows there are of each table."""
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    joins: list[str] = []
    params: list[Param] = []
    selected: list[Any] = []
    for step in steps:
        model, pk = step.model, step.model._meta.pk
        aliases = aliases_of(model, numbers[model])
        if step.led:
            ((near, name),) = step.led
            leading = quote(column(near, name).column)
            wanted = leading_on(
                [f"{quote(each)}.{leading}" for each in aliases_of(near, numbers[near])]
            )
        else:
            wanted = ["%s"] * len(aliases)
            params += [
                Param(f"{model._meta.label} {number}", pk) for number, _ in enumerate(aliases)
            ]
        for alias, key in zip(aliases, wanted, strict=True):
            table = quote(model._meta.db_table)
            named = table if alias == model._meta.db_table else f"{table} AS {quote(alias)}"
            joins.append(f"LEFT JOIN {named} ON {quote(alias)}.{quote(pk.column)} = {key}")
            selected += [field(model, name).get_col(alias) for name in columns[model]]
    compiler = steps[0].model._default_manager.none().query.get_compiler(using)
    compiled = ", ".join(compiler.compile(each)[0] for each in selected)
    text = f"SELECT {compiled} FROM (SELECT 1) AS one {' '.join(joins)} FOR UPDATE"  # noqa: S608
    return Statement(using, text, params, compiler, selected)


def aliases_of(model: Model, number: int) -> list[str]:
    table = model._meta.db_table
    return [table] if number == 1 else [f"{table}_{each}" for each in range(1, number + 1)]


def leading_on(keys: Sequence[str]) -> list[str]:
    """The keys that rows hold, in order; of two rows, one may be absent."""
    if len(keys) == 1:
        return [*keys]
    one, other = keys
    both = f"IFNULL({one}, {other}), IFNULL({other}, {one})"
    return [f"LEAST({both})", f"GREATEST({both})"]


def field(model: Model, name: str) -> Any:
    return model._meta.pk if name == "pk" else column(model, name)
