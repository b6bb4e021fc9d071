"""Which statements are sent: each as its verb and its table, ``UPDATE blog_post``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal

from syncfields.capture.wrapping import ORIGINALS
from syncfields.sql import blocks

SCHEMA = r"(?:[`\"]?\w+[`\"]?\.)?"
VERBS = r"(?:UPDATE|INSERT INTO|DELETE FROM|FROM|JOIN)"
TABLE = re.compile(rf"{VERBS}\s+{SCHEMA}[`\"]?(\w+)", re.IGNORECASE)
INSIDE = re.compile(rf"[(;]\s*(UPDATE|DELETE)(?:\s+FROM)?\s+{SCHEMA}[`\"]?(\w+)")
TRANSACTION = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "START", "SET")
ROWS = ("INSERT", "DELETE")
LABEL = "/* syncfields */ "
PACKAGE = "syncfields."
LOOKING = (__name__, "syncfields.explain.labels")
"""Wrappers of statements, which are asked by whatever sends one."""
CALLING = ("syncfields.explain.recording", "syncfields.explain.writes", "syncfields.contexts")
"""They call what writes as the user does, or the user's own function, and send nothing else."""
HOOKS = {
    each.__code__
    for each in (Signal.send, Signal.send_robust, BaseDatabaseWrapper.run_and_clear_commit_hooks)
}
"""What calls the user's code. Ours would be met before it."""


class Sent(NamedTuple):
    sql: str
    ours: bool
    """It is the library that asked for it."""


def shape(sql: str) -> str:
    """The verb and the table; a SELECT is named by the table that it reads first, and ``WITH``, or
    a block of MariaDB's, by what is written in it, if anything is, which may be several tables.
    """
    verb = sql.split(None, 1)[0].upper()
    if verb == "WITH" or sql.startswith(blocks.BEGIN):
        if inside := INSIDE.findall(sql):
            return f"{inside[0][0]} {', '.join(table for _, table in inside)}"
        verb = "SELECT"
    found = TABLE.search(sql)
    return f"{verb} {found[1]}" if found else verb


def is_of_transaction(sql: str) -> bool:
    text = sql.lstrip().upper()
    return text.startswith(TRANSACTION) and not text.startswith(blocks.BEGIN)


def is_ours() -> bool:
    """Whether the statement that is about to be sent is the library's: one of its modules asks for
    it, other than by a method of Django's own that the library has replaced.
    """
    frame: FrameType | None = sys._getframe(1)
    inner: FrameType | None = None
    while frame is not None and frame.f_code not in HOOKS:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(PACKAGE) and name not in LOOKING:
            by_django = name in CALLING or (inner is not None and inner.f_code in ORIGINALS)
            return not by_django
        frame, inner = frame.f_back, frame
    return False


@contextmanager
def recorded(using: str) -> Iterator[list[Sent]]:
    """What is sent within the block, in its order, transaction commands apart."""
    found: list[Sent] = []

    def note(execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
        if not is_of_transaction(text := str(sql).removeprefix(LABEL)):
            found.append(Sent(text, is_ours()))
        return execute(sql, *rest)

    with connections[using].execute_wrapper(note):
        yield found
