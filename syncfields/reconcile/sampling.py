"""Some rows at random, without reading the others where keys are numbers.

Keys are drawn between the first and the last, and those that are there are taken; for the others
the row that comes next. So rows behind gaps are somewhat more likely, and what is read does not
grow with the table. Other keys, and rows of a queryset with conditions, are sorted at random by the
database, which reads all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import Any
from uuid import UUID

from django.db.models import Field, IntegerField, QuerySet, UUIDField

from syncfields.sql.rows import rows_with

DRAWN = 2
"""Keys drawn for each row that is wanted."""


def sampled(queryset: QuerySet[Any], number: int) -> QuerySet[Any]:
    """As many rows of a queryset, or all if it does not have more."""
    found = list(keys(queryset)[: number + 1])
    if len(found) > number:
        make = None if queryset.query.where else key_maker(queryset.model)
        found = random_keys(queryset, number, make) if make else in_any_order(queryset, number)
    return rows_with(queryset.model, queryset.db, found)


def keys(queryset: QuerySet[Any]) -> QuerySet[Any]:
    return queryset.order_by("pk").values_list("pk", flat=True)


def in_any_order(queryset: QuerySet[Any], number: int) -> list[Any]:
    return list(queryset.order_by("?").values_list("pk", flat=True)[:number])


def key_maker(model: Any) -> Callable[[int], Any] | None:
    """What makes a key of a number; None where keys are no numbers."""
    field: Field[Any, Any] = model._meta.pk
    while field.is_relation:
        field = field.target_field  # type: ignore[attr-defined]
    if isinstance(field, IntegerField):
        return int
    return (lambda value: UUID(int=value)) if isinstance(field, UUIDField) else None


def random_keys(queryset: QuerySet[Any], number: int, make: Callable[[int], Any]) -> list[Any]:
    random = SystemRandom()
    # MariaDB sorts a UUID by other bytes first.
    first, last = sorted(int(each) for each in ends(queryset))
    drawn = {make(random.randint(first, last)) for _ in range(DRAWN * number)}
    found = set(rows_with(queryset.model, queryset.db, drawn).values_list("pk", flat=True))
    for key in drawn - found:
        if len(found) >= number:
            break
        found.update(keys(queryset.filter(pk__gt=key))[:1])
    if len(found) < number:  # All lie behind a few large gaps.
        found.update(keys(queryset)[:number])
    return random.sample(sorted(found), number)


def ends(queryset: QuerySet[Any]) -> tuple[Any, Any]:
    ordered = keys(queryset)
    return ordered[0], ordered.reverse()[0]
