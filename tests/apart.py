"""Models that belong to one file of tests: in a registry of their own, with tables of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.apps.registry import Apps
from django.db import connection, models

from syncfields import registry
from syncfields.rules import Declaration, Rule, registered


class Apart(Apps):
    """Knows the models that name it as ``Meta.apps``, whatever applications are installed."""

    @cache  # noqa: B019 - as in the base class
    def get_models(
        self, include_auto_created: bool = False, include_swapped: bool = False
    ) -> list[type[models.Model]]:
        return [model for found in self.all_models.values() for model in found.values()]


@contextmanager
def tables(made: Iterable[Any], blocker: Any) -> Iterator[None]:
    """``blocker`` is the fixture ``django_db_blocker``."""
    made = list(made)
    with blocker.unblock():
        with connection.schema_editor() as editor:
            for model in made:
                editor.create_model(model)
        try:
            yield
        finally:
            with connection.schema_editor() as editor:
                for model in reversed(made):
                    editor.delete_model(model)


@contextmanager
def kept(rules: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """The plan holds these rules too: ``(model, field name, expression or declaration)``."""
    found = [
        Rule(model, name, value if isinstance(value, Declaration) else Declaration(value))
        for model, name, value in rules
    ]
    registered.extend(found)
    try:
        registry.rebuild()
        assert [error for error in registry.errors() if error.obj in {r.model for r in found}] == []
        yield
    finally:
        for rule in found:
            registered.remove(rule)
        registry.rebuild()
