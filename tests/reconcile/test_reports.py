"""What is shown of a value that has drifted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from syncfields.reconcile.reports import in_short
from syncfields.targets.drift import Drift


@pytest.mark.parametrize(
    ("stored", "expected", "said"),
    [
        (9, 13, "stored 9, expected 13"),
        (None, Decimal("0.50"), "stored None, expected 0.50"),
        ("", "a@b.org", "stored '', expected 'a@b.org'"),
        (" ", "5", "stored ' ', expected '5'"),
        (date(2026, 1, 2), None, "stored 2026-01-02, expected None"),
        (b"", b"x", "stored b'', expected b'x'"),
    ],
)
def test_a_value_is_shown_so_that_it_is_seen(stored, expected, said):
    assert in_short(Drift(1, stored, expected)) == said


def test_a_long_text_is_shown_by_its_beginning_and_its_end():
    said = in_short(Drift(1, "", "begin" + "x" * 10_000 + "end"))

    assert len(said) < 100
    assert said.startswith("stored '', expected 'begin")
    assert said.endswith("end'")
