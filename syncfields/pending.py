"""Effects that wait: summed for each target row, and applied once.

They belong to a transaction of one connection. An effect that was noted inside a savepoint must go
with it when it is rolled back; Django does just that with the functions given to ``on_commit()``,
so each effect leaves one there, and counts only as long as Django has kept it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from syncfields import conf
from syncfields.maintenance.base import Effects
from syncfields.paths import Model

ATTRIBUTE = "_syncfields_pending"


@dataclass(slots=True, eq=False)
class Entry:
    """Effects that wait, or a note that others before it wait no longer."""

    mark: Callable[[], None]
    effects: Effects
    applies: list[Entry] = field(default_factory=list)


class Pending:
    """The effects that wait on one connection."""

    def __init__(self, using: str, apply: Callable[[str, Effects], None]) -> None:
        self.using = using
        self.apply = apply
        self.depth = 0
        self.applying = False
        self.entries: list[Entry] = []

    def note(self, effects: Effects, applies: Sequence[Entry] = ()) -> None:
        def mark() -> None:
            """Stands in the list of functions to call after COMMIT, and does nothing there."""

        connection = connections[self.using]
        connection.on_commit(mark)
        self.entries.append(Entry(mark, effects, list(applies)))
        if not self.depth and not applies:
            self.apply_at_commit(connection)

    def apply_at_commit(self, connection: Any) -> None:
        # Django has hooks after COMMIT and none before it. ``commit()`` is what the outermost
        # atomic block calls, and nothing else in between; replaced on this connection, and until
        # its next COMMIT, it concerns nobody who has no deltas waiting.
        def commit() -> None:
            del connection.commit
            connection.in_atomic_block = True
            try:
                self.flush()
            except BaseException:
                # The atomic block itself would roll back after a DatabaseError only.
                connection.in_atomic_block = False
                connection.rollback()
                raise
            connection.in_atomic_block = False
            connection.commit()

        if "commit" not in vars(connection):
            connection.commit = commit

    def flush(self) -> None:
        """Apply what waits. The values can then be read."""
        waiting = self.waiting()
        if not waiting:
            return
        total = Effects()
        for entry in waiting:
            total.merge(entry.effects)
        total.drop_zeros()
        # A savepoint that is rolled back takes this note with it, and they wait again.
        self.note(Effects(), applies=waiting)
        self.applying, before = True, self.applying
        try:
            self.apply(self.using, total)
        finally:
            self.applying = before

    def waiting(self) -> list[Entry]:
        """The entries that no rollback has undone and no flush has applied."""
        kept = {function for _, function, *_ in connections[self.using].run_on_commit}
        self.entries = [entry for entry in self.entries if entry.mark in kept]
        applied = {id(done) for entry in self.entries for done in entry.applies}
        return [e for e in self.entries if id(e) not in applied and not e.applies]

    def discard(self, target: Model, pks: Collection[Any], names: Collection[str]) -> None:
        """Take back the deltas of fields that are being evaluated anew."""
        opposite = Effects()
        for entry in self.waiting():
            for pk in pks:
                for name, amount in entry.effects.deltas.get(target, {}).get(pk, {}).items():
                    if name in names:
                        opposite.add(target, pk, name, -amount)
        if opposite.deltas:
            self.note(opposite)


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
