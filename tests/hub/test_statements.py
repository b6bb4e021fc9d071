"""What each kind of write of the hub sends, beside the budget: see ``Cost``.

The numbers are exact. Who makes one lower enters it here; who makes one higher has to say why.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection
from django.db.models import F

from syncfields.testing import assert_in_sync
from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.hub.truth import TARGETS
from tests.statements import sent
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
MANY = 100
DATABASES = ("sqlite", "postgresql", "mysql")
WRITES: dict[str, Callable[[], Callable[[], object]]] = {}
"""Each prepares a write, and gives it back."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The statements of a write, the user's own and ours."""

    sqlite: int
    postgresql: int
    mysql: int
    tables: int
    """Tables that change, beside what the user's own statement changes."""
    fan_outs: int = 0
    """What no SELECT of the changed rows with to-one joins can answer; or a cascade, which reads
    rows of one table more.
    """
    own: int = 1
    """What Django sends without the library."""

    def sent(self, vendor: str) -> int:
        return int(getattr(self, vendor))

    def goal(self, vendor: str) -> int:
        """The budget: a lock, a reading, and one UPDATE for each table; on MariaDB each table is
        locked by a statement of its own. One more for each fan-out.
        """
        locks = 2 * self.tables if vendor == "mysql" else self.tables
        return self.own + locks + 2 + self.fan_outs

    def meets(self, vendor: str) -> bool:
        return self.sent(vendor) <= self.goal(vendor)


COSTS = {
    "create": Cost(7, 7, 11, tables=4),
    "save_unchanged": Cost(2, 2, 2, tables=0),
    "flip_a_condition": Cost(4, 4, 4, tables=2),
    "change_a_summed_value": Cost(3, 4, 5, tables=1, fan_outs=1),
    "move_to_another_post_and_author": Cost(7, 8, 12, tables=3, fan_outs=2),
    "delete": Cost(7, 8, 11, tables=4, fan_outs=1),
    "bulk_create": Cost(7, 8, 13, tables=4),
    "update_a_condition": Cost(4, 4, 4, tables=2),
    "update_a_summed_value": Cost(5, 6, 7, tables=1, fan_outs=1),
    "bulk_update": Cost(6, 7, 8, tables=2, fan_outs=1),
    "delete_many": Cost(7, 10, 12, tables=4, fan_outs=1),
    "author_becomes_inactive": Cost(5, 5, 5, tables=1, fan_outs=1),
    "blog_renamed": Cost(4, 7, 8, tables=1),
    "post_moves": Cost(6, 9, 9, tables=2, fan_outs=1),
    "delete_post": Cost(8, 10, 12, tables=3, fan_outs=1, own=2),
}
BULK = {"update_a_summed_value", "bulk_update", "bulk_create", "delete_many"}
ROWS_BETWEEN = {"blog_renamed", "post_moves", "delete_post"}
MISSING = {
    "sqlite": set(),
    "postgresql": {*BULK, *ROWS_BETWEEN},
    "mysql": {
        "move_to_another_post_and_author",
        *(BULK - {"bulk_update", "delete_many"}),
        *ROWS_BETWEEN,
    },
}
"""The writes that do not meet the budget yet."""


def write(function):
    WRITES[function.__name__] = function
    return function


@pytest.fixture(autouse=True)
def rows():
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


def test_every_write_has_its_cost():
    assert COSTS.keys() == WRITES.keys()


@pytest.mark.parametrize("vendor", DATABASES)
def test_which_writes_meet_the_budget(vendor):
    assert {name for name, cost in COSTS.items() if not cost.meets(vendor)} == MISSING[vendor]


@pytest.mark.parametrize("name", COSTS)
def test_statements(name):
    act = WRITES[name]()

    with sent() as statements:
        act()

    assert_truth(*TARGETS)
    assert_in_sync(*TARGETS)
    assert len(statements) == COSTS[name].sent(connection.vendor), "\n".join(statements.sql)
