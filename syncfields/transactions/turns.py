"""Async blocks that are transactions: on one connection one after the other, or one in the other.

All tasks share the thread in which Django's async methods work, and so its connection. Its
transactions and savepoints are nested: who began last ends first. So a task waits until the block
of another one is over; within a block, what the tasks begin that it has started takes turns too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TypeVar

Result = TypeVar("Result")
ATTRIBUTE = "_syncfields_turn"


class Turn:
    """Within it, one block at a time."""

    def __init__(self, outer: Turn | None = None) -> None:
        self.outer = outer
        self.loop = asyncio.get_running_loop()
        self.lock = asyncio.Lock()
        self.over = False


_turns: ContextVar[Mapping[Any, Turn]] = ContextVar(
    "syncfields_turns", default=MappingProxyType({})
)


def current(connection: Any) -> Turn:
    """That of the innermost block around this task that is not over; else the connection's."""
    found = _turns.get().get(connection)
    while found is not None and found.over:
        found = found.outer
    if found is None:
        found = getattr(connection, ATTRIBUTE, None)
        if found is None or found.loop is not asyncio.get_running_loop():
            found = Turn()
            setattr(connection, ATTRIBUTE, found)
    return found


async def begin(connection: Any) -> Turn:
    """Wait for one's turn; the turn of what is within the block."""
    while True:
        outer = current(connection)
        await outer.lock.acquire()
        if not outer.over:
            break
        outer.lock.release()
    inner = Turn(outer)
    _turns.set({**_turns.get(), connection: inner})
    return inner


async def close(turn: Turn) -> None:
    """Let no block begin within it any more, when those that have are over."""
    async with turn.lock:
        turn.over = True


def end(turn: Turn) -> None:
    """Let the next one begin."""
    turn.over = True
    if turn.outer is not None:
        turn.outer.lock.release()
    _turns.set({each: held for each, held in _turns.get().items() if held is not turn})


async def carried_out(work: Coroutine[Any, Any, Result]) -> Result:
    """Await something to its end, also where the task is cancelled: that is raised afterwards."""
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and not (task.cancelled() or task.exception()):
        raise cancelled
    return task.result()
