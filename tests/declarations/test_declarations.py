"""Rules drawn at random, in a process of its own: the models of other tests have rules already."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_whatever_is_declared_is_kept_or_refused():
    suffix = f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}declarations"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]

    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *options),
            *("--ds=tests.declarations.settings", "tests/declarations/scenario.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "SYNCFIELDS_TEST_SUFFIX": suffix},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "skipped" not in result.stdout
