"""Models, tables and rules that one test module has for itself, beside the zoo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, models
from django.db.models.expressions import CombinedExpression

from syncfields import registry
from syncfields.rules import Declaration, Rule, registered

Model = type[models.Model]


@contextmanager
def tables(blocker: Any, *made: Model) -> Iterator[None]:
    """Their tables, for a fixture of a module that depends on ``django_db_setup``."""
    with blocker.unblock(), connection.schema_editor() as editor:
        for model in made:
            editor.create_model(model)
    try:
        yield
    finally:
        with blocker.unblock(), connection.schema_editor() as editor:
            for model in reversed(made):
                editor.delete_model(model)


@contextmanager
def rules(*declared: tuple[Model, Mapping[str, Any]]) -> Iterator[None]:
    """Rules that hold within the block; each must be one that can be kept."""
    before = len(registered)
    for model, expressions in declared:
        registered.extend(
            Rule(model, name, Declaration(expression)) for name, expression in expressions.items()
        )
    registry.rebuild()
    try:
        if refused := [error.message for error in registry.errors()]:
            raise AssertionError("\n".join(refused))
        yield
    finally:
        del registered[before:]
        registry.rebuild()


def truth(model: Model, expression: Any) -> dict[Any, Any]:
    """What ``annotate()`` says of all rows; of a sum of aggregates, each by itself."""
    if isinstance(expression, CombinedExpression):
        left, right = truth(model, expression.lhs), truth(model, expression.rhs)
        sign = {"+": 1, "-": -1}[expression.connector]
        return {pk: left[pk] + sign * right[pk] for pk in left}
    rows = models.QuerySet(model).order_by()
    return dict(rows.annotate(_truth=expression).values_list("pk", "_truth"))


def assert_kept(declared: Sequence[tuple[Model, Mapping[str, Any]]]) -> None:
    """Every stored value is that of its expression; no row at all adds up to 0 where NULL cannot
    be stored.
    """
    for model, expressions in declared:
        for name, expression in expressions.items():
            nothing = None if model._meta.get_field(name).null else 0
            expected = {
                pk: nothing if value is None else value
                for pk, value in truth(model, expression).items()
            }
            stored = dict(models.QuerySet(model).order_by().values_list("pk", name))
            if stored != expected:
                raise AssertionError(f"{model.__name__}.{name}: {stored}, and not {expected}")
