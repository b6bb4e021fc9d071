"""The code of the documentation, run in a project of its own: see tests/pages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATABASE = os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite"


@pytest.mark.skipif(DATABASE != "sqlite", reason="once is enough")
def test_each_block_of_each_page():
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("--ds=tests.pages.settings", "tests/pages"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
