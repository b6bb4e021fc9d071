"""A statement is compiled once, and executed by any thread."""

from __future__ import annotations

import datetime as dt
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, models
from django.db.models.functions import Cast

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


@pytest.mark.django_db
def test_values_have_their_places_whatever_else_is_in_the_text():
    """Signs of per cent, what stands several times, and what is the same at any time."""
    Shelf.objects.create()
    wanted = statements.Param("wanted", models.IntegerField())
    text = models.Value("100 %s %% 'a' %(v0)s", output_field=models.TextField())
    chosen = models.QuerySet(Shelf).annotate(one=wanted + 0).filter(one__lt=8)
    statement = statements.select(chosen.values_list(wanted + wanted, wanted, text))

    assert statement.row(wanted=7) == (14, 7, "100 %s %% 'a' %(v0)s")
    assert statement.row(wanted=8) is None
    others = statement.with_sql(statement.sql.replace("<", ">"))
    assert others.row(wanted=9) == (18, 9, "100 %s %% 'a' %(v0)s")


@pytest.mark.django_db
@pytest.mark.parametrize("number", [statements.MOST_NAMED - 1, statements.MOST_NAMED + 1])
def test_any_number_of_values(number):
    Shelf.objects.create()
    names = [f"n{each}" for each in range(number)]
    params = [statements.Param(each, models.IntegerField()) for each in names]
    statement = statements.select(models.QuerySet(Shelf).values_list(*params))

    assert statement.row(**dict.fromkeys(names, 2)) == (2,) * number
    with connections["default"].cursor() as cursor:
        statement.in_order(names).execute(cursor, range(number))
        assert cursor.fetchone() == tuple(range(number))


@pytest.mark.django_db
def test_points_of_time_that_are_one_object():
    at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
    field = models.DateTimeField()
    params = [Cast(statements.Param(name, field), field) for name in ("one", "other")]
    Shelf.objects.create()
    statement = statements.select(models.QuerySet(Shelf).values_list(*params))

    assert statement.row(one=at, other=at) == (at, at)
    later = at + dt.timedelta(1)
    assert statement.row(one=at, other=later) == (at, later)


@pytest.mark.django_db
@pytest.mark.skipif(connections["default"].vendor != "sqlite", reason="a function of SQLite")
def test_a_sign_of_per_cent_that_stands_alone():
    """Django passes it on to SQLite as it is."""
    Shelf.objects.create()
    field = models.CharField()
    template = "strftime('%%Y', %(expressions)s) || ' %%%% %%'"
    year = models.Func(statements.Param("day", models.TextField()), template=template)
    year.output_field = field
    statement = statements.select(models.QuerySet(Shelf).values_list(year))
    plain = statement.bound(day="2026-01-02")

    assert "'%Y'" in statement.sql
    assert statement.row(day="2026-01-02") == plain.row() == ("2026 % %",)
