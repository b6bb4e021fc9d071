"""UPDATEs of different tables as one statement, for databases that take them so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncfields.sql import blocks
from syncfields.sql.databases import takes_blocks, vendor_of
from syncfields.sql.once import kept, once
from syncfields.sql.statements import Statement, Written


@kept
def is_possible(using: str) -> bool:
    return vendor_of(using) == "postgresql" or takes_blocks(using)


def as_one(parts: Sequence[Statement], numbers: Sequence[int]) -> Statement:
    """UPDATEs of different tables, of so many rows, as one statement, given the values of all, one
    after the other, as ``in_order()`` arranges them.
    """
    using = parts[0].using
    text = blocks.of_updates(parts, numbers) if takes_blocks(using) else of_parts(parts)
    made = Statement(using, text, [each for part in parts for each in part.params])
    made.given, place, number = [], 0, 0
    for part in parts:
        for param, key, places in part.given:
            made.given.append((param, key + number, [place + each for each in places]))
        place, number = place + len(part.params), number + part.width
    return made


def of_parts(parts: Sequence[Statement]) -> str:
    """PostgreSQL: parts of one SELECT, which returns the number of rows that each has matched, and
    behind these the rows of the one that returns any.
    """
    names = [f"w{number}" for number, _ in enumerate(parts)]
    returning = [name for name, part in zip(names, parts, strict=True) if part.selected]
    updates = ", ".join(
        f"{name} AS ({part.sql}{'' if part.selected else ' RETURNING 1'})"
        for name, part in zip(names, parts, strict=True)
    )
    counts = ", ".join(f"(SELECT COUNT(*) FROM {name})" for name in names)  # noqa: S608
    rows = "".join(f" LEFT JOIN {name} ON TRUE" for name in returning)
    columns = ", ".join(f"{name}.*" for name in ["n", *returning])
    return f"WITH {updates} SELECT {columns} FROM (SELECT {counts}) AS n{rows}"  # noqa: S608


def written_together(
    parts: Sequence[Statement],
    numbers: Sequence[int],
    values: Sequence[Sequence[Any]],
    cursor: Any,
) -> list[Written]:
    """Execute UPDATEs of different tables as one statement: what each says of its rows, of which
    there should be so many. One of them at the most may return any.
    """
    statement = once(("as one", *parts, *numbers), lambda: as_one(parts, numbers))
    statement.execute(cursor, [each for given in values for each in given])
    if takes_blocks(parts[0].using):
        return [Written(number) for number in blocks.matched(cursor, numbers)]
    rows = cursor.fetchall()
    width = len(parts)
    return [
        Written(number, [part.converted(row[width:], cursor.db) for row in rows if number])
        if part.selected
        else Written(number)
        for number, part in zip(rows[0], parts, strict=False)
    ]
