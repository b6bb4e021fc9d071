"""A comment in front of the statements that the library sends, for those who read them elsewhere.

It is no part of the statements that are compiled: each connection has a wrapper that is asked for
each statement, and only where ``SYNCFIELDS["LABEL_SQL"]`` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from syncfields import conf
from syncfields.explain.sent import LABEL, ROWS, is_of_transaction, is_ours


def label(execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
    """Send a statement of the library's with the comment, and any other one as it is."""
    if isinstance(sql, str) and not is_of_transaction(sql) and not is_write_of_rows(sql):
        sql = f"{LABEL}{sql}" if is_ours() else sql
    return execute(sql, *rest)


def is_write_of_rows(sql: str) -> bool:
    """No row but the user's is inserted or deleted, also where the library sends the statement."""
    return sql.startswith(ROWS)


def connect() -> None:
    """At start-up: what is not asked for is not there."""
    if conf.label_sql():
        connection_created.connect(enter)
        for connection in connections.all(initialized_only=True):
            enter(connection)


def disconnect() -> None:
    connection_created.disconnect(enter)
    for connection in connections.all(initialized_only=True):
        if label in connection.execute_wrappers:
            connection.execute_wrappers.remove(label)


def enter(connection: Any, **kwargs: Any) -> None:
    """In front: who is within a block of a wrapper of his own takes the last one off at its end."""
    if label not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, label)
