"""MariaDB: several statements sent as one, a compound statement.

Each statement in it sees what one that is sent by itself would see: at READ COMMITTED all that was
committed before it began, also where a statement before it in the block has waited. No client needs
to be told that it may send several statements: for the server it is one::

    BEGIN NOT ATOMIC SELECT ... FOR UPDATE; SELECT ...; END
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections

from syncfields.sql.databases import takes_blocks
from syncfields.sql.locks import snapshot_is_old
from syncfields.sql.once import once
from syncfields.sql.statements import Row, Statement

BEGIN = "BEGIN NOT ATOMIC"
MATCHED = "_syncfields_matched"
"""A variable of the block: how many rows each UPDATE has matched, a digit for each."""
MOST_UPDATES = 18
"""So many digits it has."""


def can_read_both(using: str) -> bool:
    """Whether the second of two SELECTs sees what the first one has waited for."""
    return takes_blocks(using) and not snapshot_is_old(using)


def read_both(
    first: Statement, second: Statement, values: Mapping[str, Any], is_kept: bool
) -> tuple[list[Row], list[Row]]:
    """The rows of two SELECTs, of which the second one begins when the first one is done.
    ``is_kept``: whether the statements are compiled once.
    """
    both = once(("both", first, second), lambda: of_both(first, second)) if is_kept else None
    with connections[first.using].cursor() as cursor:
        (both or of_both(first, second)).execute(cursor, values)
        rows = [first.converted(row, cursor.db) for row in cursor.fetchall()]
        cursor.nextset()
        return rows, [second.converted(row, cursor.db) for row in cursor.fetchall()]


def of_both(first: Statement, second: Statement) -> Statement:
    made = first.with_sql(f"{BEGIN} {first.sql}; {second.sql}; END")
    return made.with_params([*first.params, *second.params])


def of_updates(parts: Sequence[Statement], numbers: Sequence[int]) -> str:
    """UPDATEs of so many rows each, nine at the most. Only if one has matched others, a row is
    returned, which says how many each has matched.
    """
    count = f"SET {MATCHED} = {MATCHED} * 10 + ROW_COUNT()"
    updates = " ".join(f"{part.sql}; {count};" for part in parts)
    expected = "".join(map(str, numbers))
    otherwise = f"IF {MATCHED} <> {expected} THEN SELECT {MATCHED}; END IF;"
    return f"{BEGIN} DECLARE {MATCHED} BIGINT DEFAULT 0; {updates} {otherwise} END"


def matched(cursor: Any, numbers: Sequence[int]) -> Sequence[int]:
    """How many rows each of the UPDATEs has matched."""
    if cursor.description is None:
        return numbers
    ((digits,),) = cursor.fetchall()
    return [int(each) for each in f"{digits:0{len(numbers)}}"]
