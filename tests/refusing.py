"""A database that refuses one of the statements of a write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection

from syncfields.explain.sent import is_of_transaction

DEADLOCK, GONE = (1213, "Deadlock found"), (2013, "Lost connection")


@contextmanager
def refused(number: int, *reason: object, kind: str = "") -> Iterator[None]:
    """The database refuses one statement, the one of that number, transaction commands apart.

    ``kind``: how those that count begin.
    """
    statements = iter(range(number + 1))

    def refuse(execute, sql, params, many, context):
        counts = sql.startswith(kind) and not is_of_transaction(sql)
        if counts and next(statements, None) == number:
            raise OperationalError(*reason)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield
