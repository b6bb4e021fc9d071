"""A scenery, and the writes that can meet in it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.races.stage import Part, Scenery

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def later(days: int) -> dt.datetime:
    return NOON + dt.timedelta(days=days)


class World(Scenery):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.parts: dict[str, Part] = {}

    def part(self, function: Part) -> Part:
        """A decorator: the function is one of the writes."""
        self.parts[function.__name__] = function
        return function
