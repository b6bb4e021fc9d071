"""Models of a test file's own, outside the zoo: their tables, and a plan of their rules only.

A file whose models declare their rules::

    APPS = own_apps("own")

    class Own(models.Model):
        class Meta:
            abstract = True
            apps = APPS
            app_label = "own"

    kept_here = kept_by(APPS)  # A fixture for all tests of the file.

A file whose tests try many rules on the same models: a fixture with ``tables()``, and in each test
``with kept([(Own, "count", Count("parts"))]):``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import AppConfig
from django.apps.registry import Apps
from django.db import connections, models
from django.db.models import Aggregate, QuerySet
from django.db.models.expressions import CombinedExpression

import tests
from syncfields.declare.expressions import Tally
from syncfields.declare.rules import ATTRIBUTE, Declaration, Rule
from syncfields.plan import registry

DEFAULT = ("default",)
SIGNS = {"+": 1, "-": -1}


def own_apps(label: str) -> Apps:
    """A registry for the models of one test file, whatever applications are installed."""
    apps, config = Apps(), AppConfig(f"tests.{label}", tests)
    config.apps, config.models = apps, apps.all_models[label]
    apps.app_configs[label] = config
    return apps


def models_of(apps: Apps) -> list[type[models.Model]]:
    """Those that were declared, in that order."""
    return list(apps.get_models())


def rules_of(apps: Apps) -> Iterator[Rule]:
    """Those that were declared by ``synced()``."""
    for model in models_of(apps):
        for field in model._meta.local_fields:
            if declaration := getattr(field, ATTRIBUTE, None):
                yield Rule(model, field.name, declaration)


@contextmanager
def tables(
    blocker: Any, made: Iterable[type[models.Model]], using: Sequence[str] = DEFAULT
) -> Iterator[None]:
    """Their tables, on each of the databases, for a fixture that depends on ``django_db_setup``;
    ``blocker`` is the fixture ``django_db_blocker``.
    """
    made = [model for model in made if not model._meta.proxy]
    with blocker.unblock():
        for alias in using:
            with connections[alias].schema_editor() as editor:
                for model in made:
                    editor.create_model(model)
        try:
            yield
        finally:
            for alias in using:
                drop(made, alias)


def drop(made: list[type[models.Model]], using: str) -> None:
    connection = connections[using]
    with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
        for model in reversed(made):
            editor.delete_model(model)


@contextmanager
def kept(rules: Iterable[Rule | tuple[Any, str, Any]]) -> Iterator[None]:
    """These rules, and no others, are kept, and each is one that can be: a ``Rule``, or a model,
    the name of a field, and an expression or declaration.
    """
    found = [each if isinstance(each, Rule) else rule(*each) for each in rules]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "collect", lambda: iter(found))
        try:
            registry.rebuild()
            wrong = [each.message for each in registry.errors()]
            assert not wrong, wrong
            yield
        finally:
            patch.undo()
            registry.rebuild()


def rule(model: Any, name: str, declared: Any) -> Rule:
    is_whole = isinstance(declared, Declaration)
    return Rule(model, name, declared if is_whole else Declaration(declared))


def tables_by(apps: Apps) -> Callable[..., Any]:
    """A fixture: the tables are there, for tests of which each says which rules are kept."""

    @pytest.fixture(scope="module", autouse=True)
    def fixture(django_db_setup: object, django_db_blocker: Any) -> Iterator[None]:
        with tables(django_db_blocker, models_of(apps)):
            yield

    return fixture


def kept_by(apps: Apps, using: Sequence[str] = DEFAULT) -> Callable[..., Any]:
    """A fixture: the tables are there, and the rules that these models declare are kept."""

    @pytest.fixture(scope="module", autouse=True)
    def fixture(django_db_setup: object, django_db_blocker: Any) -> Iterator[None]:
        with tables(django_db_blocker, models_of(apps), using), kept(rules_of(apps)):
            yield

    return fixture


def empty(apps: Apps, using: str = "default") -> None:
    """Delete all rows, which a test with transactions of its own leaves behind."""
    for model in reversed(models_of(apps)):
        QuerySet(model, using=using)._raw_delete(using)


def stored(model: type[models.Model], pk: Any, *names: str) -> dict[str, Any]:
    """What a row holds, read without the library and without an instance."""
    return QuerySet(model, using="default").values(*names).get(pk=pk)


def assert_kept() -> None:
    """Each synced field holds what a plain ``annotate()`` says, one expression at a time; what adds
    up no row at all is 0 where NULL cannot be stored. Of a row that ``annotate()`` leaves out,
    because its key refers to none, it says nothing.
    """
    for each in registry.plan().rules:
        if isinstance(each.expression, Tally):
            continue
        nothing = None if each.field.null else 0
        held, true = column(each.model, each.field.attname), truth(each.model, each.expression)
        expected = {pk: nothing if value is None else value for pk, value in true.items()}
        wrong = [
            (pk, held.get(pk), value)
            for pk, value in expected.items()
            if pk not in held or not is_same(held[pk], value)
        ]
        assert not wrong, (each.label, wrong)


def column(model: type[models.Model], name: str) -> dict[Any, Any]:
    return dict(QuerySet(model).order_by().values_list("pk", name))


def truth(model: type[models.Model], expression: Any) -> dict[Any, Any]:
    """What ``annotate()`` says of all rows; of a sum of aggregates, each by itself."""
    if is_sum(expression):
        left, right = truth(model, expression.lhs), truth(model, expression.rhs)
        sign = SIGNS[expression.connector]
        return {pk: left[pk] + sign * right[pk] for pk in left}
    rows = QuerySet(model).order_by().annotate(_truth=expression).values_list("pk", "_truth")
    found = list(rows)
    assert len(dict(found)) == len(found), "A row has more than one value."
    return dict(found)


def is_sum(expression: Any) -> bool:
    return (
        isinstance(expression, CombinedExpression)
        and expression.connector in SIGNS
        and all(
            isinstance(side, Aggregate) or is_sum(side) for side in (expression.lhs, expression.rhs)
        )
    )


def is_same(stored: Any, expected: Any) -> bool:
    if isinstance(stored, float):  # MariaDB gives an average four places only, when it is read.
        return bool(stored == pytest.approx(float(expected), abs=1e-4))
    return bool(stored == expected)
