"""What syncfields raises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError, ImproperlyConfigured

if TYPE_CHECKING:
    from syncfields.declare.rules import Rule


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
        self.rules: Sequence[Rule] = ()
        """The rules that are not kept because of it."""


class BrokenRules(ImproperlyConfigured):
    """Rules have errors, so that nothing can be said of the fields that they were to keep."""

    def __init__(self, errors: Sequence[RuleError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(f"{each.id}: {each.message} {each.hint}" for each in errors))


class NotMigrated(ImproperlyConfigured):
    """A database, or the schema of it that is in sight, lacks what a rule reads."""

    def __init__(self, using: str, lacking: Sequence[str]) -> None:
        super().__init__(
            f"The database {using!r} lacks {', '.join(lacking)}. Run manage.py migrate there, or "
            "select rules whose tables it has."
        )


class NoRollback(ImproperlyConfigured):
    """A database has tables of which it takes nothing back."""

    def __init__(self, using: str, tables: Sequence[str]) -> None:
        super().__init__(
            f"The database {using!r} does not take back what is written to "
            f"{', '.join(tables) or 'its tables'}, so that sample rows would stay there. Use a "
            "copy of it whose tables have transactions (InnoDB)."
        )


def in_one_line(error: BaseException | None) -> str:
    """What an exception says, for a table, a log, an answer."""
    return " ".join(str(error).split())
