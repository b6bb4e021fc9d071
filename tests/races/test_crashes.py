"""A process may be killed at any moment: what it wrote is there with all that follows from it."""

from __future__ import annotations

import os

import pytest

KILLS = int(os.environ.get("SYNCFIELDS_RACE_KILLS") or 20)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120 + 4 * KILLS)]


def test_no_drift_after_kills(races):
    outcome = races("--kills", KILLS)

    assert outcome["kills"] >= KILLS
    assert outcome["kills of reconcile"] == KILLS // 10
    assert outcome["failures"] == outcome["healed"] == outcome["drift"] == []


def test_a_write_apart_from_its_updates_is_found_out(races):
    for seed in range(5):
        outcome = races(
            *("--kills", 40, "--broken", "transactions", "--autocommit", 1, "--seed", seed),
            *("--worlds", "births", "--acts", "create", "bulk_create"),
        )
        if outcome["drift"] or outcome["healed"]:
            return

    pytest.fail("Nothing drifted.")
