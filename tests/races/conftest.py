"""Which pairs of writes are played; and the command, a process of its own, as a fixture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from itertools import combinations_with_replacement

import pytest
from django.db import connections

from tests.races.parts import WORLDS
from tests.races.stage import Actor

PLAY_ALL = os.environ.get("SYNCFIELDS_TEST_RACES") == "all"
"""Whether all pairs of writes are to meet, and not some chosen ones only."""
DATABASE = os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite"


def cases(chosen):
    """The name of a world, and pairs of its parts. Those that are chosen are one test, because to
    empty all tables takes longer than most of them.
    """
    if not PLAY_ALL:
        return [pytest.param(name, pairs, id=name) for name, pairs in chosen.items()]
    return [
        pytest.param(name, [pair], id="-".join([name, *pair]))
        for name, world in WORLDS.items()
        for pair in combinations_with_replacement(sorted(world.parts), 2)
    ]


def pytest_terminal_summary(terminalreporter):
    """Tell which pairs of ``deadlocks.py`` got along, where all of them were played."""
    if PLAY_ALL:
        for report in terminalreporter.getreports("passed"):
            for name, value in report.user_properties:
                terminalreporter.line(f"{name}: {value} ({report.nodeid})")


@pytest.fixture
def actors():
    """Two transactions at READ COMMITTED."""
    both = Actor("read committed"), Actor("read committed")
    yield both
    for each in both:
        each.leave()


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
