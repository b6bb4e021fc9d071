"""Commands whose output nobody reads on, as in ``manage.py syncfields | head``."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMANDS = [
    ["syncfields"],
    ["syncfields", "--graph", "svg"],
    ["syncfields", "--format", "json"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_it_ends_quietly_where_nobody_reads_on(command):
    reader, writer = os.pipe()
    os.close(reader)

    try:
        result = subprocess.run(
            [sys.executable, "-m", "django", *command],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)

    assert (result.returncode, result.stderr) == (141, "")
