"""Run by test_declarations.py in a process of its own: no rules but those of an example."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.declarations.found import FOUND
from tests.declarations.play import Example, Outcome, play
from tests.declarations.search import failure, report, shrunk

pytestmark = pytest.mark.django_db

EXAMPLES = int(
    os.environ.get("SYNCFIELDS_TEST_EXAMPLES") or {"sqlite": 25}.get(connection.vendor, 8)
)
FEW = 0.3


@st.composite
def examples(draw: st.DrawFn) -> Example:
    return Example.drawn(lambda low, high: draw(st.integers(low, high)))


@pytest.mark.timeout(900)  # Finding the smallest example that fails takes its time.
def test_whatever_is_declared_is_kept_or_refused():
    outcome = Outcome()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        # What fails is made smaller line by line, which takes seconds and not minutes.
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(examples())
    def every_value_is_true(example: Example) -> None:
        error = failure(example, outcome)
        if error is not None:
            pytest.fail(report(*shrunk(example, error)))

    every_value_is_true()

    assert outcome.refused.total() < FEW * outcome.declared
    assert outcome.impossible < FEW * outcome.declared


@pytest.mark.parametrize("example", FOUND.values(), ids=FOUND)
def test_what_was_found(example):
    play(Example.read(example))


def test_an_example_is_read_back_as_it_is_printed():
    text = """\
save(Area(code="c1", number=1), {})
# ---
register(Area, int_=Count("owners", filter=Q(owners__size__gt=1)))
register(Owner, char_n=F("home__name"))
# ---
with coalesce():
    Owner.objects.create(area=row(Area, 0), size=2)
    Owner.objects.create(home=row(Area, 0), size=2)
rows(Owner, 0, 1)"""

    example = Example.read(text)

    assert str(example) == text
    assert len(example.lines) == 2
    play(example)
