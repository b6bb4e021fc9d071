"""MariaDB: an UPDATE that evaluates, as a part of a block (``sql/blocks.py``).

An UPDATE there locks what its subqueries read. So its rows are asked before, by SELECTs that lock
nothing, what each field is to be evaluated to; it takes that from variables of the block, which are
of the type of the column::

    BEGIN
      DECLARE v TYPE OF post.best;
      SELECT CASE WHEN ... THEN (SELECT MAX(...) ...) END INTO v FROM post WHERE id = 7;
      UPDATE post SET best = CASE WHEN ... THEN v ELSE best END WHERE id = 7;
    END
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db import connections
from django.db.models import Case, Expression, Q, QuerySet, When

from syncfields.declare.paths import Model, Path, column
from syncfields.plan import registry
from syncfields.sql import statements
from syncfields.sql.fields import stored_as
from syncfields.sql.plain import PLAIN
from syncfields.sql.rows import outer
from syncfields.sql.statements import Statement
from syncfields.targets.assignments import asked, build, chosen_plainly
from syncfields.targets.shapes import Params, Shape

PREFIX = "_syncfields_"
COLUMN = "_syncfields_into_"


class Variable(Expression):
    """A variable of the block."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return self.name, []


def can_be_declared(target: Model, names: Collection[str]) -> bool:
    """Whether it is proven of the fields that a variable of the type of their columns holds what
    these would.
    """
    return all(type(stored_as(column(target, name))) in PLAIN for name in names)


def build_with_variables(shape: Shape) -> Statement:
    target, given = shape.target, Params(shape.target)
    quote = connections[shape.using].ops.quote_name
    values: dict[str, dict[int, Variable]] = {}
    selects: list[Statement] = []
    for number in range(shape.rows):
        found: dict[str, Variable] = {}
        for name in evaluated_in(shape, number):
            called = f"{PREFIX}{number}_{len(found)}"  # Not by the column: 64 letters are the most.
            found[name] = Variable(called, column(target, name))
            values.setdefault(name, {})[number] = found[name]
        selects += selects_into(shape, number, found)
    update = build(shape, given, {name: per_row(given, each) for name, each in values.items()})
    table = quote(target._meta.db_table)
    declared = "".join(
        f"DECLARE {each.name} TYPE OF {table}.{quote(column(target, name).column)}; "
        for name, of_rows in values.items()
        for each in of_rows.values()
    )
    parts = [*selects, update]
    made = update.with_sql(f"BEGIN {declared}{' '.join(f'{each.sql};' for each in parts)} END")
    return made.with_params([param for each in parts for param in each.params])


def evaluated_in(shape: Shape, number: int) -> Iterator[str]:
    """The fields that are evaluated anew in a row, or may be."""
    yield from (name for name, mask in shape.anew if mask[number])
    yield from (each.name for each in shape.extremes if each.left[number])


def selects_into(
    shape: Shape, number: int, variables: Mapping[str, Variable]
) -> Iterator[Statement]:
    """Ask what the fields of a row are evaluated to, those together that aggregate over the same
    path. What may not be needed is only found where it is, unless its path is gone along anyway.
    """
    grouped = {
        name: found
        for each in registry.plan().targets[shape.target]
        for name, found in each.grouped.items()
    }
    certain = [grouped[name].path for name, mask in shape.anew if mask[number] and name in grouped]
    together: dict[Path, dict[str, Any]] = {}
    apart: list[str] = []
    for name in variables:
        if name in grouped and grouped[name].path in certain:
            together.setdefault(grouped[name].path, {})[name] = grouped[name].expression
        else:
            apart.append(name)
    one, given = of_row(shape, number), Params(shape.target, number)
    chosen = chosen_plainly(one, given)
    for found in together.values():
        yield into(outer(annotated(chosen.values("pk"), found)), found, variables)
    if apart:
        _, values = asked(one, given, apart)
        yield into(annotated(chosen, values), values, variables)


def of_row(shape: Shape, number: int) -> Shape:
    """What is evaluated, or may be, in one of the rows."""
    return replace(
        shape,
        rows=1,
        deltas=(),
        fixed=(),
        anew=tuple((name, (True,)) for name, mask in shape.anew if mask[number]),
        extremes=tuple(
            replace(each, joined=(False,), left=(True,))
            for each in shape.extremes
            if each.left[number]
        ),
    )


def annotated(chosen: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
    names = {f"{COLUMN}{number}": value for number, value in enumerate(values.values())}
    return chosen.annotate(**names).values_list(*names)


def into(
    queryset: QuerySet[Any], names: Collection[str], variables: Mapping[str, Variable]
) -> Statement:
    """``queryset``: as ``annotated()`` names the columns. Behind these MariaDB is told where they
    go; at the end of a SELECT it would soon not take that any longer.
    """
    found = statements.select(queryset)
    last = f" AS {connections[found.using].ops.quote_name(f'{COLUMN}{len(names) - 1}')}"
    head, _, tail = found.sql.partition(last)
    taken = ", ".join(variables[name].name for name in names)
    return found.with_sql(f"{head}{last} INTO {taken}{tail}")


def per_row(given: Params, variables: Mapping[int, Variable]) -> Any:
    """The variable of the row at hand."""
    *others, (_, last) = variables.items()
    if not others:
        return last
    whens = (When(Q(pk=given.pk(number)), then=each) for number, each in others)
    return Case(*whens, default=last, output_field=last.output_field)
