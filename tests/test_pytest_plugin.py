"""The plugin of pytest, in suites of other projects: each in a process of its own."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parent.parent
PLUGIN = "syncfields.pytest_plugin"
INSTALLED = any(each.value == PLUGIN for each in entry_points(group="pytest11"))

SETTINGS = """
    SECRET_KEY = "tests"
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        "logs": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    }
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    INSTALLED_APPS = ["syncfields", "shop"]
    DATABASE_ROUTERS = ["shop.routers.Router"]
"""
ROUTERS = """
    class Router:
        def db_for_write(self, model, **hints):
            return "logs" if model.__name__ in ("Day", "Hit") else "default"
        db_for_read = db_for_write
"""
MODELS = """
    from django.db import models
    from django.db.models import Count
    from syncfields import synced

    class Order(models.Model):
        line_count = synced(models.PositiveIntegerField(default=0), Count("lines"))

    class Line(models.Model):
        order = models.ForeignKey(Order, models.CASCADE, related_name="lines")

    class Day(models.Model):
        hit_count = synced(models.PositiveIntegerField(default=0), Count("hits"))

    class Hit(models.Model):
        day = models.ForeignKey(Day, models.CASCADE, related_name="hits")
"""
HEAD = """
import pytest
from django.test import SimpleTestCase, TestCase
from shop.models import Day, Hit, Line, Order
from syncfields import unsynced
from syncfields.testing import SyncedTestCase

def drift():
    with unsynced():
        Line.objects.create(order=Order.objects.create())
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A Django project with two rules, of two databases."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(pytester.path)]))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    pytester.mkpydir("shop")
    pytester.makepyfile(**{"settings": SETTINGS, "shop/models": MODELS, "shop/routers": ROUTERS})
    return pytester


def run(pytester, *arguments):
    plugin = () if INSTALLED else ("-p", PLUGIN)
    return pytester.run(
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, "-rA", *arguments
    )


def outcomes(result):
    """By name of each test, what became of it."""
    found = {}
    for line in result.outlines:
        word, _, rest = line.partition(" ")
        if word in ("PASSED", "FAILED", "ERROR", "SKIPPED"):
            found[rest.split(" - ")[0].rpartition("::")[2]] = word
    return found


def suite(project, text, *settings):
    project.makeini("\n".join(["[pytest]", "DJANGO_SETTINGS_MODULE = settings", *settings]))
    project.makepyfile(test_shop=HEAD + text)
    result = run(project, "--strict-markers", "--strict-config")
    return outcomes(result), result


OPTED_IN = """
@pytest.mark.in_sync
@pytest.mark.django_db
def test_marked():
    drift()

@pytest.mark.in_sync
@pytest.mark.django_db
def test_marked_and_right():
    Line.objects.create(order=Order.objects.create())

@pytest.mark.in_sync("shop.Day")
@pytest.mark.django_db(databases=["default", "logs"])
def test_marked_with_others():
    drift()

@pytest.mark.in_sync("shop.Order.line_count")
@pytest.mark.django_db
def test_marked_with_its_label():
    drift()

def test_fixture(in_sync):
    drift()

def test_fixture_called(in_sync):
    drift()
    with pytest.raises(AssertionError, match="1 of 1 row"):
        in_sync("shop.Order")
    Line.objects.all().delete()

@pytest.mark.in_sync
@pytest.mark.django_db(transaction=True)
def test_transactional():
    drift()

@pytest.mark.django_db
def test_not_marked():
    drift()

@pytest.mark.in_sync
@pytest.mark.django_db
def test_failed_by_itself():
    drift()
    raise ZeroDivisionError

@pytest.mark.in_sync
class MarkedTests(TestCase):
    def test_case(self):
        drift()

    def test_case_that_is_right(self):
        Line.objects.create(order=Order.objects.create())

class MixedTests(SyncedTestCase, TestCase):
    def test_mixin(self):
        drift()

class PlainTests(TestCase):
    def test_plain(self):
        drift()
"""


