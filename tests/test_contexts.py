"""``coalesce()``, ``flush()`` and ``SYNCFIELDS["APPLY"]``."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction

from syncfields import coalesce, flush, unsynced
from syncfields.signals import drift_found
from syncfields.testing import assert_in_sync
from tests.hub import models as hub
from tests.hub.truth import TARGETS
from tests.statements import sent
from tests.testapp.models import Blog, Book, Comment, Post, Shelf
from tests.truth import drifts

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


@pytest.fixture
def shelves():
    return [Shelf.objects.create() for _ in range(3)]


def create_and_fail(shelf, block):
    with suppress(ZeroDivisionError), block:
        Book.objects.create(shelf=shelf, pages=100)
        raise ZeroDivisionError


def stored(shelf):
    return Shelf.objects.values_list("book_count", "page_sum").get(pk=shelf.pk)


def test_deltas_are_summed_and_written_once(shelves):
    with sent() as statements, coalesce():
        for pages in range(10):
            Book.objects.create(shelf=shelves[pages % 2], pages=pages)

    assert statements.updates(Shelf) == 1
    assert stored(shelves[0]) == (5, 20)
    assert_in_sync()


def test_deltas_that_cancel_out_write_nothing(shelves):
    with sent() as statements, coalesce():
        Book.objects.create(shelf=shelves[0], pages=3).delete()

    assert statements.updates(Shelf) == 0
    assert_in_sync()


def test_flush_makes_the_values_readable(shelves):
    with coalesce():
        Book.objects.create(shelf=shelves[0], pages=3)
        assert stored(shelves[0]) == (0, 0)

        flush()

        assert stored(shelves[0]) == (1, 3)
        Book.objects.create(shelf=shelves[0], pages=4)

    assert stored(shelves[0]) == (2, 7)


def test_the_outermost_block_writes(shelves):
    with coalesce():
        with coalesce():
            Book.objects.create(shelf=shelves[0], pages=3)
        assert stored(shelves[0]) == (0, 0)

    assert stored(shelves[0]) == (1, 3)


def test_a_rolled_back_savepoint_takes_its_own_deltas(shelves):
    with coalesce():
        Book.objects.create(shelf=shelves[0], pages=3)
        create_and_fail(shelves[0], transaction.atomic())
        with transaction.atomic():
            Book.objects.create(shelf=shelves[1], pages=5)

    assert stored(shelves[0]) == (1, 3)
    assert stored(shelves[1]) == (1, 5)
    assert_in_sync()


def test_an_exception_leaves_nothing_behind(shelves):
    create_and_fail(shelves[0], coalesce())
    Book.objects.create(shelf=shelves[0], pages=1)

    assert stored(shelves[0]) == (1, 1)
    assert_in_sync()


def test_reconcile_does_not_mistake_what_waits_for_drift(shelves):
    with coalesce():
        Book.objects.create(shelf=shelves[0], pages=3)
        assert_in_sync()

    assert_in_sync()


@pytest.fixture
def at_commit(settings):
    settings.SYNCFIELDS = {"APPLY": "commit"}


@pytest.mark.django_db(transaction=True)
def test_at_commit(at_commit, shelves):
    with sent() as statements, transaction.atomic():
        Book.objects.create(shelf=shelves[1], pages=1)
        with transaction.atomic():
            Book.objects.create(shelf=shelves[0], pages=2)
        create_and_fail(shelves[0], transaction.atomic())
        Book.objects.create(shelf=shelves[1], pages=4)

    assert statements[-1] == "UPDATE testapp_shelf"
    assert statements.updates(Shelf) == 1
    assert [stored(shelf) for shelf in shelves] == [(1, 2), (2, 5), (0, 0)]
    assert "commit" not in vars(connections["default"])


@pytest.mark.django_db(transaction=True)
def test_at_commit_in_autocommit(at_commit, shelves):
    book = Book.objects.create(shelf=shelves[0], pages=2)
    assert stored(shelves[0]) == (1, 2)
    book.delete()

    assert stored(shelves[0]) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_rollback_before_commit_drops_everything(at_commit, shelves):
    create_and_fail(shelves[0], transaction.atomic())
    with transaction.atomic():
        Book.objects.create(shelf=shelves[1], pages=2)

    assert [stored(shelf) for shelf in shelves[:2]] == [(0, 0), (1, 2)]
    assert_in_sync()


def test_what_was_flushed_in_a_rolled_back_savepoint_waits_again(shelves):
    with coalesce():
        Book.objects.create(shelf=shelves[0], pages=3)
        with suppress(ZeroDivisionError), transaction.atomic():
            Book.objects.create(shelf=shelves[0], pages=100)
            flush()
            raise ZeroDivisionError

    assert stored(shelves[0]) == (1, 3)


def test_what_was_evaluated_anew_in_a_rolled_back_savepoint_waits_again(shelves):
    with coalesce():
        Book.objects.create(shelf=shelves[0], pages=3)
        with suppress(ZeroDivisionError), transaction.atomic():
            with unsynced(reconcile=True):
                Book.objects.create(shelf=shelves[0], pages=100)
            assert stored(shelves[0]) == (2, 103)
            raise ZeroDivisionError

    assert stored(shelves[0]) == (1, 3)


def test_unsynced_with_reconcile_inside_one_that_keeps_nothing(shelves):
    with unsynced():
        with unsynced(reconcile=True):
            Book.objects.create(shelf=shelves[0], pages=100)
        assert stored(shelves[0]) == (1, 100)


@pytest.mark.django_db(transaction=True)
def test_unsynced_with_reconcile_in_autocommit(shelves):
    with unsynced(reconcile=True):
        Book.objects.create(shelf=shelves[0], pages=3)

    assert stored(shelves[0]) == (1, 3)


@pytest.mark.django_db(transaction=True)
def test_an_exception_before_commit_rolls_everything_back(at_commit, shelves):
    def refuse(**kwargs):
        raise ZeroDivisionError

    with unsynced():
        Shelf.objects.filter(pk=shelves[0].pk).update(book_count=0, page_sum=0)
        book = Book.objects.create(shelf=shelves[0], pages=3)
    drift_found.connect(refuse)
    try:
        with pytest.raises(ZeroDivisionError):
            book.delete()
    finally:
        drift_found.disconnect(refuse)

    assert Book.objects.count() == 1
    book.pk = Book.objects.get().pk
    Book.objects.create(shelf=shelves[1], pages=1)
    assert stored(shelves[1]) == (1, 1)


def test_a_savepoint_made_by_hand_takes_its_deltas_each_time_it_is_rolled_back(shelves):
    with coalesce():
        Book.objects.create(shelf=shelves[0], pages=3)
        savepoint = connections["default"].savepoint()
        for pages in (100, 200):
            Book.objects.create(shelf=shelves[0], pages=pages)
            transaction.savepoint_rollback(savepoint)
        Book.objects.create(shelf=shelves[0], pages=4)

    assert stored(shelves[0]) == (2, 7)


def create_comment(post):
    Comment.objects.create(post=post, score=3)


def delete_comment(post):
    post.comments.first().delete()


def take_comment_away(post):
    post.comments.update(post=None)


@pytest.mark.parametrize("write", [create_comment, delete_comment, take_comment_away])
@pytest.mark.parametrize("undone", [False, True], ids=["kept", "undone"])
def test_what_waits_for_a_row_that_is_deleted_is_not_for_the_next_one_of_its_key(write, undone):
    """The delete is in a savepoint, behind that in which it was noted."""
    post = Post.objects.create(blog=Blog.objects.create())
    Comment.objects.create(post=post, score=5)
    with coalesce():
        write(post)
        with suppress(ZeroDivisionError), transaction.atomic():
            Post.objects.get(pk=post.pk).delete()
            Post(pk=post.pk, blog_id=post.blog_id).save(force_insert=True)
            Comment.objects.create(post_id=post.pk, score=7)
            if undone:
                raise ZeroDivisionError

    assert_in_sync()
    assert drifts(Post, Blog) == []


@pytest.mark.parametrize("undone", [False, True], ids=["kept", "undone"])
def test_what_is_evaluated_for_one_row_is_added_to_for_another(undone):
    """The total of one blog waits as a number, and that of the other is found anew."""
    blogs = [hub.Blog.objects.create() for _ in range(2)]
    posts = [hub.Post.objects.create(blog=blog) for blog in blogs]
    author, topics = hub.Author.objects.create(), [hub.Topic.objects.create() for _ in range(2)]
    for post in posts:
        for topic in (*topics, topics[0]):
            post.comments.create(author=author, topic=topic, created=NOON)
    with coalesce():
        topics[0].delete()
        with suppress(ZeroDivisionError), transaction.atomic():
            posts[1].delete()
            if undone:
                raise ZeroDivisionError

    assert_in_sync()
    assert drifts(*TARGETS) == []


def test_nothing_is_written_to_what_was_deleted_in_a_savepoint():
    blog, author, topic = (each.objects.create() for each in (hub.Blog, hub.Author, hub.Topic))
    post = hub.Post.objects.create(blog=blog)
    comment = post.comments.create(author=author, topic=topic, created=NOON)
    with sent() as statements, coalesce():
        comment.delete()
        with transaction.atomic():
            post.delete()

    assert not [sql for sql in statements.sql if re.search("UPDATE .hub_post", sql)]
    assert drifts(*TARGETS) == []


def test_who_goes_on_after_effects_could_not_be_written_commits_nothing(shelves):
    """Some tables were written by then, and others were not."""

    def refuse(**kwargs):
        raise ZeroDivisionError

    Book.objects.create(shelf=shelves[0], pages=3)
    with unsynced():
        Shelf.objects.filter(pk=shelves[0].pk).update(book_count=0)
    drift_found.connect(refuse)
    try:
        with suppress(transaction.TransactionManagementError), coalesce():
            Book.objects.get(shelf=shelves[0]).delete()
            with suppress(ZeroDivisionError):
                flush()
            Book.objects.exists()
    finally:
        drift_found.disconnect(refuse)

    assert Book.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_savepoint_that_was_there_before_anything_waited(at_commit, shelves):
    with transaction.atomic():
        savepoint = connections["default"].savepoint()
        Book.objects.create(shelf=shelves[0], pages=100)
        transaction.savepoint_rollback(savepoint)
        Book.objects.create(shelf=shelves[1], pages=4)

    assert [stored(shelf) for shelf in shelves[:2]] == [(0, 0), (1, 4)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ends", [transaction.commit, transaction.rollback])
def test_savepoints_made_by_hand_without_autocommit(at_commit, shelves, ends):
    """Django makes none there on SQLite: rolling one back undoes nothing."""
    transaction.set_autocommit(False)
    try:
        early = connections["default"].savepoint()
        Book.objects.create(shelf=shelves[0], pages=3)
        late = connections["default"].savepoint()
        Book.objects.create(shelf=shelves[0], pages=100)
        transaction.savepoint_rollback(late)
        Book.objects.create(shelf=shelves[1], pages=7)
        late = connections["default"].savepoint()
        create_and_fail(shelves[2], transaction.atomic())
        Book.objects.create(shelf=shelves[2], pages=9)
        transaction.savepoint_commit(late)
        if ends is transaction.rollback:
            transaction.savepoint_rollback(early)
            ends()
            Book.objects.create(shelf=shelves[1], pages=8)
        transaction.commit()
    finally:
        transaction.set_autocommit(True)

    assert Book.objects.exists()
    assert_in_sync()


def test_nothing_is_left_to_be_called_after_commit(shelves, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks, coalesce():
        Book.objects.create(shelf=shelves[0], pages=3)

    assert callbacks == []
    assert {"savepoint", "savepoint_rollback", "commit"}.isdisjoint(vars(connections["default"]))


# In one context only -----------------------------------------------------------------------------


def in_threads(*functions):
    def run(function):
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


@pytest.mark.django_db(transaction=True)
def test_a_block_is_not_one_for_other_threads(shelves):
    if connections["default"].vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, and the block is one")
    inside, outside = threading.Event(), threading.Event()

    def wait_in_block():
        with coalesce():
            inside.set()
            assert outside.wait(60)
            Book.objects.create(shelf=shelves[0], pages=3)
            return stored(shelves[0])

    def write():
        assert inside.wait(60)
        Book.objects.create(shelf=shelves[1], pages=4)
        found = stored(shelves[1])
        outside.set()
        return found

    assert in_threads(wait_in_block, write) == [(0, 0), (1, 4)]
    assert [stored(shelf) for shelf in shelves] == [(1, 3), (1, 4), (0, 0)]


@pytest.mark.django_db(transaction=True)
def test_unsynced_is_not_so_for_other_tasks(shelves):
    async def write(number, block):
        with block:
            await asyncio.sleep(0)
            book = await Book.objects.acreate(shelf=shelves[number], pages=3)
            await asyncio.sleep(0)
            book.pages = 5
            await book.asave()

    async def both():
        await asyncio.gather(write(0, unsynced()), write(1, nullcontext()))

    async_to_sync(both)()

    assert stored(shelves[0]) == (0, 0)
    assert stored(shelves[1]) == (1, 5)


@pytest.mark.django_db(transaction=True)
def test_blocks_of_several_tasks_sum_their_own(shelves):
    def write(number):
        with coalesce():
            for pages in range(3):
                Book.objects.create(shelf=shelves[number], pages=pages)
            assert stored(shelves[number]) == (0, 0)

    async def both():
        await asyncio.gather(*(sync_to_async(write)(number) for number in range(3)))

    async_to_sync(both)()

    assert [stored(shelf) for shelf in shelves] == [(3, 3)] * 3
    assert_in_sync()


@pytest.mark.django_db(transaction=True)
def test_targets_are_written_in_the_order_of_their_keys(shelves):
    """Two that write A, B and B, A would wait for each other for ever, if each were locked at once.

    MariaDB locks parents when a child is inserted; there the library cannot choose the order.
    """
    if connections["default"].vendor == "mysql":
        pytest.skip("MariaDB locks the parents at each INSERT")
    start = threading.Barrier(2)

    def writer(order):
        def write():
            start.wait(60)
            for pages in range(20):
                with coalesce():
                    for shelf in order:
                        Book.objects.create(shelf=shelf, pages=pages)

        return write

    in_threads(writer(shelves), writer(shelves[::-1]))

    assert [stored(shelf) for shelf in shelves] == [(40, 380)] * 3
    assert_in_sync()
