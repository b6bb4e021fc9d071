"""The command as a fixture: a process of its own, which can fork as it likes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial

import pytest
from django.db import connections

DATABASE = os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite"


@pytest.fixture
def races(transactional_db):
    """``run()`` on the test database."""
    name = str(connections["default"].settings_dict["NAME"])
    connections.close_all()
    return partial(run, "--name", name)


def run(*options):
    """What ``python -m tests.races`` found."""
    arguments = ["--database", DATABASE, "--json", *map(str, options)]
    command = [sys.executable, "-m", "tests.races", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    print(" ".join(command), json.dumps(outcome, indent=1), sep="\n")
    return outcome
