"""What ``reconcile()`` found, and where it was stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from syncfields.targets.drift import Drift

EXAMPLES = 5
SHORT = 60
"""Characters of a value that are shown."""


@dataclass(slots=True)
class RuleReport:
    """What was found for one rule."""

    label: str
    """``app.Model.field``"""
    scanned: int = 0
    """Rows looked at."""
    drifted: int = 0
    """Rows whose stored value was not the value of the expression."""
    repaired: int = 0
    """Rows written; 0 with ``check=True``."""
    reconcilable: bool = True
    """False for a tally, which counts events."""
    note: str = ""
    examples: tuple[Drift, ...] = ()
    """The first few drifted rows."""

    def note_drift(self, number: int, drifts: list[Drift], repaired: bool) -> None:
        self.drifted += number
        self.repaired += number if repaired else 0
        self.examples = (*self.examples, *drifts)[:EXAMPLES]


@dataclass(frozen=True, slots=True)
class Report:
    """What ``reconcile()`` found, rule by rule."""

    rules: tuple[RuleReport, ...] = ()
    check: bool = False
    left: tuple[str, ...] = ()
    """The labels of the rules that are left, if it did not come to its end."""
    after: Any = None
    """The last primary key that was done, of the first model that is left."""

    @property
    def after_text(self) -> str | None:
        """``after`` as ``start_after`` takes it from a command line: of several columns as JSON."""
        if isinstance(self.after, (tuple, list)):
            return json.dumps(self.after, default=str)
        return None if self.after is None else str(self.after)

    @property
    def scanned(self) -> int:
        return sum(each.scanned for each in self.rules)

    @property
    def drifted(self) -> int:
        return sum(each.drifted for each in self.rules)

    @property
    def repaired(self) -> int:
        return sum(each.repaired for each in self.rules)

    @property
    def finished(self) -> bool:
        """It came to its end: ``max_seconds`` were enough."""
        return not self.left

    @property
    def ok(self) -> bool:
        """It came to its end, and no drift is left."""
        return self.finished and self.drifted == self.repaired


@dataclass(slots=True)
class Interrupted(Exception):
    """A run was stopped between two chunks, by the user or because the database was gone.

    ``after``: the last primary key that was done.
    """

    labels: tuple[str, ...]
    after: Any
    report: Report


def in_short(drift: Drift) -> str:
    """What has drifted, for somebody to read: a long text by its beginning and its end."""
    return f"stored {shown(drift.stored)}, expected {shown(drift.expected)}"


def shown(value: Any) -> str:
    # An empty text, and one that is a number, are to be seen as such.
    text = repr(value) if isinstance(value, (str, bytes)) else str(value)
    if len(text) <= SHORT:
        return text
    half = (SHORT - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
