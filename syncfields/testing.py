"""For the test suites of projects that use syncfields."""

from __future__ import annotations

from syncfields.reconcile.repair import areconcile, reconcile
from syncfields.reconcile.reports import Report
from syncfields.reconcile.selection import Selection


def assert_in_sync(*selection: Selection, using: str | None = None) -> None:
    """Fail with what has drifted, unless each selected field has the value of its expression.

    ``selection`` is what ``reconcile()`` takes; nothing stands for every rule. A selected rule that
    has an error raises ``syncfields.exceptions.BrokenRules``.
    """
    fail_on_drift(reconcile(*selection, check=True, using=using))


async def aassert_in_sync(*selection: Selection, using: str | None = None) -> None:
    """``assert_in_sync()`` for async tests."""
    fail_on_drift(await areconcile(*selection, check=True, using=using))


def fail_on_drift(report: Report) -> None:
    lines = [
        f"{each.label}: {each.drifted} of {each.scanned} drifted, for instance "
        + ", ".join(f"{d.pk!r}: {d.stored!r} instead of {d.expected!r}" for d in each.examples)
        for each in report.rules
        if each.drifted
    ]
    if lines:
        raise AssertionError("\n".join(lines))
