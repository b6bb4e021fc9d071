"""Leaving a transaction without its writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import transaction


class UndoError(Exception):
    """Raised to leave a block."""


@contextmanager
def rolled_back(using: str = "default") -> Iterator[None]:
    """A transaction, or savepoint, that an exception ends."""
    with suppress(UndoError), transaction.atomic(using=using):
        yield
        raise UndoError
