"""Each Python block of each page is run by a test: by one beside this file, or where it is told."""

from __future__ import annotations

import re
from pathlib import Path

from tests.pages.blocks import PAGES, ROOT, blocks

ELSEWHERE = [
    ("docs/coming-from.md", "", "tests/test_coming_from.py"),
    ("docs/cookbook.md", "import GenericForeignKey", "tests/test_cookbook.py"),
    ("docs/cookbook.md", "models.Model", "tests/test_cookbook.py"),
    ("docs/cookbook.md", "@receiver(synced", "tests/test_cookbook.py"),
    ("docs/operating.md", "prometheus_client", "tests/test_operating.py"),
    ("docs/start.md", "class Post(", "tests/test_start.py"),
    ("docs/start.md", "from blog.models import", "tests/test_start.py"),
]
"""A page, what is in its block, and the test that runs such blocks."""
NOT_RUN = [
    ("docs/packages.md", "django.db.backends.postgresql", "The settings are those of a server."),
    ("docs/packages.md", "DISABLE_SERVER_SIDE_CURSORS", "The settings are those of a server."),
]
"""The reason why none does."""
TRIAL = re.compile(r"\bshown\(\s*\"([\w-]+)\"")


def in_trials():
    """Those that the trials of other packages run, where the package is installed."""
    for file in (ROOT / "tests" / "packages").glob("test_*.py"):
        for package in TRIAL.findall(file.read_text(encoding="utf-8")):
            yield ("docs/packages.md", package, 1)


def is_among(block, table):
    return any(block.page == page and part in block.text for page, part, _ in table)


def test_each_block_is_run(request):
    items = request.session.items
    marked = {(*mark.args, 1)[:3] for each in items for mark in each.iter_markers("block")}
    run = {*marked, *in_trials()}

    by_nothing = [
        str(block)
        for page in PAGES
        for block in blocks(page)
        if block[:3] not in run and not is_among(block, ELSEWHERE + NOT_RUN)
    ]

    assert by_nothing == []


def test_the_tables_speak_of_blocks_and_tests_that_are_there():
    known = [block for page in PAGES for block in blocks(page)]

    for row in ELSEWHERE + NOT_RUN:
        assert any(is_among(block, [row]) for block in known), row
    for page, _, test in ELSEWHERE:
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")
