"""Replacing a method of Django's by one that calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

MARK = "_syncfields_wraps"


def wrap(owner: type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace ``owner.name`` by ``make(original)``, unless that was done before."""
    original = getattr(owner, name)
    if hasattr(original, MARK):
        return
    wrapper = wraps(original)(make(original))
    setattr(wrapper, MARK, original)
    setattr(owner, name, wrapper)
