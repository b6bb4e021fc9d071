"""The recipes of the cookbook that listen to ``synced``, as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.cache import cache

from syncfields.signals import synced
from tests.testapp.models import Comment, Post

COOKBOOK = Path(__file__).parents[1] / "docs" / "cookbook.md"
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
