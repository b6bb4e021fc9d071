"""Who refers to a row that is not there, and who inserts it, wait for each other.

Neither sees what the other one has not committed: the one would find no row to count in, and the
other one nothing to count. InnoDB lets each wait for the rows that the other has written, when it
reads with locks. PostgreSQL passes over them. There the two meet in an advisory lock of the key,
which ends with the transaction. Many may insert rows at the same time, and few ever refer to one
that is not there: so these lock exclusively, and the others share.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Any

from django.db import connections

from syncfields.declare.paths import Model, column
from syncfields.sql.databases import vendor_of
from syncfields.sql.rows import as_one

LOCKS = 256
"""So many at most for each table, as the server has memory for some thousands: keys share them."""


def expect(using: str, model: Model, name: str, keys: Collection[Any]) -> None:
    """Before rows with these keys are inserted: wait for all who found them absent."""
    lock(using, model, name, keys, "pg_advisory_xact_lock_shared")


def wait(using: str, model: Model, name: str, keys: Collection[Any]) -> None:
    """Where rows with these keys are not found: wait for all who insert them. Then look again."""
    lock(using, model, name, keys, "pg_advisory_xact_lock")


def lock(using: str, model: Model, name: str, keys: Collection[Any], function: str) -> None:
    if not keys or vendor_of(using) != "postgresql":
        return
    field, connection = column(model, name), connections[using]
    kind = field.rel_db_type(connection)
    # As text, the database writes equal keys alike, whatever they were given as.
    numbers = (
        f"SELECT DISTINCT hashtext(key::text) & {LOCKS - 1} AS number"  # noqa: S608
        f" FROM unnest(%s::{kind}[]) AS key ORDER BY number"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {function}(%s, number) FROM ({numbers}) AS numbers",  # noqa: S608
            [of_column(model, name), as_one(list(keys), field, connection)],
        )


def of_column(model: Model, name: str) -> int:
    """A number of 32 bits, with a sign."""
    return zlib.crc32(f"{model._meta.db_table}.{name}".encode()) - 2**31
