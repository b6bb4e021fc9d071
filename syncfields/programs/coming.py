"""What one row is going to be, asked before it is written: what it will contribute
(``beforehand.py``), and what its own copies become, which its UPDATE writes with the rest.

Both are parts of one statement, which asks something else of the row as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connections

from syncfields.declare.paths import Model, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change
from syncfields.maintenance.copies import Copy
from syncfields.plan.routes import is_read
from syncfields.programs.beforehand import Beforehand, row_after
from syncfields.programs.chosen import Asked
from syncfields.programs.first_values import FirstValue, FirstValues
from syncfields.programs.order import comes_to_be_connected
from syncfields.programs.ways import Known, Way
from syncfields.sql.holding import UNKNOWN
from syncfields.sql.once import once
from syncfields.sql.plain import is_unclear
from syncfields.sql.proven import compiles_alike


class Coming:
    """What is asked, and what was answered."""

    def __init__(
        self,
        using: str,
        change: Change,
        contributes: Beforehand | None = None,
        becomes: Sequence[FirstValue] = (),
    ) -> None:
        self.using = using
        self.change = change
        self.contributes = contributes
        self.becomes = becomes
        self.asked: Beforehand | FirstValues | None = None
        """What a statement is made of that is yet to be answered."""
        self.given: dict[Maintenance, dict[str, Any]] = {}
        """What its own copies become."""

    @property
    def asks(self) -> bool:
        """Whether there is anything that was not asked before."""
        return bool(self.becomes) or (self.contributes is not None and not self.contributes.known)

    def ask(self, locked: Collection[Model] | None) -> Asked | None:
        """A part of another statement; ``take()`` takes what that returns. ``locked``: the tables
        of which the rows are locked, and no others may be read; None where there is no need.
        """
        contributes = self.contributes
        if contributes is not None and locked is not None and not contributes.reads_only(locked):
            contributes = None
        self.asked = self.first_values(locked, contributes) or contributes
        return None if self.asked is None else self.asked.asked()

    def first_values(
        self, locked: Collection[Model] | None, contributes: Beforehand | None
    ) -> FirstValues | None:
        """As if the row were a new one that is given what it is going to hold."""
        if not self.becomes:
            return None
        change = self.change
        row: Any = RowToBe(row_after(change))
        setattr(row, change.model._meta.pk.attname, change.learnt.pks[0])
        is_locked = locked is not None
        found = FirstValues(self.using, change, self.becomes, row, is_locked, contributes)
        is_read = locked is None or found.question.models <= {*locked}
        return found if is_read and found.question.statement is not None else None

    def take(self, found: Sequence[Any]) -> None:
        """``found``: what the part returned, not converted."""
        asked = self.asked
        if isinstance(asked, FirstValues):
            statement = asked.question.statement
            assert statement is not None
            self.give(asked, statement.converted(tuple(found), connections[self.using]))
        elif asked is not None:
            asked.take(found)

    def give(self, asked: FirstValues, row: Sequence[Any]) -> None:
        results = asked.answered(row)
        for maintenance in dict.fromkeys(each for each, _, _ in self.becomes):
            values = {name: results[name] for name in maintenance.values if name in results}
            is_known = len(values) == len(maintenance.values)
            if is_known and maintenance not in asked.question.late and takes(maintenance, values):
                self.given[maintenance] = values

    def known_of(self, written: Mapping[str, Any] | None) -> Mapping[Way, Known]:
        return {} if self.contributes is None else self.contributes.known_of(written)


class RowToBe:
    """The row, as far as it is known what it is going to hold."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        vars(self).update(columns)

    def __getattr__(self, name: str) -> Any:
        return UNKNOWN


def takes(maintenance: Maintenance, values: Mapping[str, Any]) -> bool:
    """Whether the columns of a maintenance will hold just these values."""
    fields = {name: column(maintenance.target, name) for name in values}
    return not any(
        is_unclear(fields[name], value) or (value is None and not fields[name].null)
        for name, value in values.items()
    )


def becoming(change: Change, maintenances: Sequence[Maintenance]) -> tuple[FirstValue, ...]:
    """The copies of the one row of an UPDATE that it writes itself: those that are evaluated anew
    because of its own columns only, and that no rule reads.
    """
    if change.learnt.beside is None or not change.learnt.former:
        return ()  # What memory knows of the other columns may be old.

    def find() -> tuple[FirstValue, ...]:
        return tuple(
            (each, name, value)
            for each in maintenances
            if type(each) is Copy and is_own(each, change)
            for name, value in each.values.items()
        )

    return once(("becoming", change.model, change.learnt.columns, *maintenances), find)


def is_own(copy: Copy, change: Change) -> bool:
    if copy.target is not change.model or is_read(copy) or copy.is_touching:
        return False
    if not all(map(compiles_alike, copy.values.values())):
        return False
    concerned = [each for each in copy.dependencies if change.concerns(each)]
    if any(each.path.hops for each in concerned):
        return False
    # Where it does not come to another row, those that it reads are not locked: who writes them
    # locks the row itself before.
    moves = any(comes_to_be_connected(change, each, copy.dependencies) for each in concerned)
    return moves or not any(each.path.hops for each in copy.dependencies)
