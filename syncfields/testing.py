"""For the test suites of projects that use syncfields. ``pytest_plugin.py`` makes it pytest's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any
from unittest import TestCase

from django.db import connections, router
from django.test.testcases import DatabaseOperationForbidden  # type: ignore[attr-defined]

from syncfields.plan import registry
from syncfields.reconcile.repair import areconcile, reconcile
from syncfields.reconcile.reports import Report, in_short
from syncfields.reconcile.selection import Selection, refuse_broken


def assert_in_sync(*selection: Selection, using: str | None = None) -> None:
    """Fail with what has drifted, unless each selected field has the value of its expression.

    ``selection`` is what ``reconcile()`` takes; nothing stands for every rule. It fails also where
    there is no rule that could be looked at. A selected rule that has an error raises
    ``syncfields.exceptions.BrokenRules``.
    """
    __tracebackhide__ = True
    fail_on_drift(reconcile(*selection, check=True, using=using))


async def aassert_in_sync(*selection: Selection, using: str | None = None) -> None:
    """``assert_in_sync()`` for async tests."""
    __tracebackhide__ = True
    fail_on_drift(await areconcile(*selection, check=True, using=using))


def fail_on_drift(report: Report) -> None:
    __tracebackhide__ = True
    if not any(each.reconcilable for each in report.rules):
        raise AssertionError(
            "No rule was looked at: "
            + ("tallies count events." if report.rules else "no model declares one.")
        )
    lines = [
        f"{each.label}: {each.drifted} of {each.scanned} row(s) drifted"
        + "".join(f"\n  pk {drift.pk}: {in_short(drift)}" for drift in each.examples)
        for each in report.rules
        if each.drifted
    ]
    if lines:
        raise AssertionError("\n".join(lines))


class SyncedTestCase:
    """A mixin for Django's ``TestCase`` and ``TransactionTestCase``, named before them: each test
    method is followed by ``assert_in_sync()``, before ``tearDown()``, unless it has failed.
    """

    in_sync: Selection | Sequence[Selection] = ()
    """What is looked at, as ``assert_in_sync()`` takes it; nothing stands for every rule of the
    databases that the test may use.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        order = cls.__mro__
        if TestCase in order and order.index(TestCase) < order.index(SyncedTestCase):
            # The methods of TestCase would be found first, and nothing would be looked at.
            raise TypeError(
                f"{cls.__qualname__}: name SyncedTestCase before the TestCase, as in "
                f"class {cls.__name__}(SyncedTestCase, TestCase)."
            )

    def _callTestMethod(self, method: Callable[[], object]) -> None:  # noqa: N802
        chosen: Any = self.in_sync
        chosen = chosen if isinstance(chosen, (list, tuple)) else [chosen]
        followed_by_check(super()._callTestMethod, chosen)(method)  # type: ignore[misc]


def followed_by_check(
    call: Callable[[Callable[[], object]], None], selection: Sequence[Selection]
) -> Callable[[Callable[[], object]], None]:
    """What calls the method of a unittest, with a check behind it: not as a cleanup, which is not
    told whether the test has failed.
    """

    def call_and_check(method: Callable[[], object]) -> None:
        __tracebackhide__ = True
        call(method)
        check_after_test(*selection)

    return call_and_check


def check_after_test(*selection: Selection) -> None:
    """``assert_in_sync()``, as far as a test leaves anything to be asked."""
    __tracebackhide__ = True
    if selection:
        assert_in_sync(*selection)
        return
    refuse_broken([None])
    labels: dict[str, list[str]] = defaultdict(list)
    for rule in registry.plan().rules:
        labels[router.db_for_write(rule.model)].append(rule.label)
    aliases = list(filter(may_be_used, labels))
    # A transaction that an error has ended answers nothing, and is rolled back in any case.
    asked = [alias for alias in aliases if not connections[alias].needs_rollback]
    if asked or not aliases:
        assert_in_sync(*(label for alias in asked for label in labels[alias]))


def may_be_used(alias: str) -> bool:
    """Whether the ``databases`` of the running test name it."""
    connection = connections[alias]
    if connection.needs_rollback:
        return True
    try:
        with connection.cursor():
            return True
    except DatabaseOperationForbidden:
        return False
