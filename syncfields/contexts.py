"""``unsynced()``, the way out; ``coalesce()`` and ``flush()``, for many writes of few targets."""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial, wraps
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.utils.asyncio import async_unsafe

from syncfields.keep import engine
from syncfields.maintenance.base import Maintenance
from syncfields.transactions import pending, scope, turns
from syncfields.transactions.atomic import persistently
from syncfields.transactions.scope import Suspension
from syncfields.transactions.turns import Turn, carried_out

Function = TypeVar("Function", bound=Callable[..., Any])


class Block(ABC):
    """For ``with`` and ``async with``, and a decorator of functions and async functions."""

    @abstractmethod
    def anew(self) -> Block:
        """Another one that does the same, for one call of a function."""

    @abstractmethod
    def __enter__(self) -> None: ...

    @abstractmethod
    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Any: ...

    @abstractmethod
    async def __aenter__(self) -> None: ...

    @abstractmethod
    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> Any: ...

    def __call__(self, function: Function) -> Function:
        run: Any
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__qualname__}() is a generator, whose body runs when the block is over;"
                " write the block within it."
            )
        if iscoroutinefunction(function):

            @wraps(function)
            async def run(*args: Any, **kwargs: Any) -> Any:
                async with self.anew():
                    return await function(*args, **kwargs)
        else:

            @wraps(function)
            def run(*args: Any, **kwargs: Any) -> Any:
                with self.anew():
                    return function(*args, **kwargs)

        return run


def refuse_in_async_code(what: str) -> None:
    """Where a block begins and not where it ends: what was written would stay as it is."""
    async_unsafe(f"In async code write: async with {what}")(bool)()


class Unsynced(Block):
    def __init__(self, reconcile: bool) -> None:
        self.reconcile = reconcile
        self.suspension: Suspension | None = None

    def anew(self) -> Unsynced:
        return Unsynced(self.reconcile)

    def __enter__(self) -> None:
        if self.reconcile:
            refuse_in_async_code("unsynced(reconcile=True)")
        self.begin()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if touched := self.end():
            put_right(touched, error)

    async def __aenter__(self) -> None:
        self.begin()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if touched := self.end():
            await carried_out(sync_to_async(put_right)(touched, error))

    def begin(self) -> None:
        if self.suspension is not None:
            raise RuntimeError("This block has begun already; call unsynced() for each.")
        self.suspension = scope.suspend(self.reconcile)

    def end(self) -> Mapping[tuple[str, Maintenance], set[Any]]:
        """What is to be put right now; an outer block that does so gets it otherwise."""
        suspension, self.suspension = self.suspension, None
        assert suspension is not None
        return scope.resume(suspension)


def put_right(
    touched: Mapping[tuple[str, Maintenance], set[Any]], error: BaseException | None
) -> None:
    """Evaluate anew what was touched in a block, which an ``error`` may have ended."""
    with scope.repairs(), scope.resumed():
        for (using, maintenance), pks in engine.in_plan_order(touched):
            connection: Any = connections[using]
            if connection.needs_rollback:  # All that was written goes with the transaction.
                continue
            try:
                persistently(connection, partial(engine.evaluate, using, maintenance, pks))
            except DatabaseError:
                # PostgreSQL refuses all statements in a transaction that an error has ended.
                if error is None or not connection.needs_rollback:
                    raise


def unsynced(reconcile: bool = False) -> Unsynced:
    """Let writes pass without keeping any target, and let synced fields be written by hand.

    For ``with`` and ``async with``, and a decorator; it holds for the current thread or async task
    only, and for the tasks that it starts. What was written stays as it is until
    ``manage.py reconcile`` is run. With ``reconcile=True`` the targets that were touched, and no
    others, are put right on exit, also after an exception (that did not roll the writes back).
    Of blocks inside each other the outermost with ``reconcile=True`` does so.
    """
    return Unsynced(reconcile)


class Coalesce(Block):
    def __init__(self, using: str) -> None:
        self.using = using
        self.stack: ExitStack | None = None
        self.turn: Turn | None = None

    def anew(self) -> Coalesce:
        return Coalesce(self.using)

    def __enter__(self) -> None:
        refuse_in_async_code("coalesce()")
        self.begin()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return self.end(error)

    async def __aenter__(self) -> None:
        connection = await sync_to_async(connections.__getitem__)(self.using)
        turn = await turns.begin(connection)
        try:
            await carried_out(sync_to_async(self.begin)())
        except BaseException as error:
            if self.stack is not None and isinstance(error, asyncio.CancelledError):
                await carried_out(sync_to_async(self.end)(error))
            turns.end(turn)
            raise
        self.turn = turn

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        turn, self.turn = self.turn, None
        assert turn is not None

        async def end() -> bool:
            await turns.close(turn)
            return await sync_to_async(self.end)(error)

        try:
            return await carried_out(end())
        finally:
            turns.end(turn)

    def begin(self) -> None:
        if self.stack is not None:
            raise RuntimeError("This block has begun already; call coalesce() for each.")
        with ExitStack() as stack:
            stack.enter_context(transaction.atomic(using=self.using))
            waiting = pending.of(connections[self.using], engine.apply)
            stack.enter_context(pending.waiting(waiting))
            self.stack = stack.pop_all()

    def end(self, error: BaseException | None) -> bool:
        stack, self.stack = self.stack, None
        assert stack is not None
        if error is None:
            return bool(stack.__exit__(None, None, None))
        return bool(stack.__exit__(type(error), error, error.__traceback__))


def coalesce(using: str = DEFAULT_DB_ALIAS) -> Coalesce:
    """Sum what any number of writes does to each target, and write it once, at the end.

    For ``with`` and ``async with``, and a decorator. The block is a transaction (or a savepoint of
    the one around it), and an exception rolls it back. Targets are written in the order of their
    primary keys, each once; a value that comes out unchanged is not written. Until then they hold
    their old values: call ``flush()`` before reading one. Blocks can be nested; the outermost
    writes.

    The tasks of async code share one connection. So its blocks take turns, and what other tasks
    write in the meantime is part of the transaction.
    """
    return Coalesce(using)


@async_unsafe("In async code call aflush().")
def flush(using: str = DEFAULT_DB_ALIAS) -> None:
    """Write what waits, in ``coalesce()`` or with ``SYNCFIELDS["APPLY"] = "commit"``."""
    pending.of(connections[using], engine.apply).flush()


async def aflush(using: str = DEFAULT_DB_ALIAS) -> None:
    """``flush()`` for async code."""
    await carried_out(sync_to_async(flush)(using))
