"""What is made once, and looked up from then on, as long as the plan holds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Made = TypeVar("Made")


_made: dict[Hashable, Any] = {}


def once(key: Hashable, make: Callable[[], Made]) -> Made:
    """What was made for ``key`` (which holds all that it depends on), as long as the plan holds."""
    try:
        made: Made = _made[key]
    except KeyError:
        made = _made[key] = make()
    return made


def forget_all() -> None:
    """For a new plan."""
    _made.clear()
