"""The recipes of the cookbook as they are printed: models, and what listens to ``synced``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.cache import cache

from syncfields.signals import synced
from tests.testapp.models import Comment, Post

COOKBOOK = Path(__file__).parents[1] / "docs" / "cookbook.md"
ROOT = COOKBOOK.parents[1]
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.django_db(transaction=True)


class ChannelLayer:
    def __init__(self):
        self.sent = []

    async def group_send(self, group, message):
        self.sent.append((group, message["comment_count"]))


@pytest.fixture
def world():
    """What the recipes name, with the receivers connected."""
    indexed, known = [], synced.receivers[:]
    names = {
        "Post": Post,
        "search": SimpleNamespace(bulk=indexed.extend),
        "channel_layer": ChannelLayer(),
        "indexed": indexed,
    }
    recipes = [block for block in BLOCK.findall(COOKBOOK.read_text("utf-8")) if "(synced" in block]
    assert len(recipes) == 3
    for recipe in recipes:
        exec(recipe, names)
    yield names
    synced.receivers[:] = known
    synced.sender_receivers_cache.clear()


def test_caches_search_and_browsers(world):
    post, other = Post.objects.create(), Post.objects.create()
    for each in (post, other):
        cache.set(f"post:{each.pk}", "cached")

    Comment.objects.create(post=post)

    assert cache.get(f"post:{post.pk}") is None
    assert cache.get(f"post:{other.pk}") == "cached"
    assert world["indexed"] == [{"id": post.pk, "comment_count": 1}]
    assert world["channel_layer"].sent == [(f"post.{post.pk}", 1)]


def test_the_models_of_each_recipe(tmp_path):
    """A project with an app for each, and random writes: see recipes.py."""
    page = COOKBOOK.read_text("utf-8")
    imports, *_ = BLOCK.findall(page)
    recipes = {
        re.sub(r"\W+", "_", heading.lower()): "\n\n".join(blocks)
        for heading, text in SECTION.findall(page)
        if (blocks := [each for each in BLOCK.findall(text) if "models.Model" in each])
    }
    for name, code in recipes.items():
        folder = tmp_path / f"recipe_{name}"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "models.py").write_text(f"{imports}\n\n{code}", encoding="utf-8")
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}

    done = subprocess.run(
        [sys.executable, "-m", "tests.recipes", str(tmp_path), json.dumps({"default": database})],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" values are right") == len(recipes) > 15
    assert done.stdout.count(": 0 values") == 1  # A tally counts events.
