"""Methods of managers and querysets that are none of Django's, and make queries that write.

Django's own methods are wrapped, and so is seen whatever is built on them. An ``upsert()`` of
another package that makes an INSERT of its own goes past them. What a method does not do in sight
is not guessed: SQL in a string may concern any table, and reading needs a cursor too.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from django.db import models
from django.db.models.manager import BaseManager
from django.db.models.sql import DeleteQuery, InsertQuery, UpdateQuery

WRITING = (InsertQuery, UpdateQuery, DeleteQuery)
SENDS = {"execute_sql", "execute", "executemany"}


def of(model: type[models.Model]) -> Iterator[tuple[type, list[str]]]:
    """The classes of a model's managers and querysets that write past Django, and by which."""
    seen: set[type] = set()
    for manager in model._meta.managers:
        for owner, base in ((type(manager), BaseManager), (queryset_of(manager), models.QuerySet)):
            if owner not in seen and (names := writing_methods(owner, base)):
                yield owner, names
            seen.add(owner)


def queryset_of(manager: Any) -> type:
    """What a manager makes; where it cannot make one now, the class that it was made from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return type(manager.get_queryset())
        except Exception:  # noqa: BLE001 - it is the project's, and may need a request
            found: type = manager._queryset_class
            return found


def writing_methods(owner: type, base: type) -> list[str]:
    """The public methods that are not Django's, and reach a query that writes and is sent."""
    kinds = owner.__mro__[: owner.__mro__.index(base)] if base in owner.__mro__ else ()
    methods = {
        name: inspect.unwrap(method)
        for kind in reversed(kinds)
        if not kind.__module__.startswith(("django.", "syncfields."))
        for name, method in vars(kind).items()
        if isinstance(method, FunctionType) and not hasattr(base, name)
    }
    return sorted(name for name in methods if not name.startswith("_") and writes(name, methods))


def writes(name: str, methods: Mapping[str, Any]) -> bool:
    """Whether a method, with the others that it calls, makes a query that writes, and sends it."""
    left, reached = [name], {name}
    makes = sends = False
    while left:
        method = methods[left.pop()]
        names = set(names_in(method.__code__))
        makes = makes or makes_query(names, method.__globals__)
        sends = sends or not SENDS.isdisjoint(names)
        found = (names & methods.keys()) - reached
        reached |= found
        left += found
    return makes and sends


def names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def makes_query(names: set[str], known: Mapping[str, Any]) -> bool:
    """Whether one of the names stands for a class of queries that write."""
    meant = [known.get(name) for name in names]
    meant += [
        getattr(module, name, None)
        for module in meant
        if isinstance(module, ModuleType)
        for name in names
    ]
    imported = any(kind.__name__ in names for kind in WRITING)
    return imported or any(isinstance(each, type) and issubclass(each, WRITING) for each in meant)
