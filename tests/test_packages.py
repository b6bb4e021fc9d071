"""The trials with other packages, in processes of their own: their settings are not those of the
tests. See docs/packages.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "tests" / "packages").glob("test_*.py"))
ABSENT = re.compile(r"reason=\"(\S+) is not installed\"")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("trial", ["together", "cachalot", "cacheops", "pghistory", "psqlextra"])
def test_rules_hold_whatever_a_package_writes(trial):
    if trial != "together" and find_spec(trial) is None:
        pytest.skip(f"{trial} is not installed")
    suffix = f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}packages{trial}"

    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--nomigrations"),
            *("-p", "no:cacheprovider", "-p", "no:xdist"),
            *("--ds=tests.packages.settings", "tests/packages"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "SYNCFIELDS_TEST_PACKAGE": "" if trial == "together" else trial,
            "SYNCFIELDS_TEST_SUFFIX": suffix,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    if result.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        pytest.skip("none of the packages is installed")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_package_that_is_tried_is_in_the_documentation(file):
    (package,) = ABSENT.findall(file.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")

    assert f"| {package} |" in page
    assert f"### {package}\n" in page
    assert f'shown("{package}"' in re.sub(r"\(\s+", "(", file.read_text(encoding="utf-8"))
