"""The one thing a rule may say that ``annotate()`` cannot: that events are counted."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db.models import Expression, F, Q

EVENTS = frozenset({"create", "save"})


class Tally:
    """Add ``amount`` to the target each time a source row is written.

    ``path`` leads from the target to the source, as in a lookup. ``amount`` is a number or an
    expression over the *source* row. ``when`` limits the events to source rows that match after
    the write. ``on`` names the events: ``"create"``, a source row is inserted; ``"save"``, an
    existing row is saved with ``Model.save()``. The default counts every ``save()`` once.

    A tally counts events and not state, so there is no truth that it could be reconciled with.
    """

    def __init__(
        self,
        path: str,
        amount: int | Decimal | F | Expression = 1,
        *,
        when: Q | None = None,
        on: Iterable[str] = ("create", "save"),
    ) -> None:
        self.path = path
        self.amount = amount
        self.when = when
        self.on = frozenset({on} if isinstance(on, str) else on)

    def __repr__(self) -> str:
        options = "" if self.when is None else f", when={self.when!r}"
        if self.on != EVENTS:
            options += f", on={sorted(self.on)!r}"
        return f"Tally({self.path!r}, {self.amount!r}{options})"

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Tally):
            return NotImplemented
        return vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.path, self.on))
