"""Effects that wait: summed for each target row, and applied once.

They belong to a transaction of one connection. What was noted since a savepoint must go with it
when it is rolled back. Django has no hook there and none before COMMIT, so while effects wait the
methods ``savepoint()``, ``savepoint_rollback()`` and ``commit()`` of that one connection are
replaced; they are what ``atomic`` and the functions of ``django.db.transaction`` call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from syncfields import conf
from syncfields.declare.paths import Model
from syncfields.maintenance.base import Deltas, Effects
from syncfields.transactions.atomic import Joining

ATTRIBUTE = "_syncfields_pending"


class Pending:
    """The effects that wait on one connection."""

    def __init__(self, connection: Any, apply: Callable[[str, Effects], None]) -> None:
        self.connection = connection
        self.apply = apply
        self.depth = 0
        self.applying = False
        self.log: list[Effects | None] = []
        """What was noted since each savepoint. None: everything before it has been applied."""
        self.places: dict[str, int] = {}
        """How long the log was at each savepoint."""
        self.transaction: Any = None
        self.afterwards: list[Callable[[], None]] = []
        """What is to be done when the effects have been applied."""

    @property
    def waits(self) -> bool:
        return not self.applying and (self.depth > 0 or conf.apply() == "commit")

    def effects(self) -> Effects:
        """The effects that wait, to add to."""
        if self.is_over():
            self.begin()
        if not self.log or self.log[-1] is None:
            self.log.append(Effects())
        found = self.log[-1]
        assert found is not None
        return found

    def is_over(self) -> bool:
        """Whether the transaction that the log belongs to has ended."""
        # Django makes a new list with each COMMIT, ROLLBACK and lost connection.
        return self.transaction is not self.connection.run_on_commit

    def begin(self) -> None:
        self.forget()
        self.transaction = self.connection.run_on_commit
        for name in ("savepoint", "savepoint_rollback", "commit"):
            setattr(self.connection, name, getattr(self, name))

    def end(self) -> None:
        """Nothing waits any longer, nor will."""
        self.forget()
        for name in ("savepoint", "savepoint_rollback", "commit"):
            vars(self.connection).pop(name, None)

    def forget(self) -> None:
        self.log, self.places, self.transaction = [], {}, None
        self.afterwards.clear()

    def savepoint(self) -> Any:
        sid = type(self.connection).savepoint(self.connection)
        # Django makes none, and gives None, outside atomic blocks on SQLite.
        if sid is not None and not self.is_over():
            self.places[sid] = len(self.log)
            self.log.append(Effects())
        return sid

    def savepoint_rollback(self, sid: str) -> None:
        over, before = self.is_over(), self.connection.run_on_commit
        type(self.connection).savepoint_rollback(self.connection, sid)
        # Nothing was undone where Django makes no savepoints: it then keeps its list, too.
        if not over and self.connection.run_on_commit is not before:
            self.transaction = self.connection.run_on_commit
            # A savepoint that is not known was made before anything waited.
            del self.log[self.places.get(sid, 0) :]
            self.log.append(Effects())

    def commit(self) -> None:
        connection, inside = self.connection, self.connection.in_atomic_block
        connection.in_atomic_block = True
        try:
            self.flush()
        except BaseException:
            # The atomic block itself would roll back after a DatabaseError only.
            connection.in_atomic_block = inside
            connection.rollback()
            self.end()
            raise
        connection.in_atomic_block = inside
        self.end()
        connection.commit()

    def flush(self) -> None:
        """Apply what waits. The values can then be read."""
        waiting, total = self.waiting(), Effects()
        if not waiting:
            return
        for effects in waiting:
            total.merge(effects)
        total.drop_zeros()
        # A savepoint that is rolled back takes this note with it, and they wait again.
        self.log.append(None)
        self.applying, before = True, self.applying
        try:
            # Who catches an exception must not commit one half of it.
            with Joining(self.connection):
                self.apply(self.connection.alias, total)
        finally:
            self.applying = before
        afterwards, self.afterwards = self.afterwards, []
        for act in afterwards:
            act()

    def waiting(self) -> list[Effects]:
        """What no rollback has undone and no flush has applied."""
        found: list[Effects] = []
        for effects in () if self.is_over() else reversed(self.log):
            if effects is None:
                break
            found.append(effects)
        return found[::-1]

    def spare(self, target: Model, pks: Collection[Any]) -> None:
        """Write nothing of what waits to targets that are deleted."""
        if self.waiting():
            self.effects().spare(target, pks)

    def discard(self, target: Model, pks: Collection[Any], names: Collection[str]) -> None:
        """Take back the deltas of fields that are being evaluated anew."""
        amounts: Deltas = defaultdict(dict)
        for effects in self.waiting():
            spared, deltas = effects.spared.get(target, ()), effects.deltas.get(target, {})
            for pk in pks:
                if pk in spared:
                    amounts.pop(pk, None)
                for name, amount in deltas.get(pk, {}).items():
                    if name in names:
                        amounts[pk][name] = amounts[pk].get(name, 0) + amount
        for pk, row in amounts.items():
            for name, amount in row.items():
                self.effects().add(target, pk, name, -amount)


def known(connection: Any) -> Pending | None:
    found: Pending | None = getattr(connection, ATTRIBUTE, None)
    return found


def flush_all() -> None:
    """By the plan that it was noted by, before there is another."""
    for connection in connections.all(initialized_only=True):
        if (waiting := known(connection)) is not None:
            waiting.flush()


def of(connection: Any, apply: Callable[[str, Effects], None]) -> Pending:
    found = known(connection)
    if found is None:
        found = Pending(connection, apply)
        setattr(connection, ATTRIBUTE, found)
    return found


def waits(connection: Any) -> bool:
    """Whether effects are to wait now."""
    found = known(connection)
    return conf.apply() == "commit" if found is None else found.waits


@contextmanager
def waiting(pending: Pending) -> Iterator[None]:
    """Let the effects of the block wait, and apply them at its end; not after an exception."""
    if not pending.depth and pending.is_over():
        pending.begin()
    pending.depth += 1
    try:
        yield
    finally:
        pending.depth -= 1
    if not pending.depth:
        pending.flush()
        if conf.apply() != "commit":
            pending.end()
