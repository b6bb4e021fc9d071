"""A statement is compiled once, and executed by any thread."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, models

from syncfields.sql import statements
from tests.testapp.models import Shelf


class Asked(models.IntegerField):
    """Notes whether it was given the connection of the thread that reads."""

    def from_db_value(self, value, expression, connection):
        return connection is connections["default"]


@pytest.mark.django_db(transaction=True)
def test_converters_are_given_the_connection_of_their_own_thread():
    Shelf.objects.create()
    expression = models.ExpressionWrapper(models.F("page_sum"), output_field=Asked())
    statement = statements.select(models.QuerySet(Shelf).values_list(expression))

    def read(_):
        found = [statement.row() for _ in range(200)]
        connections.close_all()
        return found

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = [row for rows in threads.map(read, range(8)) for row in rows]
    finally:
        sys.setswitchinterval(interval)

    assert set(found) == {(True,)}


def test_values_that_cannot_be_hashed_are_converted_one_by_one():
    assert statements.mapped(len, [[1], [1, 2], [1]]) == [1, 2, 1]
    assert statements.mapped(str, [1, 2, 1]) == ["1", "2", "1"]
