"""Which rows of which targets a transaction has written: told once, after COMMIT.

Django calls after COMMIT what was registered by ``on_commit()``, and drops what was registered
since a savepoint that is rolled back. So what is written since each savepoint is noted by itself,
and the first note that is called tells of all that are left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db import connections

from syncfields.declare.paths import Model
from syncfields.plan import registry
from syncfields.signals import synced
from syncfields.targets.updates import sorted_pks

ATTRIBUTE = "_syncfields_notes"


class Note:
    """What was written since a savepoint."""

    def __init__(self, connection: Any, savepoints: Collection[str]) -> None:
        self.connection = connection
        self.savepoints = savepoints
        self.pks: dict[Model, set[Any]] = defaultdict(set)
        self.names: dict[Model, set[str]] = defaultdict(set)
        self.is_over = False
        """The savepoint is rolled back, or it is told."""

    def __call__(self) -> None:
        if not self.is_over:
            tell(self.connection)


class Savepoints(set[str]):
    """Those that a note was made within. Django asks, when one is rolled back, whether it is among
    them, and nothing else tells that it drops what was registered.
    """

    def __init__(self, savepoints: Iterable[str], note: Note) -> None:
        super().__init__(savepoints)
        self.note = note

    def __contains__(self, savepoint: object) -> bool:
        found = super().__contains__(savepoint)
        self.note.is_over |= found
        return found


def is_heard(target: Model) -> bool:
    """Whether anybody wants to know. Nobody knows the models of a migration."""
    return (
        bool(synced.receivers) and target in registry.plan().owned and synced.has_listeners(target)
    )


def note(using: str, target: Model, pks: Collection[Any], names: Iterable[str]) -> None:
    """Synced fields, by attribute name, are written to rows of a target."""
    if pks and is_heard(target):
        found = current(connections[using])
        found.pks[target].update(pks)
        found.names[target].update(names)


def current(connection: Any) -> Note:
    """The note of all that is written since the last savepoint."""
    notes = notes_of(connection)
    within = {each for each in connection.savepoint_ids if each is not None}
    for known in notes:
        if known.savepoints == within:
            return known
    made = Note(connection, within)
    notes.append(made)
    connection.on_commit(made)
    _, *rest = connection.run_on_commit.pop()
    connection.run_on_commit.append((Savepoints(within, made), *rest))
    return made


def notes_of(connection: Any) -> list[Note]:
    """The notes of this transaction that are not rolled back."""
    found: list[Note] = [each for each in vars(connection).get(ATTRIBUTE, ()) if not each.is_over]
    if found and not any(each is found[0] for _, each, *_ in connection.run_on_commit):
        found = []  # They are those of another one.
    vars(connection)[ATTRIBUTE] = found
    return found


def tell(connection: Any) -> None:
    pks: dict[Model, set[Any]] = defaultdict(set)
    names: dict[Model, set[str]] = defaultdict(set)
    for each in vars(connection).pop(ATTRIBUTE):
        if not each.is_over:
            each.is_over = True
            for target, written in each.pks.items():
                pks[target] |= written
                names[target] |= each.names[target]
    for target, written in pks.items():
        rules = registry.plan().owned.get(target, {})
        fields = frozenset(rules[name].field_name for name in names[target] if name in rules)
        using = connection.alias
        synced.send_robust(sender=target, pks=sorted_pks(written), fields=fields, using=using)
