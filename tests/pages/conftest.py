"""These tests have settings of their own: see tests/test_pages.py."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from django.conf import settings

from syncfields.signals import drift_found, synced
from tests.pages import blocks

IS_HERE = settings.SETTINGS_MODULE == "tests.pages.settings"
collect_ignore = [] if IS_HERE else [path.name for path in Path(__file__).parent.glob("test_*.py")]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "block(page, heading, number=1): which block a test runs.")


@pytest.fixture
def run(request: pytest.FixtureRequest, db: object) -> partial[object]:
    """Execute the block that the test is about, with the names that it is given besides."""
    (mark,) = request.node.iter_markers("block")
    return partial(blocks.run, blocks.block(*mark.args))


@pytest.fixture(autouse=True)
def receivers():
    """Those that a block connects are there for its test only."""
    known = {signal: signal.receivers[:] for signal in (synced, drift_found)}
    yield
    for signal, receivers in known.items():
        signal.receivers[:] = receivers
        signal.sender_receivers_cache.clear()
