"""Old code beside new code, for a second: the script says itself whether what it claims holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(
    os.environ.get("SYNCFIELDS_TEST_DATABASE") != "postgresql", reason="it is of PostgreSQL"
)
def test_what_old_code_leaves_is_repaired_while_new_code_writes():
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.rollout", "1"],
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "SYNCFIELDS_TEST_SUFFIX": f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}_rollout",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert "none has drifted then" in result.stdout
