"""What is offered to the suites of other projects."""

from __future__ import annotations

import unittest

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from syncfields import unsynced
from syncfields.reconcile.reports import Report
from syncfields.testing import SyncedTestCase, assert_in_sync, fail_on_drift
from tests.testapp.models import Book, Publisher, Shelf


def drift():
    with unsynced():
        Book.objects.create(shelf=Shelf.objects.create(), pages=3)


# assert_in_sync() --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_has_drifted_is_named():
    drift()

    with pytest.raises(
        AssertionError, match=r"testapp\.Shelf\.book_count: 1 of 1 row\(s\) drifted"
    ):
        assert_in_sync()
    with pytest.raises(AssertionError, match=r"\n  pk \d+: stored 0, expected 3$"):
        assert_in_sync("testapp.Shelf.page_sum")
    assert_in_sync(Publisher)


def test_it_is_not_green_where_there_is_no_rule():
    with pytest.raises(AssertionError, match="No rule was looked at: no model declares one"):
        fail_on_drift(Report())


@pytest.mark.django_db
def test_it_is_not_green_where_there_are_only_events():
    with pytest.raises(AssertionError, match="No rule was looked at: tallies count events"):
        assert_in_sync("testapp.Profile.points")


# SyncedTestCase ----------------------------------------------------------------------------------


class Of(SyncedTestCase):
    """Tests that are run below, by themselves."""

    __test__ = False
    torn_down = False

    def tearDown(self):
        type(self).torn_down = True

    def test_in_sync(self):
        Book.objects.create(shelf=Shelf.objects.create())

    def test_drift(self):
        drift()

    def test_failed(self):
        drift()
        self.fail("of its own")

    def test_skipped(self):
        drift()
        self.skipTest("not today")

    def test_transaction_that_an_error_has_ended(self):
        try:
            Shelf.objects.create(pk=Shelf.objects.create().pk)
        except IntegrityError:
            assert connection.needs_rollback

    async def test_async(self):
        await Shelf.objects.acreate()
        await Shelf.objects.aupdate()


class OfTestCase(Of, TestCase):
    pass


class OfTransactionTestCase(Of, TransactionTestCase):
    pass


class OfSome(Of, TestCase):
    in_sync = ("testapp.Publisher",)


class OfOne(Of, TestCase):
    in_sync = "testapp.Publisher"


class OfDrift(Of, TestCase):
    in_sync = Shelf


class OfNoDatabase(Of, SimpleTestCase):
    def test_in_sync(self):
        pass


def run(case, name):
    """What is wrong with a test of the class, in a line."""
    if issubclass(case, TestCase):
        case.setUpClass()
    result = unittest.TestResult()
    try:
        case(name)(result)
    finally:
        case.tearDownClass() if issubclass(case, TestCase) else None
    assert result.testsRun == 1
    return "\n".join(text for _, text in (*result.failures, *result.errors))


@pytest.fixture(params=[OfTestCase, OfTransactionTestCase])
def case(request, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        yield request.param


def test_a_test_that_leaves_drift_fails(case):
    case.torn_down = False

    found = run(case, "test_drift")

    assert "testapp.Shelf.book_count: 1 of 1 row(s) drifted" in found
    assert case.torn_down


@pytest.mark.parametrize(
    "name",
    ["test_in_sync", "test_skipped", "test_async"],
)
def test_others_pass(case, name):
    assert run(case, name) == ""


def test_what_has_failed_by_itself_is_not_looked_at(case):
    found = run(case, "test_failed")

    assert "of its own" in found
    assert "drifted" not in found


def test_a_transaction_that_an_error_has_ended_is_not_asked(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        assert run(OfTestCase, "test_transaction_that_an_error_has_ended") == ""


@pytest.mark.parametrize("case", [OfSome, OfOne])
def test_only_what_is_named_is_looked_at(case, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        assert run(case, "test_drift") == ""
        assert "testapp.Shelf.book_count" in run(OfDrift, "test_drift")


@pytest.mark.parametrize("base", [SimpleTestCase, TestCase, TransactionTestCase, unittest.TestCase])
def test_it_is_not_green_where_it_is_named_behind_the_test_case(base):
    with pytest.raises(TypeError, match=r"Late: name SyncedTestCase before the TestCase, as in "):

        class Late(base, SyncedTestCase):
            pass


def test_where_no_database_may_be_used_it_is_not_green(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        OfNoDatabase.setUpClass()
        try:
            assert "queries to 'default' are not allowed" in run(OfNoDatabase, "test_in_sync")
        finally:
            OfNoDatabase.doClassCleanups()


@pytest.mark.django_db(transaction=True)
def test_nothing_of_it_is_left():
    assert not Shelf.objects.exists()
    with transaction.atomic():
        assert not Book.objects.exists()
