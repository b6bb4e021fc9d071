import os
import platform
from typing import Any

import django
from django.db import connections
from django.db.transaction import atomic
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings

# No deadline: how long a query takes says nothing about the code under test.
settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_report_header() -> str:
    database = os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite"
    return (
        f"syncfields: database {database}, Django {django.__version__}, "
        f"Python {platform.python_version()}"
    )


KEPT = {"auth_permission", "django_content_type", "django_site"}
"""What ``migrate`` fills, and no test changes."""


def empty_what_was_filled(test: TransactionTestCase) -> None:
    """Django would truncate all of three hundred tables, and fill them anew as ``migrate`` does."""
    for name in test._databases_names(include_mirrors=False):
        connection = connections[name]
        tables = connection.introspection.django_table_names(only_existing=True)
        filled = filled_of(connection, sorted({*tables} - KEPT))
        with connection.constraint_checks_disabled(), atomic(name), connection.cursor() as cursor:
            for table in filled:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


def filled_of(connection: Any, tables: list[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(tables), 100):
        asked = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})"
            for table in tables[start : start + 100]
        )
        with connection.cursor() as cursor:
            cursor.execute(asked)
            found += [table for (table,) in cursor.fetchall()]
    return found


TransactionTestCase._fixture_teardown = empty_what_was_filled
