"""Models of one test module: what the zoo should not have, because other tests would meet it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.apps.registry import Apps
from django.db import connections, models

from syncfields import registry, rules


@contextmanager
def kept(isolated: Apps, using: Sequence[str] = ("default",)) -> Iterator[None]:
    """Make the tables of the models that were declared in ``isolate_apps("tests.own")``, and keep
    their rules and no others.
    """
    made = isolated.get_models()
    for alias in using:
        with connections[alias].schema_editor() as editor:
            for model in made:
                editor.create_model(model)
    others, collect = rules.registered[:], registry.collect
    try:
        rules.registered.clear()
        registry.collect = partial(rules.collect, isolated)
        registry.rebuild()
        assert not registry.errors(), [*map(str, registry.errors())]
        yield
    finally:
        rules.registered[:], registry.collect = others, collect
        registry.rebuild()
        for alias in using:
            with connections[alias].schema_editor() as editor:
                for model in reversed(made):
                    editor.delete_model(model)


def empty(isolated: Apps, using: str = "default") -> None:
    """Delete all rows, which a test with transactions of its own leaves behind."""
    for model in reversed(isolated.get_models()):
        models.QuerySet(model, using=using)._raw_delete(using)


def truth(model: type[models.Model], pk: Any, *names: str) -> dict[str, Any]:
    """What a row holds, read without the library and without an instance."""
    return models.QuerySet(model, using="default").values(*names).get(pk=pk)
