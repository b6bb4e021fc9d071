"""The page *First ten minutes* does what it says: its code is run, in a project of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def block(starts):
    """The one block of the page that starts so."""
    (found,) = (text for _, text in BLOCKS if text.startswith(starts))
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    run(folder, "-m", "django", "startproject", "magazine", ".")
    run(folder, "manage.py", "startapp", "blog")
    settings = folder / "magazine" / "settings.py"
    settings.write_text(settings.read_text() + 'INSTALLED_APPS += ["syncfields", "blog"]\n')
    (folder / "blog" / "models.py").write_text(block("from django.db import models"))
    run(folder, "manage.py", "makemigrations")
    run(folder, "manage.py", "migrate")
    return folder


def run(folder, *command, code=0):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_declared_well(project):
    assert "no issues" in run(project, "manage.py", "check")


def test_what_is_written_is_counted(project):
    lines = block("from blog.models import Comment, Post").splitlines()
    asserted = [re.sub(r"^(.+?)  # (\d+).*", r"assert \1 == \2", line) for line in lines]

    assert sum(line.startswith("assert") for line in asserted) == 2
    run(project, "manage.py", "shell", "-c", "\n".join(asserted))


def test_what_was_written_past_the_library_is_found_and_repaired(project):
    past = re.search(r'shell -c "(.*?)"', block("$ python manage.py shell -c"), re.DOTALL)[1]
    setup = "from blog.models import *; Post.objects.create(title='x')\n"
    run(project, "manage.py", "shell", "-c", setup + past)

    assert "blog.Post.comment_count" in run(project, "manage.py", "reconcile", "--check", code=1)
    run(project, "manage.py", "reconcile")
    run(project, "manage.py", "reconcile", "--check")
    assert "blog.Post.comment_count" in run(project, "manage.py", "syncfields", "--explain")
