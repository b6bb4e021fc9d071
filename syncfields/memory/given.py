"""What instances held before a write: they hold it again before the write is run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model


@dataclass(frozen=True, slots=True)
class Given:
    """Instances that a write fills: by keys, first values, and that their rows are there now."""

    instances: Sequence[Model]
    """A list may be left with those whose rows were inserted."""

    def state(self) -> list[tuple[Model, dict[str, Any], dict[str, Any]]]:
        return [(each, vars(each).copy(), vars(each._state).copy()) for each in self.instances]

    def restore(self, state: list[tuple[Model, dict[str, Any], dict[str, Any]]]) -> None:
        if isinstance(self.instances, list):
            self.instances[:] = [each for each, _, _ in state]
        for each, held, known in state:
            # In place, since a write may hold the dictionary.
            for now, before in ((vars(each), held), (vars(each._state), known)):
                now.clear()
                now.update(before)
