"""What a write is stays as it is: mypy refuses to assign to it, and tells of an ignored error that
is none.
"""

from __future__ import annotations

from syncfields.maintenance.changes import Change, Held, Learnt


def assigned(change: Change, held: Held) -> None:
    change.kind = "delete"  # type: ignore[misc]
    change.values = {}  # type: ignore[misc]
    change.learnt = Learnt()  # type: ignore[misc]
    held.complete = True  # type: ignore[misc]


def learnt(change: Change) -> None:
    change.learnt.pks = [1]
    change.learnt.all_locked([1, 2])
