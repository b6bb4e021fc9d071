"""What is made once, and looked up from then on, as long as the plan holds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar, cast

Made = TypeVar("Made")
Function = TypeVar("Function", bound=Callable[..., Any])


_made: dict[Hashable, Any] = {}
_kept: list[Any] = []


def once(key: Hashable, make: Callable[[], Made]) -> Made:
    """What was made for ``key`` (which holds all that it depends on), as long as the plan holds."""
    try:
        made: Made = _made[key]
    except KeyError:
        made = _made[key] = make()
    return made


def kept(function: Function) -> Function:
    """A function of few arguments, with ``once()`` around it, which costs less so."""
    found = cache(function)
    _kept.append(found)
    return cast("Function", found)


def forget_all() -> None:
    """For a new plan."""
    _made.clear()
    for each in _kept:
        each.cache_clear()
