"""Rows of several tables, locked by one statement: in which order, and what is read of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest
from django.db import OperationalError, connection, connections, transaction

from syncfields import reconcile
from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.hub.truth import TARGETS
from tests.statements import sent
from tests.truth import assert_truth

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mysql", reason="only MariaDB locks by joins"),
]


@pytest.fixture
def rows():
    """In the order in which they are locked."""
    if not connection.mysql_is_mariadb:
        pytest.skip("MySQL is not known to lock in this order")
    author, blog = Author.objects.create(), Blog.objects.create(name="old")
    return author, Post.objects.create(blog=blog), blog, Topic.objects.create()


def close():
    """The connection of this thread."""
    connections.close_all()


@pytest.fixture
def other():
    with ThreadPoolExecutor(1) as thread:
        yield thread
        thread.submit(close).result()


def create(author, post, topic):
    return Comment.objects.create(
        author_id=author.pk, post_id=post.pk, topic_id=topic.pk, created="2026-01-01T12:00Z"
    )


def is_free(row):
    """Whether nobody holds the row."""
    try:
        with transaction.atomic():
            type(row).objects.select_for_update(nowait=True).get(pk=row.pk)
    except OperationalError:
        return False
    return True


def wait_until_somebody_waits():
    """A statement is under way that wants locks."""
    end = monotonic() + 10
    while monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
                " AND db = DATABASE() AND command = 'Query' AND info LIKE '%%FOR UPDATE%%'"
                " AND time_ms > 200",
                [],
            )
            if cursor.fetchone()[0]:
                return
        sleep(0.02)
    pytest.fail("nobody waits")


@pytest.mark.parametrize("number", range(4), ids=["author", "post", "blog", "topic"])
def test_rows_are_locked_one_after_the_other(rows, other, number):
    author, post, _, topic = rows
    assert_locked_in_order(rows, number, other, create, author, post, topic)


def assert_locked_in_order(rows, number, other, write, *args):
    """With one of the rows held, those before it are locked, and those behind it are free."""
    with transaction.atomic():
        type(rows[number]).objects.select_for_update().get(pk=rows[number].pk)
        waiting = other.submit(write, *args)
        wait_until_somebody_waits()
        with ThreadPoolExecutor(1) as third:
            free = [third.submit(is_free, row).result() for row in rows]
            third.submit(close).result()

    assert free == [each > number for each, _ in enumerate(rows)]
    waiting.result()
    assert_truth(*TARGETS)


def test_what_is_copied_is_read_after_the_wait(rows, other):
    author, post, blog, topic = rows
    with transaction.atomic():
        Blog.objects.filter(pk=blog.pk).update(name="new")
        waiting = other.submit(create, author, post, topic)
        wait_until_somebody_waits()

    assert waiting.result().blog_name == "new"
    assert_truth(*TARGETS)


def test_the_row_that_is_led_to_is_that_of_after_the_wait(rows, other):
    author, post, _, topic = rows
    there = Blog.objects.create(name="there")
    with transaction.atomic():
        Post.objects.filter(pk=post.pk).update(blog=there)
        waiting = other.submit(create, author, post, topic)
        wait_until_somebody_waits()

    assert waiting.result().blog_name == "there"
    assert_truth(*TARGETS)


def test_nothing_is_locked_that_only_an_average_reads(rows, other):
    """Its writer may be waiting for the post."""
    author, post, _, topic = rows
    there = create(author, post, topic)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE hub_comment SET score = 8 WHERE id = %s", [there.pk])
        other.submit(create, author, post, topic).result()

    assert Post.objects.get().score_avg == 0
    reconcile(Post)
    assert_truth(*TARGETS)


def test_one_statement_locks_them(rows):
    author, post, _, topic = rows
    with sent() as statements:
        create(author, post, topic)

    assert sum("FOR UPDATE" in sql for sql in statements.sql) == 1, statements.sql


@pytest.fixture
def pairs():
    """In the order in which they are locked: those that a comment leaves, and those it comes to.
    The post with the lesser key belongs to the blog with the greater one.
    """
    if not connection.mysql_is_mariadb:
        pytest.skip("MySQL is not known to lock in this order")
    authors = [Author.objects.create() for _ in range(2)]
    blogs = [Blog.objects.create(name=name) for name in ("one", "two")]
    posts = [Post.objects.create(blog=blog) for blog in reversed(blogs)]
    return [*authors, *posts, *blogs]


def move(comment, author, post):
    comment.author, comment.post = author, post
    comment.save()
    return comment


@pytest.mark.parametrize("number", range(6))
def test_two_rows_of_each_table_are_locked_one_after_the_other(pairs, other, number):
    authors, posts = pairs[:2], pairs[2:4]
    comment = create(authors[1], posts[0], Topic.objects.create())
    assert_locked_in_order(pairs, number, other, move, comment, authors[0], posts[1])


def test_what_two_rows_lead_to_is_that_of_after_the_wait(pairs, other):
    authors, posts = pairs[:2], pairs[2:4]
    comment, there = create(authors[0], posts[0], Topic.objects.create()), Blog(name="there")
    there.save()
    with transaction.atomic():
        Post.objects.filter(pk=posts[1].pk).update(blog=there)
        waiting = other.submit(move, comment, authors[1], posts[1])
        wait_until_somebody_waits()

    assert waiting.result().blog_name == "there"
    assert_truth(*TARGETS)


def test_two_posts_of_one_blog(pairs):
    authors, posts, blogs = pairs[:2], pairs[2:4], pairs[4:]
    Post.objects.update(blog=blogs[0])
    comment = create(authors[0], posts[0], Topic.objects.create())
    with sent() as statements:
        move(comment, authors[1], posts[1])

    assert sum("LEAST" in sql for sql in statements.sql) == 1
    assert_truth(*TARGETS)
