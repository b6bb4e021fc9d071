"""Blogs with posts and comments, in all combinations."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model

from tests.testapp.models import Blog, Comment, Post

User = get_user_model()
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


@pytest.fixture
def posts():
    blogs = Blog.objects.create(name="one"), Blog.objects.create(name="two")
    return [Post.objects.create(blog=blog, is_live=live) for blog in blogs for live in (1, 0)]


@pytest.fixture
def authors():
    return [User.objects.create(username=name, is_active=name == "ann") for name in ("ann", "bob")]


@pytest.fixture
def comments(posts, authors):
    """Twelve comments: all combinations of post, condition and author, and NULL in each place."""
    rows = [
        Comment(
            post=(*posts, None)[number % 5],
            score=(None, 3, 7)[number % 3],
            is_public=number % 2 == 0,
            author=(*authors, None)[number % 3],
            created=NOON + dt.timedelta(hours=number),
        )
        for number in range(12)
    ]
    for row in rows:
        row.save()
    return rows
