"""To build a query costs more than to send it: what single writes send is compiled once."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db.models.sql import Query

from syncfields.testing import assert_in_sync
from tests.hub.truth import TARGETS
from tests.hub.writes import WRITES, populate
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

SINGLE = (
    "create",
    "flip_a_condition",
    "change_a_summed_value",
    "move_to_another_post_and_author",
    "delete",
)


def counted(monkeypatch):
    """How often a whole statement is compiled from now on, by the class of its query."""
    found: Counter[str] = Counter()

    def get_compiler(self, *args, original=Query.get_compiler, **kwargs):
        found[type(self).__name__] += 1
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Query, "get_compiler", get_compiler)
    return found


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_write_compiles_nothing(name, monkeypatch):
    populate()
    with rolled_back():  # The first of its kind compiles what all others use.
        WRITES[name]()()
    act = WRITES[name]()
    compiled = counted(monkeypatch)
    act()
    monkeypatch.undo()

    assert compiled.total() == 0, compiled
    assert_in_sync(*TARGETS)
