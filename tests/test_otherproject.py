"""A project with a user model and tables of its own, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_swapped_user_model_and_unmanaged_models():
    suffix = f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}otherproject"
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]

    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *arguments),
            *("--ds=tests.otherproject.settings", "tests/otherproject/scenario.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "SYNCFIELDS_TEST_SUFFIX": suffix},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 passed" in result.stdout
