"""``unsynced()``, the way out; ``coalesce()`` and ``flush()``, for many writes of few targets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from syncfields import engine, pending, scope


@contextmanager
def unsynced(reconcile: bool = False) -> Iterator[None]:
    """Let writes pass without keeping any target, and let synced fields be written by hand.

    A context manager and a decorator; it holds for the current thread or async task only. What
    was written stays as it is until ``manage.py reconcile`` is run. With ``reconcile=True`` the
    targets that were touched, and no others, are put right on exit, also after an exception (that
    did not roll the writes back). ``unsynced()`` inside ``unsynced()`` reports to the outer one.
    """
    outer = scope.suspended()
    try:
        with scope.suspension(reconcile or (outer is not None and outer.noting)) as inner:
            yield
    finally:
        if outer is not None:
            for key, pks in inner.touched.items():
                outer.touched[key] |= pks
        else:
            with scope.repairs():
                for (using, maintenance), pks in engine.in_plan_order(inner.touched):
                    engine.evaluate(using, maintenance, pks)


@contextmanager
def coalesce(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Sum what any number of writes does to each target, and write it once, at the end.

    The block is a transaction (or a savepoint of the one around it), and an exception rolls it
    back. Targets are written in the order of their primary keys, each once; a value that comes out
    unchanged is not written. Until then they hold their old values: call ``flush()`` before
    reading one. Blocks can be nested; the outermost writes.
    """
    with (
        transaction.atomic(using=using),
        pending.waiting(pending.of(connections[using], engine.apply)),
    ):
        yield


def flush(using: str = DEFAULT_DB_ALIAS) -> None:
    """Write what waits, in ``coalesce()`` or with ``SYNCFIELDS["APPLY"] = "commit"``."""
    pending.of(connections[using], engine.apply).flush()
