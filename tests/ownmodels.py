"""Models of a test file's own, outside the zoo: their tables, and a plan of their rules only.

APPS = own_apps("own")

class Own(models.Model):
class Meta:
abstract = True
apps = APPS
app_label = "own"

kept = kept_by(APPS)  # A fixture for the tests of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import AppConfig
from django.apps.registry import Apps
from django.db import connections, models
from django.db.models import QuerySet

import tests
from syncfields import registry
from syncfields.expressions import Tally
from syncfields.rules import ATTRIBUTE, Rule


def own_apps(label: str) -> Apps:
    """A registry for the models of one test file."""
    apps, config = Apps(), AppConfig(f"tests.{label}", tests)
    config.apps, config.models = apps, apps.all_models[label]
    apps.app_configs[label] = config
    return apps


def models_of(apps: Apps) -> list[type[models.Model]]:
    """Those that were declared, in that order."""
    return list(apps.get_models())


def rules_of(apps: Apps) -> Iterator[Rule]:
    for model in models_of(apps):
        for field in model._meta.local_fields:
            if declaration := getattr(field, ATTRIBUTE, None):
                yield Rule(model, field.name, declaration)


def kept_by(apps: Apps, using: str = "default") -> Callable[..., Any]:
    """A fixture: the tables are there, and the rules of these models, and no others, are kept."""

    @pytest.fixture(scope="module", autouse=True)
    def kept(django_db_setup: object, django_db_blocker: Any) -> Iterator[None]:
        made = [model for model in models_of(apps) if not model._meta.proxy]
        with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
            with connections[using].schema_editor() as editor:
                for model in made:
                    editor.create_model(model)
            patch.setattr(registry, "collect", lambda: rules_of(apps))
            registry.rebuild()
            try:
                wrong = [each.message for each in registry.errors()]
                assert not wrong, wrong
                yield
            finally:
                connection = connections[using]
                with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
                    for model in reversed(made):
                        editor.delete_model(model)
        with django_db_blocker.unblock():
            registry.rebuild()

    return kept


def assert_kept() -> None:
    """Each synced field holds what a plain ``annotate()`` says, one expression at a time."""
    for rule in registry.plan().rules:
        if isinstance(rule.expression, Tally):
            continue
        truth = QuerySet(rule.model).annotate(_truth=rule.expression)
        wrong = [
            (pk, stored, expected)
            for pk, stored, expected in truth.values_list("pk", rule.field.attname, "_truth")
            if not is_same(stored, expected if expected is not None or rule.field.null else 0)
        ]
        assert not wrong, (rule.label, wrong)


def is_same(stored: Any, expected: Any) -> bool:
    if isinstance(stored, float):  # MariaDB gives an average four places only, when it is read.
        return bool(stored == pytest.approx(float(expected), abs=1e-4))
    return bool(stored == expected)
