"""Through pgbouncer, which gives four connections to more clients, a transaction at a time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, connections

from tests.races.servers import MissingError, PgBouncer, running

REQUIRED = "pgbouncer" in os.environ.get("SYNCFIELDS_REQUIRE", "").split(",")
ROOT = Path(__file__).parents[2]
PROCESSES = PgBouncer.size + 2
RETRIED = (
    "test_transfers_in_opposite_orders_all_come_through",
    "test_a_write_in_autocommit_is_tried_again",
    "test_a_write_in_a_transaction_of_the_user_is_not",
)
CHOSEN = (
    *("tests/transactions", "tests/hub/test_statements.py", "tests/reconcile/test_repair.py"),
    *(f"tests/races/test_retry.py::{name}" for name in RETRIED),
    *("-k", "not each_rule and not few_rows and not everything and not menagerie"),
)
"""Writes in autocommit and in transactions, what waits for COMMIT, reconcile, and what is tried
again after a deadlock.
"""

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(400),  # Each is a command of its own.
    pytest.mark.skipif(connection.vendor != "postgresql", reason="pgbouncer is for PostgreSQL"),
]


@pytest.fixture(scope="module")
def bouncer():
    try:
        server = PgBouncer()
        server.command()
    except MissingError as missing:
        if REQUIRED:
            raise
        pytest.skip(str(missing))
    with running(server):
        yield server


@pytest.fixture
def pooled(bouncer, monkeypatch):
    """The environment of commands whose connections are to be pooled."""
    monkeypatch.setenv("SYNCFIELDS_POSTGRESQL_URL", bouncer.url)
    monkeypatch.setenv("SYNCFIELDS_TEST_POOLED", "1")


def test_a_connection_changes_with_each_transaction(bouncer):
    import psycopg

    def ask():
        return psycopg.connect(bouncer.url, autocommit=True, prepare_threshold=None)

    def process(each):
        return each.execute("SELECT pg_backend_pid()").fetchone()

    with ask() as one, ask() as another:
        with one.transaction(), another.transaction():
            assert process(one) != process(another)
        found = {process(one) for _ in range(2 * PgBouncer.size)}

    assert 1 < len(found) <= PgBouncer.size


@pytest.mark.parametrize("more", [("--kills=20",), ("--reconcile",)], ids=" ".join)
def test_races(pooled, races, more):
    outcome = races("--seconds", 4, "--processes", PROCESSES, *more)

    assert outcome["steps"]
    assert outcome["failures"] == outcome["healed"] == outcome["drift"] == []


def test_what_is_chosen(pooled):
    database = str(connection.settings_dict["NAME"])
    connections.close_all()

    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *CHOSEN,
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTEST_PLUGINS": "tests.races.kept",
            "SYNCFIELDS_TEST_SUFFIX": database.removeprefix("test_syncfields_default"),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^\d+ passed", result.stdout, re.MULTILINE), result.stdout
