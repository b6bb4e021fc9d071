"""Which statements were sent: each as its verb and its table, ``UPDATE testapp_post``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections, models
from django.test.utils import CaptureQueriesContext

TABLE = re.compile(r"(?:UPDATE|INSERT INTO|DELETE FROM|FROM)\s+[`\"]?(\w+)", re.IGNORECASE)
INSIDE = re.compile(r"\((UPDATE|DELETE) ")
TRANSACTION = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "START", "SET")


class Statements(list[str]):
    """What was sent, transaction commands apart."""

    sql: list[str]

    def updates(self, model: type[models.Model]) -> int:
        return self.count(f"UPDATE {model._meta.db_table}")


def shape(sql: str) -> str:
    """The verb and the table; a SELECT is named by the table that it reads first, and ``WITH`` by
    what is written in it, if anything is.
    """
    verb = sql.split(None, 1)[0].upper()
    if verb == "WITH":
        inside = INSIDE.search(sql)
        verb = inside[1] if inside else "SELECT"
    found = TABLE.search(sql)
    return f"{verb} {found[1]}" if found else verb


@contextmanager
def sent(using: str = "default") -> Iterator[Statements]:
    """The statements sent within the block."""
    statements = Statements()
    with CaptureQueriesContext(connections[using]) as context:
        yield statements
    statements.sql = [
        query["sql"]
        for query in context.captured_queries
        if not query["sql"].lstrip().upper().startswith(TRANSACTION)
    ]
    statements += map(shape, statements.sql)


def number_of_statements(write: Callable[[], object]) -> int:
    with sent() as statements:
        write()
    return len(statements)
