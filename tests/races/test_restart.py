"""The server is killed in the middle of a reconcile: the next run goes on where it was."""

from __future__ import annotations

import pytest

from tests.races.conftest import run
from tests.races.restarts import SHELVES
from tests.races.test_races import SERVER

pytestmark = [SERVER, pytest.mark.timeout(300)]


def test_resumed_after_the_server_was_killed():
    outcome = run("--restart", "--worlds", "shelves")
    if "skipped" in outcome:
        pytest.skip(outcome["skipped"])

    assert outcome["connection lost"]
    assert outcome["steps"]
    assert 0 < outcome["rows of the second run"] < SHELVES
    assert outcome["failures"] == outcome["healed"] == outcome["drift"] == []
