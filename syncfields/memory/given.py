"""What instances held before a write: they hold it again before the write is run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

Before = tuple[dict[str, Any], dict[str, Any]]


def held(instance: Model) -> Before:
    """What an instance holds, and what it knows of its row."""
    return vars(instance).copy(), vars(instance._state).copy()


def hold_again(instance: Model, before: Before) -> None:
    # In place, since a write may hold the dictionary.
    for now, then in zip((vars(instance), vars(instance._state)), before, strict=True):
        now.clear()
        now.update(then)


@dataclass(frozen=True, slots=True)
class Given:
    """Instances that a write fills: by keys, first values, and that their rows are there now."""

    instances: Sequence[Model]
    """A list may be left with those whose rows were inserted."""

    def state(self) -> list[tuple[Model, Before]]:
        return [(each, held(each)) for each in self.instances]

    def restore(self, state: list[tuple[Model, Before]]) -> None:
        if isinstance(self.instances, list):
            self.instances[:] = [each for each, _ in state]
        for each, before in state:
            hold_again(each, before)
