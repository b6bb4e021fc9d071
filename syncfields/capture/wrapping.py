"""Replacing a method of Django's by one that calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import CodeType
from typing import Any

MARK = "_syncfields_wraps"
ORIGINALS: set[CodeType] = set()
"""The code of Django's own methods that were replaced."""


def wrap(owner: type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace ``owner.name`` by ``make(original)``, unless that was done before."""
    original = getattr(owner, name)
    if hasattr(original, MARK):
        return
    wrapper = wraps(original)(make(original))
    setattr(wrapper, MARK, original)
    ORIGINALS.add(original.__code__)
    setattr(owner, name, wrapper)
