"""What one process does by itself, in blocks with savepoints and what is rolled back of them, is
right on every database: at random, and the same every time.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.races.verdict import drift
from tests.races.workers import Load, Work
from tests.races.worlds import WORLDS, models_of, populate

pytestmark = pytest.mark.django_db(transaction=True)

TRANSACTIONS = 40
WORTHWHILE = [world for world in WORLDS if not world.startswith(("hot", "births"))]


@pytest.mark.parametrize("apply", ["immediately", "commit"])
@pytest.mark.parametrize("world", WORTHWHILE)
def test_one_process_by_itself(settings, world, apply):
    settings.SYNCFIELDS = {"APPLY": apply}
    populate([world], Random(world))
    work = Work(Load(worlds=[world], autocommit=0.1), 0)

    for _ in range(TRANSACTIONS):
        work.one()

    assert work.told.failures == work.told.healed == []
    assert drift(models_of([world])) == []
