"""The matrix: `nox` runs the tests with each supported Django on each Python that is here.

`nox -s "tests(python='3.12', django='5.2')" -- tests/capture` runs one of them, with arguments for
pytest; `SYNCFIELDS_TEST_DATABASE` chooses a database, as everywhere. What has no interpreter is
skipped, and the summary says so.
"""

from __future__ import annotations

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
DJANGOS = {"5.2": PYTHONS, "6.0": PYTHONS[2:], "6.1": PYTHONS[2:]}

nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session
@nox.parametrize(
    ("python", "django"), [(python, django) for django in DJANGOS for python in DJANGOS[django]]
)
def tests(session: nox.Session, django: str) -> None:
    session.install("--upgrade", "pip>=25.1")  # It knows dependency groups.
    session.install(
        f"Django~={django}.0",
        *("--editable", ".[progress,postgresql,mysql]", "--group", "test"),
    )
    session.run("python", "-m", "tests", *session.posargs)