def test_a_test_is_checked_that_asks_for_it(project):
    found, result = suite(project, OPTED_IN)

    assert found == {
        "test_marked": "FAILED",
        "test_marked_and_right": "PASSED",
        "test_marked_with_others": "PASSED",
        "test_marked_with_its_label": "FAILED",
        "test_fixture": "FAILED",
        "test_fixture_called": "PASSED",
        "test_transactional": "FAILED",
        "test_not_marked": "PASSED",
        "test_failed_by_itself": "FAILED",
        "test_case": "FAILED",
        "test_case_that_is_right": "PASSED",
        "test_mixin": "FAILED",
        "test_plain": "PASSED",
    }
    lines = [
        "*AssertionError: shop.Order.line_count: 1 of 1 row(s) drifted*",
        "*  pk 1: stored 0, expected 1*",
    ]
    result.stdout.fnmatch_lines(lines)
    assert "ZeroDivisionError" in result.stdout.str()


EACH = """
import unittest

@pytest.mark.django_db
def test_marked_for_the_database():
    drift()

@pytest.fixture
def order(db):
    return Order.objects.create()

def test_by_a_fixture(order):
    with unsynced():
        Line.objects.create(order=order)

def test_by_a_fixture_and_right(order):
    Line.objects.create(order=order)

@pytest.mark.in_sync(False)
@pytest.mark.django_db
def test_opted_out():
    drift()

@pytest.mark.django_db(databases=["default"])
def test_a_database_that_may_not_be_used_is_not_asked():
    Order.objects.create()

@pytest.mark.django_db(databases=["default", "logs"])
def test_each_database_that_may_be_used_is_asked():
    with unsynced():
        Hit.objects.create(day=Day.objects.create())

def test_without_a_database():
    pass

class Tests(TestCase):
    databases = ["logs"]

    def test_case(self):
        with unsynced():
            Hit.objects.create(day=Day.objects.create())

class NoDatabaseTests(SimpleTestCase):
    def test_simple(self):
        pass

class NoDjangoTests(unittest.TestCase):
    def test_unittest(self):
        pass
"""


def test_a_setting_has_each_test_checked_that_uses_the_database(project):
    found, _ = suite(project, EACH, "syncfields_in_sync = true")

    assert found == {
        "test_marked_for_the_database": "FAILED",
        "test_by_a_fixture": "FAILED",
        "test_by_a_fixture_and_right": "PASSED",
        "test_opted_out": "PASSED",
        "test_a_database_that_may_not_be_used_is_not_asked": "PASSED",
        "test_each_database_that_may_be_used_is_asked": "FAILED",
        "test_without_a_database": "PASSED",
        "test_case": "FAILED",
        "test_simple": "PASSED",
        "test_unittest": "PASSED",
    }


def test_it_is_not_green_in_a_project_without_rules(project):
    project.makepyfile(**{"shop/models": MODELS.replace("synced(", "(lambda field, rule: field)(")})

    found, result = suite(project, "def test_fixture(in_sync):\n    pass\n")

    assert found == {"test_fixture": "FAILED"}
    result.stdout.fnmatch_lines(["*No rule was looked at: no model declares one.*"])


@pytest.mark.parametrize("arguments", [(), ("-p", "no:django")], ids=["", "without pytest-django"])
def test_a_suite_without_settings_is_not_touched(pytester, monkeypatch, arguments):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    pytester.makepyfile(
        """
        import sys
        import unittest

        def test_plain():
            from django.conf import settings
            assert not settings.configured
            assert [each for each in sys.modules if each.startswith("django.contrib")] == []

        class Tests(unittest.TestCase):
            def test_case(self):
                pass
        """
    )

    result = run(pytester, *arguments)

    assert outcomes(result) == {"test_plain": "PASSED", "test_case": "PASSED"}


def test_the_marker_and_the_setting_are_documented(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)

    run(pytester, "--markers").stdout.fnmatch_lines(["@pytest.mark.in_sync(*"])
    run(pytester, "--help").stdout.fnmatch_lines(["*syncfields_in_sync (bool):*"])
