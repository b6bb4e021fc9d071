"""Values of many targets asked of sources that are grouped before they are joined."""

from __future__ import annotations

import pytest
from django.db import connection, models

from syncfields import unsynced
from syncfields.reconcile.selection import plan_tasks
from syncfields.sql.rows import rows
from syncfields.sql.scans import DerivedTable, Rows
from syncfields.targets import drift
from tests.menagerie import populate
from tests.testapp.models import Book, Post, Restaurant, Shelf

pytestmark = pytest.mark.django_db

SCANS = [(task.model, scan) for task in plan_tasks((), None) for scan in task.scans if scan.path]


def test_some_rules_are_asked_that_way():
    assert len(SCANS) > 10
    assert {Post, Restaurant, Shelf} <= {model for model, _ in SCANS}


def test_the_values_are_those_of_annotate():
    populate()
    for model, scan in SCANS:
        rows = models.QuerySet(model).order_by("pk")
        pks = list(rows.values_list("pk", flat=True))
        truths = {
            (name, pk): value
            for name, expression in scan.values.items()
            for pk, value in rows.annotate(_truth=expression).values_list("pk", "_truth")
        }
        for chosen, expected in (
            (Rows(model, "default", pks), pks),
            (Rows(model, "default", last=pks[-1]), pks),
            (Rows(model, "default", after=pks[0], last=pks[-1]), pks[1:]),
            (Rows(model, "default", pks * 60), pks),  # Any number of keys, as one value.
        ):
            found = {
                (name, pk): drifts[name].expected
                for pk, drifts in drift.compared(scan, chosen)
                for name in drifts
            }

            assert found == {
                (name, pk): truths[name, pk] for name in scan.values for pk in expected
            }, (model, scan)


# Like Django's own: packages look at the tables that a query joins --------------------------------


@pytest.fixture
def table():
    """The derived table in a query, and the query."""
    scan = next(scan for model, scan in SCANS if model is Shelf)
    query = drift.expected(scan, Rows(Shelf, "default", [1])).query
    (found,) = (each for each in query.alias_map.values() if isinstance(each, DerivedTable))
    return found, query


@pytest.fixture
def join():
    """The join of the same rows that Django makes."""
    (_, found) = Shelf.objects.filter(books__pages=1).query.alias_map.values()
    return found


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def test_a_derived_table_has_all_that_a_join_has(table, join):
    found, _ = table

    assert isinstance(found, type(join))
    assert public(join) - public(found) == set()
    for name in ("table_name", "parent_alias", "join_field", "join_fields", "join_cols"):
        assert getattr(found, name) == getattr(join, name)
    assert (found.nullable, found.filtered_relation) == (True, None)


def test_a_derived_table_is_equal_to_itself_only(table, join):
    found, query = table
    clone = query.clone().alias_map[found.table_alias]

    assert found == clone == found.relabeled_clone({})
    assert hash(found) == hash(clone)
    assert found != join


@pytest.mark.parametrize("name", ["demote", "promote"])
def test_a_derived_table_can_be_made_an_inner_join_and_back(table, name):
    found, query = table
    changed = getattr(found, name)()
    sql, _ = changed.as_sql(query.get_compiler("default"), connection)

    assert type(changed) is DerivedTable
    assert sql.startswith({"demote": "INNER JOIN (", "promote": "LEFT OUTER JOIN ("}[name])
    assert changed.query is found.query


def test_a_derived_table_is_named_among_the_tables_of_the_query(table):
    found, query = table

    assert query.table_map[Book._meta.db_table] == [found.table_alias]
    assert query.alias_refcount[found.table_alias] == 1


def test_a_query_with_a_derived_table_can_be_relabelled():
    """As a subquery is within another query."""
    populate()
    (scan,) = (scan for model, scan in SCANS if model is Shelf)
    shelves = models.QuerySet(Shelf)
    pks = list(shelves.values_list("pk", flat=True))
    with unsynced():
        shelves.filter(pk=pks[0]).update(book_count=77)
    found, _ = drift.apart(scan, Rows(Shelf, "default", pks))
    query = found.values("pk").query.clone()
    query.change_aliases({alias: f"moved_{alias}" for alias in query.alias_map})

    assert [pk for (pk, *_) in query.get_compiler("default").results_iter()] == [pks[0]]
    assert list(shelves.filter(pk__in=found.values("pk"))) == [Shelf.objects.get(pk=pks[0])]


def test_the_library_reads_as_one_who_writes():
    """Packages that keep the results of queries leave those alone that belong to a write."""
    for task in plan_tasks((Shelf.objects.all(), Post), None):
        assert task.queryset._for_write
    assert rows(Shelf).filter(pk=1).values_list("pk")._for_write
