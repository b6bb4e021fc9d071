"""UPDATEs of several target tables as one statement.

Where all rows are locked, it does not matter in which order they are written, unless one table
reads another one. PostgreSQL takes them as parts of one statement, MariaDB as a block of them: in
one round trip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from syncfields.declare.paths import Model
from syncfields.keep.follows import Follows, follow_up, what_follows
from syncfields.maintenance.base import Effects
from syncfields.maintenance.changes import Held
from syncfields.plan import registry
from syncfields.programs import chains
from syncfields.sql.blocks import MOST_UPDATES
from syncfields.sql.one_statement import is_possible, written_together
from syncfields.sql.statements import Statement
from syncfields.targets import evaluating, writing
from syncfields.targets.updates import Update, following


class Together:
    """UPDATEs that wait to be sent as one statement."""

    def __init__(self, using: str, effects: Effects, held: Held, cursor: Any) -> None:
        self.using = using
        self.effects = effects
        self.held = held
        self.cursor = cursor
        self.is_possible = held.complete and cursor is not None and is_possible(using)
        self.updates: list[Waiting] = []
        self.barred: set[Model] = set()
        """The targets that are written, each of which only once in one statement, and those that it
        is not yet known of what follows for them."""
        self.read_by: set[Model] = set()
        """The targets that may read what is written, when they are evaluated."""

    def takes(self, update: object) -> bool:
        """Let an UPDATE wait, if it is one that can go with others."""
        held = self.held
        if not isinstance(update, Update) or not held.has(target := update.target, update.pks):
            return False
        if len(self.updates) == MOST_UPDATES:
            return False
        follows = what_follows(self.using, update)
        if follows is not None and follows.others:
            return False
        keys = None
        if follows is not None:
            keys = chains.keys_held(update, chains.keys_in(follows.adding), held)
        returned = () if follows is None or keys is not None else follows.returned
        found = writing.of_few(self.using, update, returned, locked=True)
        if found is None or (returned and any(each.statement.selected for each in self.updates)):
            return False
        if update.evaluates:
            if target in self.read_by:
                return False
            writing.prepared(self.using, update, held)
        self.updates.append(Waiting(update, follows, *found, is_added=keys is not None))
        readers = following(registry.plan())[target]
        self.read_by |= readers
        self.barred.add(target)
        if follows is not None and keys is not None:
            chains.add_by_keys(update, follows.adding, keys, self.effects)
        else:
            self.barred |= readers
        return True

    def write(self) -> None:
        sent, self.updates = self.updates, []
        self.barred, self.read_by = set(), set()
        statements, values = [each.statement for each in sent], [each.values for each in sent]
        if len(sent) == 1 and not writing.asks_before(self.using, sent[0].update):
            written = [statements[0].written_with(values[0], self.cursor)]
        else:
            numbers = [len(each.update.pks) for each in sent]
            written = written_together(statements, numbers, values, self.cursor)
        for each, said in zip(sent, written, strict=True):
            update, follows = each.update, each.follows
            outcome = evaluating.outcome(self.using, update, said)
            if follows is not None and not (each.is_added and outcome.whole):
                follow_up(self.using, update, follows, outcome, self.effects, self.held)


@dataclass(frozen=True, slots=True)
class Waiting:
    update: Update
    follows: Follows | None
    statement: Statement
    values: Sequence[Any]
    is_added: bool
    """Whether what follows by addition is known before the UPDATE is sent."""
