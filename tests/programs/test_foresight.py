"""What the write of one row is found to touch, and in which order it is locked."""

from __future__ import annotations

import datetime as dt
from threading import Thread

import pytest
from django.db import connection, transaction
from django.db.models import F

from syncfields.maintenance.changes import Change, Learnt
from syncfields.programs.foresight import Starts, foresight
from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.hub.truth import TARGETS
from tests.statements import sent
from tests.truth import assert_truth

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
AUTHOR = (Author, {"author_id"}, set())
POST = (Post, {"post_id"}, set())
BLOG = (Blog, set(), {"blog_id"})
TOPIC = (Topic, {"topic_id"}, set())


def steps(kind, *columns):
    """The tables in the order in which they are locked, each with the columns that hold the keys:
    of the written row, and of rows that are locked before.
    """
    written = frozenset(columns) if kind == "update" else None
    change = Change(Comment, kind, Learnt((1,), written), {}, saved=True)
    found = foresight("default", change, Starts.ROW if kind == "insert" else Starts.NOTHING)
    return found and [
        (step.model, {each.column for each in step.named}, {name for _, name in step.led})
        for step in found.steps
    ]


@pytest.mark.parametrize(
    ("kind", "columns", "found"),
    [
        ("insert", (), [AUTHOR, POST, BLOG, TOPIC]),
        ("update", ("post_id", "author_id"), [AUTHOR, POST, BLOG]),
        # Rows of one table, that are evaluated anew.
        ("update", ("score",), [POST]),
        # UPDATEs in the order of the tables.
        ("update", ("is_public",), None),
        # One UPDATE is all, which locks by itself; so does what asks whether an extreme leaves.
        ("update", ("topic_id",), None),
        ("update", ("created",), None),
    ],
)
def test_each_table_is_locked_once_and_in_order(kind, columns, found):
    assert steps(kind, *columns) == found


def test_where_each_table_takes_a_statement_the_last_ones_are_locked_by_their_updates():
    last = [] if connection.vendor == "mysql" else [POST]
    assert steps("update", "author_id") == [AUTHOR, *last]


def comment(**values):
    return Comment(
        post=Post.objects.earliest("pk"),
        author=Author.objects.get(),
        topic=Topic.objects.get(),
        created=NOON,
        **values,
    )


def moved_to_a_new_blog():
    Post.objects.filter(pk=Post.objects.earliest("pk").pk).update(
        blog=Blog.objects.create(name="new")
    )


def moved_to_another_blog():
    Post.objects.filter(pk=Post.objects.earliest("pk").pk).update(blog=Blog.objects.latest("pk"))


def renamed():
    Blog.objects.update(name="new")


def deactivated():
    Author.objects.update(is_active=False)


def commented():
    comment(score=9).save()


def raised():
    Comment.objects.update(score=F("score") + 10)


def led_away():
    Comment.objects.update(post=Post.objects.latest("pk"))


def moved(row):
    row.post = Post.objects.latest("pk")
    row.save()


def scored(row):
    row.score = 7
    row.save()


def all_scored(row):
    Comment.objects.update(score=F("score") + 7)


def all_moved(row):
    Comment.objects.filter(score__lt=100).update(
        post=Post.objects.latest("pk"), score=F("score") + 1
    )


def all_deleted(row):
    Comment.objects.all().delete()


def many_created(row):
    Comment.objects.bulk_create([comment(score=5), comment(score=6)])


@pytest.fixture
def row(transactional_db):
    blogs = [Blog.objects.create(name=name) for name in ("one", "two")]
    for _ in range(2):
        Post.objects.create(blog=blogs[0])
    Author.objects.create(name="ann")
    Topic.objects.create()
    row = comment(score=1)
    row.save()
    return row


def post_deleted(row):
    Post.objects.earliest("pk").delete()


def blog_deleted(row):
    Blog.objects.earliest("pk").delete()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="has one writer at a time")
@pytest.mark.parametrize("write", [post_deleted, blog_deleted])
@pytest.mark.parametrize("other", [moved_to_another_blog, renamed, deactivated, raised])
def test_what_a_cascade_waited_for_is_seen(row, write, other):
    assert_seen(row, write, other)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="has one writer at a time")
@pytest.mark.parametrize(
    "write",
    [
        lambda row: comment(score=5).save(),
        moved,
        scored,
        lambda row: row.delete(),
        all_scored,
        all_moved,
        all_deleted,
        many_created,
    ],
)
@pytest.mark.parametrize(
    "other",
    [moved_to_a_new_blog, moved_to_another_blog, renamed, deactivated, commented, raised, led_away],
)
def test_what_it_waited_for_is_seen(row, write, other):
    assert_seen(row, write, other)


def assert_seen(row, write, other):
    def begin():
        try:
            write(row)
        except Exception as error:  # noqa: BLE001 - the test says what it was
            errors.append(error)
        finally:
            connection.close()

    errors = []
    thread = Thread(target=begin)
    with transaction.atomic():
        other()
        thread.start()
        thread.join(timeout=0.3)
    thread.join()

    assert not errors
    assert_truth(*TARGETS)


def test_what_a_new_row_copies_over_two_relations_is_not_evaluated_again(row):
    with sent() as statements:
        comment(score=5).save()

    assert not statements.updates(Comment)
    assert_truth(*TARGETS)
