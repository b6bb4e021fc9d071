"""What the page about operating says: the recipe for Prometheus, pools, tenants."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from syncfields import reconcile
from syncfields.health import health
from syncfields.signals import drift_found
from tests.hub.writes import WRITES, populate
from tests.menagerie import write_behind
from tests.test_docs import BLOCK
from tests.testapp.models import Book, Shelf

PAGE = Path(__file__).parents[1] / "docs" / "operating.md"
POSTGRESQL = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="pools and schemas are of PostgreSQL"
)


@pytest.fixture
def client():
    return pytest.importorskip("prometheus_client")


@pytest.fixture
def recipe(client):
    (text,) = (
        block for _, block in BLOCK.findall(PAGE.read_text("utf-8")) if "prometheus" in block
    )
    names, known = {}, drift_found.receivers[:]
    exec(text, names)
    yield names
    drift_found.receivers[:] = known
    drift_found.sender_receivers_cache.clear()
    for each in (names["HEALED"], names["DRIFTED"]):
        client.REGISTRY.unregister(each)


@pytest.mark.django_db
def test_what_prometheus_is_told(recipe, client):
    label = {"rule": "testapp.Shelf.book_count"}
    shelf = Shelf.objects.create()
    Book.objects.create(shelf=shelf)
    write_behind(Shelf, book_count=0)

    recipe["health"] = partial(health, Shelf)  # Of all models it might not come to this one.
    recipe["look"]()
    drifted = client.REGISTRY.get_sample_value("syncfields_drifted", label)
    shelf.books.all().delete()  # A count cannot be -1.

    assert drifted == 1
    assert client.REGISTRY.get_sample_value("syncfields_healed_total", label) == 1


OUTLIVES = re.compile(
    r"^(SET (?!TRANSACTION)|PREPARE|LISTEN|DECLARE)|ADVISORY|GET_LOCK|TEMP(ORARY)? TABLE",
    re.IGNORECASE,
)
"""What would be of a session, and lost, or found by others, where transactions are pooled."""


@POSTGRESQL
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", WRITES)
def test_nothing_outlives_a_transaction(name):
    populate()
    act, sent = WRITES[name](), []

    def note(execute, sql, *rest):
        sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        act()
        reconcile("hub")

    assert [sql for sql in sent if OUTLIVES.search(sql)] == []


@POSTGRESQL
@pytest.mark.django_db
def test_tenants_with_a_schema_each():
    def within(schema):
        cursor.execute(f"SET LOCAL search_path TO {schema}")

    def counts():
        cursor.execute("SELECT id, book_count FROM testapp_shelf ORDER BY id")
        return cursor.fetchall()

    with connection.cursor() as cursor:
        for tenant in ("one", "two"):
            cursor.execute(f"CREATE SCHEMA {tenant}")
            for table in ("shelf", "book", "publisher"):
                table = f"testapp_{table}"  # noqa: PLW2901
                cursor.execute(f"CREATE TABLE {tenant}.{table} (LIKE {table} INCLUDING ALL)")
            within(tenant)
            Shelf.objects.create(pk=1)
            within("public")
        for tenant, books in (("one", 1), ("two", 2)):
            within(tenant)
            for _ in range(books):
                Book.objects.create(shelf_id=1)
        cursor.execute("UPDATE two.testapp_shelf SET book_count = 7")
        within("one")
        first = reconcile("testapp.Shelf"), counts()
        within("two")
        second = reconcile("testapp.Shelf"), counts()

    assert (first[0].drifted, first[1]) == (0, [(1, 1)])
    assert (second[0].drifted, second[1]) == (1, [(1, 2)])
