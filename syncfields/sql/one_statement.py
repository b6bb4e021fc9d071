"""UPDATEs of different tables as one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncfields.sql.once import once
from syncfields.sql.statements import Statement, Written


def as_one(parts: Sequence[Statement]) -> Statement:
    """UPDATEs of different tables as one statement, given the values of all, one after the other,
    as ``in_order()`` arranges them. It returns the number of rows that each has matched, and behind
    these the rows of the one that returns any.
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
    text = f"WITH {updates} SELECT {columns} FROM (SELECT {counts}) AS n{rows}"  # noqa: S608
    made = Statement(parts[0].using, text, [each for part in parts for each in part.params])
    made.given, place, number = [], 0, 0
    for part in parts:
        for param, key, places in part.given:
            made.given.append((param, key + number, [place + each for each in places]))
        place, number = place + len(part.params), number + part.width
    return made


def written_together(
    parts: Sequence[Statement], values: Sequence[Sequence[Any]], cursor: Any
) -> list[Written]:
    """Execute UPDATEs of different tables as one statement: what each says of its rows. One of them
    at the most may return any.
    """
    statement = once(("as one", *parts), lambda: as_one(parts))
    statement.execute(cursor, [each for given in values for each in given])
    rows = cursor.fetchall()
    width = len(parts)
    return [
        Written(number, [part.converted(row[width:], cursor.db) for row in rows if number])
        if part.selected
        else Written(number)
        for number, part in zip(rows[0], parts, strict=False)
    ]
