"""Exact, whatever several processes do at the same time. More of it on demand:
SYNCFIELDS_RACE_SECONDS=600, or the command itself, ``python -m tests.races --help``.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.races.conftest import DATABASE
from tests.races.worlds import WORLDS, keys, populate

SECONDS = float(os.environ.get("SYNCFIELDS_RACE_SECONDS") or 6)
SERVER = pytest.mark.skipif(DATABASE == "sqlite", reason="SQLite has one writer at a time")
CELLS = [
    ("read committed", "immediately"),
    ("read committed", "commit"),
    pytest.param("repeatable read", "immediately", marks=SERVER),
]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120 + 4 * SECONDS)]


@pytest.mark.parametrize(("isolation", "apply"), CELLS)
def test_no_drift(races, isolation, apply):
    outcome = races("--seconds", SECONDS, "--isolation", isolation, "--apply", apply)

    assert outcome["steps"]
    assert outcome["events"]
    assert outcome["failures"] == outcome["healed"] == outcome["drift"] == []


def test_every_world_is_populated():
    for world in WORLDS:
        populate([world], Random(7))

        assert all(keys(model) for model in WORLDS[world]), world


@SERVER
@pytest.mark.parametrize("world", ["hot shelves", "hot hub"])
def test_single_writes_of_hot_rows_do_not_deadlock(races, world):
    outcome = races(
        *("--seconds", SECONDS, "--autocommit", 1, "--worlds", world),
        *("--acts", "create", "save", "save_stale", "delete", "delete_first"),
    )

    assert outcome["deadlock"] == 0
    assert outcome["failures"] == outcome["healed"] == outcome["drift"] == []


@pytest.mark.skipif(DATABASE != "postgresql", reason="MariaDB locks the parents at the INSERT")
def test_creates_in_opposite_orders_do_not_deadlock_at_commit(races):
    outcome = races(
        *("--seconds", SECONDS / 2, "--autocommit", 0, "--apply", "commit"),
        *("--worlds", "births", "--acts", "create", "bulk_create"),
    )

    assert outcome["steps"]
    assert outcome["deadlock"] == 0
    assert outcome["failures"] == outcome["healed"] == outcome["drift"] == []


@pytest.mark.parametrize("broken", [pytest.param("locks", marks=SERVER), "memory"])
def test_a_broken_engine_is_found_out(races, broken):
    for seed in range(10):
        outcome = races("--seconds", 4, "--broken", broken, "--worlds", "blogs", "--seed", seed)
        if outcome["drift"] or outcome["healed"]:
            return

    pytest.fail("Nothing drifted.")
