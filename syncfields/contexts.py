"""``unsynced()``: the way out, for data repair and imports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncfields import engine, scope


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
            for (using, maintenance), pks in engine.in_plan_order(inner.touched):
                engine.recompute(using, maintenance, pks)
