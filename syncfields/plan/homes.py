"""In which databases the tables live that a rule reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db import Error, connections, router

from syncfields.declare.paths import Model
from syncfields.exceptions import RuleError
from syncfields.maintenance.base import Maintenance
from syncfields.plan.plan import Plan


def written(plan: Plan) -> set[str]:
    """The databases that the models of the rules are written to."""
    return {router.db_for_write(model) for model in {*plan.sources, *plan.targets}}


def spread(maintenances: Iterable[Maintenance]) -> Iterator[RuleError]:
    """What is wrong with rules that read what is written to another database."""
    for maintenance in maintenances:
        home = router.db_for_write(maintenance.target)
        for dependency in maintenance.dependencies:
            away = router.db_for_write(dependency.model)
            if away != home:
                error = RuleError(
                    f"{maintenance.rules[0].label} is in the database {home!r}, but it reads "
                    f"{dependency.model._meta.label} in {away!r}.",
                    hint="A rule needs its target and all its sources in one database; change "
                    "the router.",
                    obj=maintenance.target,
                    id="E010",
                )
                error.rules = maintenance.rules
                yield error


def views(alias: str) -> set[str]:
    """The views of a database, materialized ones too."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        tables = connection.introspection.get_table_list(cursor)
    return {table.name for table in tables if table.type == "v"}


def lacking(alias: str, models: Iterable[Model]) -> list[str]:
    """The tables and columns of some models that a database does not have, as far as it says so
    (nothing in a transaction that an error has ended, nothing where it does not answer).
    """
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            tables = {each.name for each in connection.introspection.get_table_list(cursor)}
            found: list[str] = []
            for options in (model._meta for model in models):
                if options.db_table not in tables:
                    found.append(f"the table {options.db_table}")
                    continue
                described = connection.introspection.get_table_description(cursor, options.db_table)
                columns = {each.name for each in described}
                found += [
                    f"the column {options.db_table}.{field.column}"
                    for field in options.local_concrete_fields
                    if field.column not in columns
                ]
            return found
    except Error:
        return []


WITHOUT_TRANSACTIONS = """
    SELECT t.table_name FROM information_schema.tables t
    JOIN information_schema.engines e ON e.engine = t.engine
    WHERE t.table_schema = DATABASE() AND e.transactions <> 'YES'
"""


def without_rollback(alias: str) -> list[str] | None:
    """The tables of models that keep what a transaction wrote when it is rolled back; None where
    there are none.
    """
    connection: Any = connections[alias]
    # Where it is not said, Django finds out by making a table.
    if type(connection.features).supports_transactions is False:
        return []
    if connection.vendor != "mysql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(WITHOUT_TRANSACTIONS)
        found = {name for (name,) in cursor.fetchall()}
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    return sorted(found & ours) or None
