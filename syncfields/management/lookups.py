"""Conditions as a command line gives them: ``created__gte=2026-01-01``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError, ValidationError
from django.db.models import BooleanField, Field, Q
from django.db.models.constants import LOOKUP_SEP
from django.db.models.sql import Query
from django.utils import timezone

TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
PLAIN = ("exact", "gt", "gte", "lt", "lte")
LISTS = ("in", "range")


def condition(model: Any, given: Iterable[str]) -> Q:
    """All of them. Raises ``FieldError`` for what the model has no field or relation for, and
    ``ValidationError`` for a value that is none of the field.
    """
    found = Q()
    for each in given:
        name, is_there, text = each.partition("=")
        if not is_there:
            raise FieldError(f"{each!r} is no lookup; write FIELD=VALUE or FIELD__gte=VALUE.")
        try:
            found &= Q((name, value(model, name, text)))
        except ValidationError as error:
            raise ValidationError(f"{each!r}: {' '.join(error.messages)}") from error
    return found


def value(model: Any, name: str, text: str) -> Any:
    query = Query(model)
    lookups, parts, _ = query.solve_lookup_type(name)
    _, field, *_ = query.names_to_path(parts, model._meta, fail_on_missing=True)
    while getattr(field, "is_relation", False):
        field = getattr(field, "target_field", model._meta.pk)
    lookup = LOOKUP_SEP.join(lookups) or "exact"
    if lookup == "isnull":
        return truth(text)
    if lookup in LISTS:
        return [converted(field, each) for each in text.split(",")]
    return converted(field, text) if lookup in PLAIN else text


def truth(text: str) -> bool:
    try:
        return TRUTHS[text.lower()]
    except KeyError:
        raise FieldError(f"{text!r} is neither true nor false.") from None


def converted(field: Field[Any, Any], text: str) -> Any:
    """A value of the field; a time without a zone is meant in the project's."""
    if isinstance(field, BooleanField):
        return truth(text)
    convert: Callable[[str], Any] = field.to_python
    found = convert(text)
    if settings.USE_TZ and isinstance(found, dt.datetime) and timezone.is_naive(found):
        return timezone.make_aware(found, timezone.get_default_timezone())
    return found
