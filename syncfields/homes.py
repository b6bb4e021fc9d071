"""In which databases the tables live that a rule reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import connections, router

from syncfields.exceptions import RuleError
from syncfields.maintenance.base import Maintenance
from syncfields.plan import Plan


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
