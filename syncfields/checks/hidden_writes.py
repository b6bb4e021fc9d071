"""Overrides of Django's methods that write past them, as far as their code shows it.

Whoever does not call ``super()`` may still write by other methods of Django, which is seen, or not
write at all. A warning that is wrong is worse than none, so it is given only where the code reaches
for what is below those methods, and for none of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from typing import Any

from django.db import models

from syncfields.checks.own_writes import names_in, queryset_of

SAVING = ("save_base", "_save_table", "_do_insert", "_do_update")
BULK = ("update", "bulk_create", "_raw_delete", "delete")
BELOW = {
    *("cursor", "_update", "_insert", "_batched_insert", "execute_sql"),
    *("InsertQuery", "UpdateQuery", "DeleteQuery"),
}
SEEN = {
    *("super", "save", "create", "get_or_create", "update_or_create", "bulk_update"),
    *SAVING,
    *BULK,
    *("asave", "acreate", "aupdate", "adelete", "abulk_create", "abulk_update"),
}


def of(model: type[models.Model]) -> Iterator[tuple[type, str]]:
    """The methods that write rows of a model past Django's own: the class, and the name."""
    yield from ((model, name) for name in hiding(model, models.Model, SAVING))
    for manager in model._meta.managers:
        queryset = queryset_of(manager)
        yield from ((queryset, name) for name in hiding(queryset, models.QuerySet, BULK))


def hiding(owner: type, base: type, names: Collection[str]) -> Iterator[str]:
    kinds = owner.__mro__
    if base in kinds:
        kinds = kinds[: kinds.index(base)]
    for name in names:
        for kind in kinds:
            method = inspect.unwrap(vars(kind)[name]) if name in vars(kind) else None
            if method is inspect.unwrap(getattr(base, name)):
                continue  # Wrapped around Django's own, as FieldTracker does.
            used = names_used(method, kinds)
            if used & BELOW and not used & SEEN:
                yield name
                break


def names_used(method: Any, kinds: Collection[type]) -> set[str]:
    """The names in the code of a method, and in that of the functions beside it that it calls."""
    found: set[str] = set()
    left, known = [method], set()
    while left:
        function = left.pop()
        code = getattr(function, "__code__", None)
        if code is None or code in known:
            continue
        known.add(code)
        names = set(names_in(code))
        found |= names
        left += filter(is_own, (function.__globals__.get(name) for name in names))
        left += [vars(kind).get(name) for kind in kinds for name in names - SEEN]
    return found


def is_own(function: Any) -> bool:
    """Whether it is no function of Django's, which may read by a cursor."""
    return not getattr(function, "__module__", "django.").startswith("django.")
