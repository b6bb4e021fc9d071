"""For pytest, which finds it by its entry point: rules are checked after tests that ask for it.

It is loaded in each suite of an environment, those without Django too. So it touches neither
settings nor models until a test has asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any
from unittest import TestCase

import pytest

NAME = "in_sync"
SETTING = "syncfields_in_sync"
OF_THE_DATABASE = {"db", "transactional_db"}
"""What each fixture of pytest-django that gives access to the database asks for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        SETTING,
        "Fail each test that uses the database and leaves a synced field that is not the value of "
        "its expression.",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{NAME}(*selection): when the test has passed, fail it with the synced fields that have "
        "drifted: all, or those of the labels and models given; with False none are looked at.",
    )


@pytest.fixture
def in_sync(db: None) -> Callable[..., None]:
    """``syncfields.testing.assert_in_sync()``, which is called after the test as well."""
    from syncfields.testing import assert_in_sync

    return assert_in_sync


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Behind the test, and before its fixtures are taken down and its rows rolled back."""
    __tracebackhide__ = True
    selection = selected(item)
    if selection is None:
        return (yield)
    from syncfields.testing import check_after_test, followed_by_check

    test: Any = getattr(item, "instance", None)
    if isinstance(test, TestCase):  # When it is done its rows are gone.
        case: Any = test
        case._callTestMethod = followed_by_check(case._callTestMethod, selection)
        return (yield)
    result = yield
    check_after_test(*selection)
    return result


def selected(item: pytest.Item) -> Sequence[Any] | None:
    """What is to be looked at after a test; None for nothing."""
    if (marker := item.get_closest_marker(NAME)) is not None:
        return None if marker.args == (False,) else marker.args
    if NAME in names(item) or (item.config.getini(SETTING) and uses_database(item)):
        return ()
    return None


def names(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def uses_database(item: pytest.Item) -> bool:
    case = getattr(item, "instance", None)
    if isinstance(case, TestCase):
        from django.test import TransactionTestCase

        return isinstance(case, TransactionTestCase)
    marked = item.get_closest_marker("django_db") is not None
    return marked or not OF_THE_DATABASE.isdisjoint(names(item))
