"""Every kind of write of the hub."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.db.models import F

from tests.hub.models import Author, Blog, Comment, Post, Topic

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
MANY = 100
WRITES: dict[str, Callable[[], Callable[[], object]]] = {}
"""Each prepares a write, and gives it back."""
BULK = (
    "bulk_create",
    "update_a_condition",
    "update_a_summed_value",
    "bulk_update",
    "delete_many",
)
"""Those of any number of rows."""


def write(function):
    WRITES[function.__name__] = function
    return function


def populate():
    """Two of each, and on each post as many comments as a bulk write changes."""
    blogs = [Blog.objects.create(name=name) for name in ("one", "two")]
    posts = [Post.objects.create(blog=blog) for blog in (*blogs, *blogs)]
    authors = [Author.objects.create(name=name) for name in ("ann", "bob")]
    topics = [Topic.objects.create() for _ in range(2)]
    Comment.objects.bulk_create(
        Comment(
            post=posts[number % 4],
            author=authors[number // 4 % 2],
            topic=topics[number // 8 % 2],
            score=number,
            rating=number % 5 or None,
            created=NOON + dt.timedelta(days=number),
        )
        for number in range(MANY)
    )


def some(model, number=0):
    return model.objects.order_by("pk")[number]


def new(number=0):
    return Comment(
        post=some(Post, number % 4),
        author=some(Author, number % 2),
        topic=some(Topic, number % 2),
        score=1000 + number,
        created=NOON + dt.timedelta(days=1000 + number),
    )


def edited(row, **values):
    for name, value in values.items():
        setattr(row, name, value)
    return row.save


@write
def create():
    return new().save


@write
def save_unchanged():
    return some(Comment).save


@write
def flip_a_condition():
    return edited(some(Comment), is_public=False)


@write
def change_a_summed_value():
    """It was the highest of the post, and no longer is."""
    return edited(some(Comment, MANY - 4), score=50)


@write
def move_to_another_post_and_author():
    """The first and the last time, and the highest score, leave the post; so does a blog."""
    return edited(some(Comment, MANY - 4), post=some(Post, 1), author=some(Author, 0))


@write
def delete():
    return some(Comment, MANY - 4).delete


@write
def bulk_create():
    many = [new(number) for number in range(MANY)]
    return lambda: Comment.objects.bulk_create(many)


@write
def update_a_condition():
    return lambda: Comment.objects.update(is_public=False)


@write
def update_a_summed_value():
    return lambda: Comment.objects.update(score=F("score") - 1)


@write
def bulk_update():
    many = [*Comment.objects.all()]
    for each in many:
        each.score, each.is_public = 2 * each.score, not each.is_public
    return lambda: Comment.objects.bulk_update(many, ["score", "is_public"])


@write
def delete_many():
    return lambda: Comment.objects.filter(score__gte=0).delete()


@write
def author_becomes_inactive():
    return edited(some(Author), is_active=False)


@write
def blog_renamed():
    return edited(some(Blog), name="three")


@write
def post_moves():
    return edited(some(Post), blog=some(Blog, 1))


@write
def delete_post():
    return some(Post).delete
