"""UPDATEs of several target tables as one statement.

Where all rows are locked, it does not matter in which order they are written, unless one table
reads another one. PostgreSQL takes them as parts of one statement, in one round trip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncfields.declare.paths import Model
from syncfields.keep.follows import Follows, follow_up, what_follows
from syncfields.maintenance.base import Effects
from syncfields.maintenance.changes import Held
from syncfields.plan import registry
from syncfields.sql.databases import vendor_of
from syncfields.sql.statements import Statement, written_together
from syncfields.targets import evaluating, writing
from syncfields.targets.updates import Update, following


class Together:
    """UPDATEs that wait to be sent as one statement."""

    def __init__(self, using: str, effects: Effects, held: Held, cursor: Any) -> None:
        self.using = using
        self.effects = effects
        self.held = held
        self.cursor = cursor
        self.is_possible = held.complete and cursor is not None and vendor_of(using) == "postgresql"
        self.updates: list[tuple[Update, Follows | None, Statement, Sequence[Any]]] = []
        self.read_by: set[Model] = set()
        """The targets that read what is written, and those that are: of each row only one UPDATE of
        a statement takes place."""

    def is_read_by(self, target: Model) -> bool:
        return target in self.read_by

    def takes(self, update: Update) -> bool:
        """Let an UPDATE wait, if it can go with others."""
        target = update.target
        if not self.is_possible or not self.held.has(target, update.pks):
            return False
        follows = what_follows(self.using, update)
        returned = () if follows is None else follows.returned
        found = writing.of_few(self.using, update, returned)
        if found is None or (follows is not None and follows.others):
            return False
        if returned and any(each and each.returned for _, each, _, _ in self.updates):
            return False
        if update.evaluates:
            writing.prepared(self.using, update, self.held)
        self.updates.append((update, follows, *found))
        self.read_by |= following(registry.plan())[target] | {target}
        return True

    def write(self) -> None:
        updates, self.updates, self.read_by = self.updates, [], set()
        if len(updates) == 1:
            ((update, follows, statement, values),) = updates
            sent = [statement.written_with(values, self.cursor)]
        else:
            statements, values = zip(*(each[2:] for each in updates), strict=True)
            sent = written_together(statements, values, self.cursor)
        for (update, follows, _, _), written in zip(updates, sent, strict=True):
            outcome = evaluating.outcome(self.using, update, written)
            if follows is not None:
                follow_up(self.using, update, follows, outcome, self.effects, self.held)
