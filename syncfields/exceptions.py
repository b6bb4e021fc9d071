"""What syncfields raises."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldError


class SyncedFieldError(FieldError):
    """An UPDATE through the ORM names a synced field; only the library writes those."""


class RuleError(Exception):
    """A rule that cannot be kept. The system checks turn it into an error with id and hint.

    ``id`` is the check's id (``syncfields.E001``), ``hint`` says how to mend the declaration and
    ``obj`` is what is wrongly declared: a field or a model.
    """

    def __init__(self, message: str, *, id: str, hint: str, obj: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.id = f"syncfields.{id}"
        self.hint = hint
        self.obj = obj
