"""To build a query costs more than to send it: what single writes send is compiled once."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db.models.sql import compiler

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
    """How often a whole statement is compiled from now on, by the class of its compiler."""
    found: Counter[str] = Counter()
    nested = [0]

    def counting(original):
        def as_sql(self, *args, **kwargs):
            found[type(self).__name__] += not nested[0]
            nested[0] += 1
            try:
                return original(self, *args, **kwargs)
            finally:
                nested[0] -= 1

        return as_sql

    for name in ("SQLCompiler", "SQLInsertCompiler", "SQLUpdateCompiler", "SQLDeleteCompiler"):
        kind = getattr(compiler, name)
        monkeypatch.setattr(kind, "as_sql", counting(vars(kind)["as_sql"]))
    return found


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_write_compiles_nothing(name, monkeypatch):
    populate()
    with rolled_back():  # The first of its kind compiles what all others use.
        WRITES[name]()()
    act = WRITES[name]()
    compiled = counted(monkeypatch)
    act()

    assert compiled.total() == 0, compiled
    assert_in_sync(*TARGETS)
