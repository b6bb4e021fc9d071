"""Effects that wait: summed for each target row, and applied once.

They belong to a transaction of one connection. An effect that was noted inside a savepoint must go
with it when it is rolled back; Django does just that with the functions given to ``on_commit()``,
so each effect leaves one there, and counts only as long as Django has kept it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from syncfields import conf
from syncfields.maintenance.base import Effects
from syncfields.paths import Model

ATTRIBUTE = "_syncfields_pending"


class Pending:
    """The effects that wait on one connection."""

    def __init__(self, using: str, apply: Callable[[str, Effects], None]) -> None:
        self.using = using
        self.apply = apply
        self.depth = 0
        self.applying = False
        self.noted: list[tuple[Callable[[], None], Effects]] = []

    def note(self, effects: Effects) -> None:
        def kept() -> None:
            """Stands in the list of functions to call after COMMIT, as a mark."""

        connection = connections[self.using]
        connection.on_commit(kept)
        self.noted.append((kept, effects))
        if not self.depth:
            self.apply_at_commit(connection)

    def apply_at_commit(self, connection: Any) -> None:
        # Django has hooks after COMMIT and none before it. ``commit()`` is what the outermost
        # atomic block calls, and nothing else in between; replaced on this connection, and until
        # this transaction ends, it concerns nobody who has no deltas waiting.
        def commit() -> None:
            del connection.commit
            connection.in_atomic_block = True
            try:
                self.flush()
            finally:
                connection.in_atomic_block = False
            connection.commit()

        if "commit" not in vars(connection):
            connection.commit = commit

    def flush(self) -> None:
        """Apply what waits. The values can then be read."""
        effects = self.take()
        self.applying, before = True, self.applying
        try:
            self.apply(self.using, effects)
        finally:
            self.applying = before

    def take(self) -> Effects:
        """All effects that no rollback has undone, as one."""
        marks = {function for _, function, *_ in connections[self.using].run_on_commit}
        total = Effects()
        for mark, effects in self.noted:
            if mark in marks:
                total.merge(effects)
        self.noted = []
        total.drop_zeros()
        return total

    def discard(self, target: Model, pks: Collection[Any], names: Collection[str]) -> None:
        """Forget the deltas of fields that are being evaluated anew."""
        for _, effects in self.noted:
            for pk in pks:
                for name in names:
                    effects.deltas[target][pk].pop(name, None)


def known(using: str) -> Pending | None:
    found: Pending | None = vars(connections[using]).get(ATTRIBUTE)
    return found


def of(using: str, apply: Callable[[str, Effects], None]) -> Pending:
    found = known(using)
    if found is None:
        found = Pending(using, apply)
        setattr(connections[using], ATTRIBUTE, found)
    return found


def waits(using: str) -> bool:
    """Whether effects are to wait now."""
    found = known(using)
    if found is not None and (found.depth or found.applying):
        return not found.applying
    return conf.apply() == "commit"


@contextmanager
def waiting(pending: Pending) -> Iterator[None]:
    pending.depth += 1
    try:
        yield
    finally:
        pending.depth -= 1
