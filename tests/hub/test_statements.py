"""What each kind of write of the hub sends, beside the budget: see ``Cost``.

The numbers are exact. Who makes one lower enters it here; who makes one higher has to say why.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.db import connection

from syncfields.testing import assert_in_sync
from tests.hub.truth import TARGETS
from tests.hub.writes import WRITES, populate
from tests.statements import sent
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

DATABASES = ("sqlite", "postgresql", "mysql")


@dataclass(frozen=True, slots=True)
class Cost:
    """The statements of a write, the user's own and ours."""

    sqlite: int
    postgresql: int
    mysql: int
    tables: int
    """Tables that change, beside what the user's own statement changes."""
    fan_outs: int = 0
    """What no SELECT of the changed rows with to-one joins can answer; or a cascade, which reads
    rows of one table more.
    """
    own: int = 1
    """What Django sends without the library."""

    def sent(self, vendor: str) -> int:
        return int(getattr(self, vendor))

    def goal(self, vendor: str) -> int:
        """The budget: a lock, a reading, and one UPDATE for each table; on MariaDB each table is
        locked by a statement of its own. One more for each fan-out.
        """
        locks = 2 * self.tables if vendor == "mysql" else self.tables
        return self.own + locks + 2 + self.fan_outs

    def meets(self, vendor: str) -> bool:
        return self.sent(vendor) <= self.goal(vendor)


COSTS = {
    "create": Cost(6, 3, 3, tables=4),
    "save_unchanged": Cost(2, 2, 2, tables=0),
    "flip_a_condition": Cost(4, 4, 4, tables=2),
    "change_a_summed_value": Cost(3, 4, 4, tables=1, fan_outs=1),
    "move_to_another_post_and_author": Cost(5, 4, 4, tables=2, fan_outs=2),
    "delete": Cost(6, 4, 4, tables=4, fan_outs=1),
    "bulk_create": Cost(7, 7, 11, tables=4),
    "update_a_condition": Cost(4, 4, 4, tables=2),
    "update_a_summed_value": Cost(5, 4, 6, tables=1, fan_outs=1),
    "bulk_update": Cost(6, 5, 7, tables=2, fan_outs=1),
    "delete_many": Cost(7, 6, 11, tables=4, fan_outs=1),
    "author_becomes_inactive": Cost(5, 5, 5, tables=1, fan_outs=1),
    "blog_renamed": Cost(4, 7, 8, tables=1),
    "post_moves": Cost(6, 9, 9, tables=2, fan_outs=1),
    "delete_post": Cost(8, 8, 11, tables=3, fan_outs=1, own=2),
}
ROWS_BETWEEN = {
    "blog_renamed": "The comments that copy the name are locked before the blog, in the one order, "
    "and looked for once more when it is locked: those that came while it was waited for are only "
    "seen then, and are locked.",
    "post_moves": "So are the comments of the post; and how many it takes along is read from the "
    "side of the blogs, before it and after it.",
}
MISSING: dict[str, dict[str, str]] = {
    "sqlite": {},
    "postgresql": ROWS_BETWEEN,
    "mysql": ROWS_BETWEEN,
}
"""The writes that do not meet the budget: which statement more they need, and why."""


@pytest.fixture(autouse=True)
def rows():
    populate()


def test_every_write_has_its_cost():
    assert COSTS.keys() == WRITES.keys()


@pytest.mark.parametrize("vendor", DATABASES)
def test_which_writes_meet_the_budget(vendor):
    assert {name for name, cost in COSTS.items() if not cost.meets(vendor)} == {*MISSING[vendor]}


@pytest.mark.parametrize("name", COSTS)
def test_statements(name):
    act = WRITES[name]()

    with sent() as statements:
        act()

    assert_truth(*TARGETS)
    assert_in_sync(*TARGETS)
    assert len(statements) == COSTS[name].sent(connection.vendor), "\n".join(statements.sql)
