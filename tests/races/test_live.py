"""Reconcile while others write: nothing lost, nothing right reported, nothing clean locked."""

from __future__ import annotations

import os

import pytest

from syncfields import reconcile, unsynced
from tests.menagerie import populate
from tests.races.test_races import SERVER
from tests.statements import sent
from tests.testapp.models import Shelf

SECONDS = float(os.environ.get("SYNCFIELDS_RACE_SECONDS") or 8)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(120 + 4 * SECONDS)
def test_under_live_traffic(races):
    outcome = races("--reconcile", "--seconds", SECONDS, "--processes", 3)

    assert outcome["planted"]
    assert outcome["runs of reconcile"]
    assert outcome["failures"] == outcome["healed"] == outcome["drift"] == []


def locking(statements):
    return [sql for sql in statements.sql if "FOR UPDATE" in sql or "FOR NO KEY UPDATE" in sql]


@SERVER
@pytest.mark.django_db
def test_clean_rows_are_not_locked():
    populate()

    with sent() as statements:
        assert reconcile().repaired == 0

    assert locking(statements) == []


@SERVER
@pytest.mark.django_db
def test_drifted_rows_are_locked_by_their_keys():
    shelves = [Shelf.objects.create() for _ in range(100)]
    wrong = [shelves[3].pk, shelves[70].pk]
    with unsynced():
        Shelf.objects.filter(pk__in=wrong).update(page_sum=7)

    with sent() as statements:
        assert reconcile(Shelf).repaired == 2

    locks = locking(statements)
    assert locks
    assert all(f"IN ({wrong[0]}, {wrong[1]})" in sql for sql in locks)
