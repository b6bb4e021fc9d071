"""Which statements were sent: each as its verb and its table, ``UPDATE testapp_post``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections, models
from django.test.utils import CaptureQueriesContext

from syncfields.explain.sent import is_of_transaction, shape


class Statements(list[str]):
    """What was sent, transaction commands apart."""

    sql: list[str]

    def updates(self, model: type[models.Model]) -> int:
        tables = [each.removeprefix("UPDATE ").split(", ") for each in self if "UPDATE" in each]
        return sum(each.count(model._meta.db_table) for each in tables)


@contextmanager
def sent(using: str = "default") -> Iterator[Statements]:
    """The statements sent within the block."""
    statements = Statements()
    with CaptureQueriesContext(connections[using]) as context:
        yield statements
    statements.sql = [
        query["sql"] for query in context.captured_queries if not is_of_transaction(query["sql"])
    ]
    statements += map(shape, statements.sql)


def number_of_statements(write: Callable[[], object]) -> int:
    with sent() as statements:
        write()
    return len(statements)
