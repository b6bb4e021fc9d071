"""Exceptions that a database may answer a transaction with, by what they mean."""

from __future__ import annotations

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, Error

from syncfields.reconcile import Interrupted

MEANINGS = {
    # PostgreSQL names them by SQLSTATE.
    "40P01": "deadlock",
    "40001": "serialization error",
    "55P03": "lock time-out",
    "23503": "refused",  # foreign key
    "23505": "refused",  # unique
    "23502": "refused",  # NULL: nothing to copy, because the parent is gone
    # MariaDB and MySQL number them.
    1213: "deadlock",
    1205: "lock time-out",
    1020: "serialization error",
    1451: "refused",  # foreign key
    1452: "refused",
    1062: "refused",  # unique
    1048: "refused",  # NULL
    # SQLite has nothing but words.
    "database is locked": "lock time-out",
    "FOREIGN KEY constraint failed": "refused",
    "UNIQUE constraint failed": "refused",
    "NOT NULL constraint failed": "refused",
}
SQLITE = [key for key in MEANINGS if isinstance(key, str) and " " in key]
TRANSIENT = ("deadlock", "serialization error", "lock time-out")


def meaning(error: BaseException) -> str | None:
    """One of "deadlock", "serialization error", "lock time-out", or "refused".

    Refused is what another process made impossible: the row is gone, the parent is gone, the
    unique value is taken. None: the exception should not have happened. A reconcile means what has
    stopped it.
    """
    if isinstance(error, Interrupted) and error.__cause__ is not None:
        return meaning(error.__cause__)
    if isinstance(error, ObjectDoesNotExist) or "did not affect any rows" in str(error):
        return "refused"
    if not isinstance(error, (DatabaseError, Error)):
        return None
    code = error.args[0] if error.args else None
    if isinstance(code, int):  # MariaDB's own; PyMySQL knows a SQLSTATE, too, that says less.
        return MEANINGS.get(code)
    state = getattr(error.__cause__, "sqlstate", None)
    if state is not None:
        return MEANINGS.get(state)
    return next((MEANINGS[text] for text in SQLITE if text in str(error)), None)
