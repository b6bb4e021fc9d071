"""One transaction for a write and what follows from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from django.db import OperationalError, transaction

from syncfields.exceptions import in_one_line

logger = logging.getLogger("syncfields.retry")
Result = TypeVar("Result")
ATTEMPTS = 3
# Deadlocks and serialization errors: PostgreSQL's SQLSTATE, the numbers of MariaDB and MySQL.
REFUSALS = ("40P01", "40001", 1213, 1020)


class Joining:
    """What ``atomic(savepoint=False)`` is inside another atomic block, and no more: an exception
    dooms the transaction.
    """

    __slots__ = ("connection",)

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.connection.needs_rollback = True
            self.connection.rollback_exc = error


def together(connection: Any) -> AbstractContextManager[Any]:
    """One transaction for a write and what follows from it, without a savepoint."""
    if connection.in_atomic_block:
        return Joining(connection)
    return transaction.atomic(using=connection.alias, savepoint=False)


class Restorable(Protocol):
    """What a write changes in memory, which is as it was before the write is tried again."""

    def state(self) -> Any:
        """What it is now."""

    def restore(self, state: Any, /) -> None:
        """Let it be that again."""


def is_refusal(error: OperationalError) -> bool:
    """Whether the database has rolled a transaction back that would succeed another time."""
    state = getattr(error.__cause__, "sqlstate", None) or getattr(error.__cause__, "pgcode", None)
    return state in REFUSALS or error.args[:1] in [(code,) for code in REFUSALS]


def persistently(
    connection: Any,
    attempt: Callable[[], Result],
    changed: Sequence[Restorable] = (),
    within: Callable[[Any], AbstractContextManager[Any]] = together,
    passes: Callable[[OperationalError], bool] = is_refusal,
    failed: int = 0,
) -> Result:
    """Carry out ``attempt`` within one transaction, and again where that is the attempt's own, in
    autocommit mode, and the database has ended it because of another one: the attempt alone would
    have waited.

    ``within``: the transaction, if it does not begin its own. ``passes``: whether it is to be
    tried again after an error. ``failed``: attempts before these, for the log.
    """
    for number in range(1, ATTEMPTS if is_own(connection) else 1):
        states = [each.state() for each in changed]
        try:
            with within(connection):
                return attempt()
        except OperationalError as error:
            if not passes(error):
                raise
            tell(connection.alias, failed + number, error)
        for each, state in zip(changed, states, strict=True):
            each.restore(state)
    with within(connection):
        return attempt()


def tell(using: str, attempt: int, error: BaseException) -> None:
    """Tell the log that an attempt has failed, and that there is going to be another one."""
    extra = {"database": using, "attempt": attempt, "error": in_one_line(error)}
    logger.info("Tried again: attempt %d has failed: %s", attempt, extra["error"], extra=extra)


def is_own(connection: Any) -> bool:
    """Whether a transaction that is begun now ends with what it is begun for."""
    if connection.connection is None:  # The attribute says nothing yet.
        connection.ensure_connection()
    return bool(connection.autocommit and not connection.in_atomic_block)
