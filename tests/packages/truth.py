"""What every rule of a trial has to say, asked of plain ``annotate()``."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from django.apps import apps
from django.db import models

from syncfields import Tally
from syncfields.declare import rules
from syncfields.plan import registry
from syncfields.testing import assert_in_sync
from tests.pages import blocks

APP = apps.get_app_config("packages")


def targets(module: str) -> dict[type[models.Model], dict[str, Any]]:
    """The expressions that are declared on the models of a trial, by model and field."""
    found: dict[type[models.Model], dict[str, Any]] = {}
    for rule in rules.collect():
        if rule.model.__module__ == module and not isinstance(rule.expression, Tally):
            found.setdefault(rule.model, {})[rule.field_name] = rule.expression
    return found


def assert_true(*, some: bool = True, module: str = "") -> None:
    """Each rule of the calling trial holds in each row: one query of the plainest kind for each.

    ``some`` rows must be there, or nothing would be shown.
    """
    module = module or sys._getframe(1).f_globals["__name__"]
    assert [error for error in registry.errors() if error.obj.__module__ == module] == []
    compared = 0
    for model, expressions in targets(module).items():
        for name, expression in expressions.items():
            # The plain QuerySet class: no manager can hide rows.
            plain = models.QuerySet(model).annotate(truth=expression).order_by("pk")
            plain._for_write = True  # No cache may answer.
            rows = list(plain.values_list("pk", name, "truth"))
            # A sum of nothing is stored as 0 where the column cannot be NULL.
            nothing = None if model._meta.get_field(name).null else 0
            wrong = [
                (pk, stored, truth)
                for pk, stored, truth in rows
                if stored != (nothing if truth is None else truth)
            ]
            assert not wrong, f"{model.__name__}.{name}: (pk, stored, truth) {wrong}"
            compared += len(rows)
    assert compared or not some


def shown(package: str, names: dict[str, Any], **given: Any) -> SimpleNamespace:
    """What the two lines of docs/packages.md leave behind, with the names of a trial."""
    found = blocks.block("docs/packages.md", package)
    return blocks.run(found, **{**names, "assert_in_sync": assert_in_sync, **given})


def assert_holds(field: Any, model: type[models.Model], name: str) -> None:
    """The rule of a field that the page shows is true of what the trial's field of a name holds."""
    expression = getattr(field, rules.ATTRIBUTE).expression
    rows = list(models.QuerySet(model).annotate(truth=expression).values_list(name, "truth"))
    assert rows
    assert [row for row in rows if row[0] != row[1]] == []
