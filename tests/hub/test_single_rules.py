"""What one rule costs: the statements beside the user's own, exactly.

The rules of the hub, each kept alone. Who makes a number lower enters it here, and in
``docs/costs.md``; who makes one higher has to say why.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Avg, Count, F, Max, Q

from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.ownmodels import assert_kept, kept
from tests.statements import sent

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
VENDORS = ("sqlite", "postgresql", "mysql")
TWO_HOPS = (Blog, "comment_count", Count("posts__comments"))
FILTERED_BEYOND = (
    Post,
    "active_count",
    Count("comments", filter=Q(comments__author__is_active=True)),
)
AVERAGE = (Post, "score_avg", Avg("comments__score"))
MAXIMUM = (Post, "best", Max("comments__score"))
COPY = (Comment, "blog_name", F("author__name"))
COPY_OVER_TWO = (Comment, "blog_name", F("post__blog__name"))
Write = Callable[[Comment], Callable[[], Any]]


def created(comment: Comment) -> Callable[[], Any]:
    return Comment(post=comment.post, author=comment.author, topic=comment.topic, created=NOON).save


def many_created(comment: Comment) -> Callable[[], Any]:
    shared = {"post": comment.post, "topic": comment.topic, "created": NOON}
    authors = [comment.author, Author.objects.create(name="ann")] * 5
    many = [Comment(author=author, **shared) for author in authors]
    return lambda: Comment.objects.bulk_create(many)


def moved(comment: Comment) -> Callable[[], Any]:
    comment.post = Post.objects.create(blog=Blog.objects.create())
    return comment.save


def given_to_another_author(comment: Comment) -> Callable[[], Any]:
    comment.author = Author.objects.create(is_active=False)
    return comment.save


def deleted(comment: Comment) -> Callable[[], Any]:
    return comment.delete


def post_deleted(comment: Comment) -> Callable[[], Any]:
    return Post.objects.get().delete


def blog_deleted(comment: Comment) -> Callable[[], Any]:
    return Blog.objects.get().delete


COSTS: list[tuple[str, Any, Write, int, tuple[int, int, int]]] = [
    # The rule, the write, how many statements Django sends for it, and how many more there are.
    ("two hops", TWO_HOPS, created, 1, (2, 2, 2)),
    ("two hops", TWO_HOPS, moved, 1, (3, 3, 3)),
    ("two hops", TWO_HOPS, deleted, 1, (2, 3, 3)),
    ("two hops", TWO_HOPS, post_deleted, 2, (3, 3, 5)),
    ("two hops", TWO_HOPS, blog_deleted, 4, (2, 2, 5)),
    ("a filter beyond", FILTERED_BEYOND, created, 1, (2, 2, 2)),
    ("a filter beyond", FILTERED_BEYOND, moved, 1, (3, 3, 3)),
    ("a filter beyond", FILTERED_BEYOND, given_to_another_author, 1, (3, 3, 3)),
    ("a filter beyond", FILTERED_BEYOND, deleted, 1, (2, 3, 3)),
    ("a filter beyond", FILTERED_BEYOND, post_deleted, 2, (2, 2, 5)),
    ("an average", AVERAGE, created, 1, (1, 2, 2)),
    ("an average", AVERAGE, many_created, 1, (1, 2, 3)),
    ("an average", AVERAGE, moved, 1, (2, 3, 3)),
    ("an average", AVERAGE, deleted, 1, (1, 2, 3)),
    ("a maximum", MAXIMUM, created, 1, (1, 1, 2)),
    ("a maximum", MAXIMUM, many_created, 1, (2, 2, 3)),
    ("a maximum", MAXIMUM, moved, 1, (2, 3, 5)),
    ("a maximum", MAXIMUM, deleted, 1, (2, 3, 4)),
    ("a copy", COPY, created, 1, (1, 1, 1)),
    ("a copy", COPY, given_to_another_author, 1, (2, 2, 2)),
    ("a copy", COPY, many_created, 1, (1, 1, 1)),
    ("a copy", COPY, deleted, 1, (0, 0, 0)),
    ("a copy over two", COPY_OVER_TWO, created, 1, (1, 1, 1)),
    ("a copy over two", COPY_OVER_TWO, many_created, 1, (1, 1, 1)),
    ("a copy over two", COPY_OVER_TWO, moved, 1, (2, 2, 2)),
    ("a copy over two", COPY_OVER_TWO, deleted, 1, (0, 0, 0)),
    ("a copy over two", COPY_OVER_TWO, post_deleted, 2, (0, 2, 3)),
]


@pytest.fixture
def comment() -> Comment:
    """One of two of its post."""
    post = Post.objects.create(blog=Blog.objects.create())
    others = {"author": Author.objects.create(), "topic": Topic.objects.create(), "created": NOON}
    one, _ = (Comment.objects.create(post=post, **others) for _ in range(2))
    return one


@pytest.mark.parametrize(
    ("rule", "write", "own", "more"),
    [row[1:] for row in COSTS],
    ids=[f"{name}-{write.__name__}" for name, _, write, *_ in COSTS],
)
def test_statements(comment, rule, write, own, more):
    with kept([rule]):
        act = write(comment)

        with sent() as statements:
            act()

        assert_kept()
    expected = own + more[VENDORS.index(connection.vendor)]
    assert len(statements) == expected, "\n".join(statements.sql)
