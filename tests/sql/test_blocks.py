"""Several statements that MariaDB is sent as one: what they say, and what becomes of errors."""

from __future__ import annotations

import pytest
from django.db import DataError, connection, transaction
from django.db.models import F, QuerySet

from syncfields.sql import databases, one_statement, statements
from syncfields.sql.blocks import read_both
from syncfields.sql.databases import takes_blocks
from syncfields.sql.once import forget_all
from tests.hub.models import Author, Blog, Topic

pytestmark = pytest.mark.django_db
here = pytest.mark.skipif(connection.vendor != "mysql", reason="only MariaDB takes blocks")


@pytest.fixture
def rows():
    if not takes_blocks("default"):
        pytest.skip("MySQL takes no blocks")
    return [model.objects.create() for model in (Author, Blog, Topic)]


def one_more(rows, amount=1):
    """An UPDATE of each of the rows, which may be absent."""
    return [
        statements.update(
            QuerySet(type(row)).filter(pk=row.pk), {"comment_count": F("comment_count") + amount}
        ).in_order(())
        for row in rows
    ]


def written(parts):
    with connection.cursor() as cursor:
        said = one_statement.written_together(parts, [1] * len(parts), [()] * len(parts), cursor)
        # The connection goes on, whatever is left of the answer.
        cursor.execute("SELECT 7", [])
        assert cursor.fetchone() == (7,)
    return [each.number for each in said]


@here
@pytest.mark.parametrize("absent", [(), (0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_each_update_says_how_many_rows_it_has_matched(rows, absent):
    parts = one_more(rows)
    for number in absent:
        type(rows[number]).objects.filter(pk=rows[number].pk).delete()

    assert written(parts) == [number not in absent for number in range(3)]
    there = [row for number, row in enumerate(rows) if number not in absent]
    assert [type(row).objects.get().comment_count for row in there] == [1] * len(there)


@here
def test_a_row_that_stays_as_it_is_has_been_matched(rows):
    assert written(one_more(rows, 0)) == [1, 1, 1]


@here
@pytest.mark.django_db(transaction=True)
def test_an_error_of_one_undoes_them_all(rows):
    first, second, third = one_more(rows)
    second = second.with_sql(second.sql.replace(" + ", " + 99999999999 + "))
    with pytest.raises(DataError), transaction.atomic():
        written([first, second, third])

    assert [type(row).objects.get().comment_count for row in rows] == [0, 0, 0]


@here
def test_two_selects_give_the_rows_of_each(rows):
    several = [Blog.objects.create(name=name) for name in "ab"]
    first = statements.select(QuerySet(Blog).order_by("pk").values_list("pk"))
    second = statements.select(QuerySet(Topic).order_by("pk").values_list("pk", "comment_count"))

    found = read_both(first, second, {}, is_kept=True)
    assert found == ([(row.pk,) for row in (rows[1], *several)], [(rows[2].pk, 0)])
    Topic.objects.all().delete()
    assert read_both(first, second, {}, is_kept=False)[1] == []


@pytest.fixture
def anew():
    forget_all()
    yield
    forget_all()


@here
@pytest.mark.usefixtures("rows", "anew")
def test_a_driver_that_was_not_tried_is_sent_one_after_the_other(monkeypatch):
    monkeypatch.setattr(databases, "BLOCK_DRIVERS", ("another",))
    assert not takes_blocks("default")


@here
@pytest.mark.usefixtures("rows", "anew")
def test_a_server_that_reads_programs_of_oracle_is_so_too(monkeypatch):
    monkeypatch.setattr(connection, "sql_mode", {*connection.sql_mode, "ORACLE"}, raising=False)
    assert not takes_blocks("default")


def test_no_other_database_is_sent_any():
    assert connection.vendor == "mysql" or not takes_blocks("default")
