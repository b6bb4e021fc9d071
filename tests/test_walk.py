"""The way of a save through the code is the one that the documentation shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import syncfields
from tests.testapp.models import Cup, Tray

PACKAGE = Path(syncfields.__file__).parent
PAGE = PACKAGE.parent / "docs" / "how-it-works.md"
ROW = re.compile(r"^\| `([\w/]+\.py)` \| (.+?) \|", re.MULTILINE)
MOST = 8

pytestmark = pytest.mark.django_db


def shown():
    """The files and functions, in order."""
    _, _, rest = PAGE.read_text("utf-8").partition("### One save in the code")
    section, _, _ = rest.partition("\n## ")
    for file, names in ROW.findall(section):
        for name in re.findall(r"`([\w.]+)\(\)`", names):
            yield file, name


def passed(write):
    """The functions of the package that a write passes, in order; a wrapper by who made it."""
    found = []

    def note(frame, event, arg):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            name = frame.f_code.co_qualname.split(".<locals>")[0]
            found.append((str(path.relative_to(PACKAGE)), name))

    sys.setprofile(note)
    try:
        write()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.skipif(sys.version_info < (3, 11), reason="code has no qualified name")
def test_a_save_goes_the_way_that_is_shown():
    cup = Cup.objects.create(tray=Tray.objects.create(), volume=2)
    for cup.volume in (3, 4):  # What is made once is made.
        cup.save()
    cup.volume = 5

    calls = iter(passed(cup.save))

    assert [each for each in shown() if each not in calls] == []


def test_the_way_goes_through_few_files():
    assert len({file for file, _ in shown()}) <= MOST
