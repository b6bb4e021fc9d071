"""Fields of a model as a migration sees it, put at their expressions in the way of ``reconcile``.

Such a model is in no plan: it has no rules, and nothing follows from what is written to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist

from syncfields.declare.paths import Model
from syncfields.declare.rules import Declaration, Rule
from syncfields.exceptions import BrokenRules, RuleError
from syncfields.plan.alone import Alone, alone
from syncfields.reconcile.repair import Progress, run
from syncfields.reconcile.reports import Report, RuleReport
from syncfields.reconcile.selection import Task
from syncfields.sql.once import forget_all
from syncfields.sql.rows import rows
from syncfields.sql.scans import scans


def fill(
    model: Model,
    using: str,
    expressions: Mapping[str, Any],
    batch_size: int,
    progress: Progress | None = None,
) -> Report:
    """Write what is not yet the value of its expression, chunk by chunk, each a transaction of its
    own unless there is one around. Raises ``BrokenRules`` for an expression without a value.
    """
    task = task_of(model, using, expressions)
    reports = {rule.label: RuleReport(rule.label) for rule in task.rules}
    try:
        for _ in run(task, reports, False, batch_size, progress, None):
            pass
    finally:
        forget_all()  # They would keep all models of the migration.
    return Report(tuple(reports.values()))


def task_of(model: Model, using: str, expressions: Mapping[str, Any]) -> Task:
    rules = [Rule(model, name, Declaration(each)) for name, each in expressions.items()]
    found = {rule: read_alone(rule) for rule in rules}
    refuse_reading_each_other(found)
    values = {rule.field.attname: each.value for rule, each in found.items()}
    grouped = {name: each for one in found.values() for name, each in one.grouped.items()}
    queryset = rows(model, using)
    return Task(model, tuple(rules), queryset, values, tuple(scans(grouped, values)))


def read_alone(rule: Rule) -> Alone:
    try:
        rule.model._meta.get_field(rule.field_name)
    except FieldDoesNotExist as error:
        raise ValueError(
            f"{rule.model._meta.label} has no field {rule.field_name!r} at this place of the "
            "migrations. Put Backfill behind the AddField."
        ) from error
    try:
        return alone(rule)
    except RuleError as error:
        raise BrokenRules([error]) from error


def refuse_reading_each_other(found: Mapping[Rule, Alone]) -> None:
    """Raise ``ValueError`` where a value follows from another one that is written with it."""
    names = {rule.field.attname: rule for rule in found}
    for rule, each in found.items():
        if read := names.keys() & each.own:
            raise ValueError(
                f"The value of {rule.label} follows from that of {names[min(read)].label}, which "
                "is written at the same time. Let one operation follow the other."
            )
