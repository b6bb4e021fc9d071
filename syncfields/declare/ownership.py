"""What somebody gives a field for a new row, although the library keeps it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db.models import Model
from django.db.models.expressions import DatabaseDefault

from syncfields.declare.rules import Rule

logger = logging.getLogger("syncfields.ownership")


def warn(rule: Rule, value: Any, others: Sequence[tuple[Model, Any]]) -> None:
    """Say that what somebody has given for a new row is not stored.

    Nobody has where it is the field's default, or where the row is a copy of another one, loaded
    and then saved without its key: ``_state`` knows that for ever.
    """
    field = rule.field
    for instance, given in others:
        if "adding" in vars(instance._state) or given in list(field.empty_values):
            continue
        if isinstance(given, DatabaseDefault) or given == field.get_default():
            continue
        logger.warning(
            "%s is kept by syncfields: %r was given for a new row, and %r is stored. Leave it out, "
            "or use unsynced().",
            rule.label,
            given,
            value,
            extra={"rule": rule.label, "given": given, "stored": value},
        )
        return
