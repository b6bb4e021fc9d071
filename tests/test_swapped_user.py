"""A user model of the project's own, in a process of its own: the setting is read at start-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_case_46_a_swapped_user_model():
    suffix = f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}swapped"
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]

    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *arguments),
            *("--ds=tests.swapped.settings", "tests/swapped/scenario.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "SYNCFIELDS_TEST_SUFFIX": suffix},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed" in result.stdout
