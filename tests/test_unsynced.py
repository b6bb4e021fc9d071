"""``unsynced(reconcile=True)``: each way of writing, in each way of beginning and ending a block.

The truth is Python's, over plain rows (``tests/truth.py``); rows that drifted before the block and
are not touched in it stay as they are.
"""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, connections, transaction
from django.db.models import F

from syncfields import coalesce, flush, unsynced
from syncfields.testing import assert_in_sync
from tests.testapp.models import (
    Blog,
    Book,
    Category,
    Comment,
    Flower,
    Gadget,
    Maker,
    Playlist,
    Post,
    Profile,
    Shelf,
    Track,
)
from tests.truth import assert_truth, drifts
from tests.undo import UndoError

User = get_user_model()


class World:
    """Rows of each kind of rule, and one that drifted before and that nothing leads to."""

    def __init__(self):
        self.user = User.objects.create(username="ann", email="ann@example.org")
        self.profile = Profile.objects.create(user=self.user, nickname="nan")
        self.blogs = [Blog.objects.create(name=name) for name in ("one", "two")]
        self.posts = [Post.objects.create(blog=blog) for blog in (*self.blogs, self.blogs[0])]
        self.comments = [
            Comment.objects.create(post=post, score=score, author=self.user)
            for score, post in enumerate((*self.posts, self.posts[0]), 1)
        ]
        self.tracks = [Track.objects.create(minutes=minutes) for minutes in (3, 12, 20)]
        self.playlists = [Playlist.objects.create() for _ in range(2)]
        self.playlists[0].tracks.set(self.tracks[:2])
        self.shelves = [Shelf.objects.create() for _ in range(2)]
        self.books = [Book.objects.create(shelf=shelf, pages=7) for shelf in self.shelves]
        self.makers = [Maker.objects.create(name=name) for name in ("a", "b")]
        self.gadget = Gadget.objects.create(maker=self.makers[0], weight=3)
        self.untouched = Shelf.objects.create()
        with unsynced():
            Book.objects.create(shelf=self.untouched, pages=100)

    def assert_only_that_drift(self):
        """What drifted before, and nothing else: so the block put right no more than its own."""
        row = f"Shelf namespace(id={self.untouched.pk}, book_count=0, page_sum=0)"
        assert drifts() == [
            f"{row}: book_count is 0, but should be 1",
            f"{row}: page_sum is 0, but should be 100",
        ]


def create(w):
    Comment.objects.create(post=w.posts[0], score=9, author=w.user)


def save(w):
    w.comments[0].score = 7
    w.comments[0].post = w.posts[1]
    w.comments[0].save()


def save_of_a_row_between(w):
    w.posts[0].blog = w.blogs[1]
    w.posts[0].save()


def save_of_what_is_copied(w):
    w.user.email = "new@example.org"
    w.user.save()


def save_by_name(w):
    w.comments[1].is_public = False
    w.comments[1].save(update_fields=["is_public"])


def update(w):
    Comment.objects.filter(post=w.posts[0]).update(score=F("score") + 5, post=w.posts[1])


def update_of_a_synced_field(w):
    Post.objects.filter(pk=w.posts[0].pk).update(comment_count=77, best_score=None)


def save_of_a_synced_field(w):
    w.posts[0].comment_count = 77
    w.posts[0].save()


def bulk_create(w):
    Comment.objects.bulk_create([Comment(post=w.posts[n], score=n) for n in (0, 1, 1)])


def bulk_create_of_targets(w):
    Gadget.objects.bulk_create([Gadget(maker=maker, weight=5) for maker in w.makers])


def bulk_create_that_ignores(w):
    rows = [Comment(pk=w.comments[0].pk, post=w.posts[1]), Comment(post=w.posts[1], score=8)]
    Comment.objects.bulk_create(rows, ignore_conflicts=True)


def bulk_update(w):
    for number, comment in enumerate(w.comments):
        comment.score, comment.post = number * 3, w.posts[1]
    Comment.objects.bulk_update(w.comments, ["score", "post"])


def upsert(w):
    unique = ["pk"] if connection.features.supports_update_conflicts_with_target else None
    rows = [
        Comment(pk=w.comments[0].pk, post=w.posts[1], score=6),
        Comment(pk=w.comments[-1].pk + 1000, post=w.posts[0], score=5),
    ]
    Comment.objects.bulk_create(
        rows, update_conflicts=True, update_fields=["post", "score"], unique_fields=unique
    )


def upsert_of_targets(w):
    unique = ["pk"] if connection.features.supports_update_conflicts_with_target else None
    rows = [
        Gadget(pk=w.gadget.pk, maker=w.makers[1], weight=6),
        Gadget(pk=w.gadget.pk + 1000, maker=w.makers[0], weight=5),
    ]
    Gadget.objects.bulk_create(
        rows, update_conflicts=True, update_fields=["maker", "weight"], unique_fields=unique
    )


def delete(w):
    Comment.objects.get(pk=w.comments[0].pk).delete()


def delete_of_many(w):
    Comment.objects.filter(post=w.posts[0]).delete()


def cascade(w):
    Post.objects.get(pk=w.posts[0].pk).delete()


def nulled_by_a_delete(w):
    User.objects.get(username="ann").delete()


def add(w):
    w.playlists[1].tracks.add(*w.tracks)


def add_from_the_far_side(w):
    w.tracks[2].playlists.add(w.playlists[0])


def remove(w):
    w.playlists[0].tracks.remove(w.tracks[1])


def set_(w):
    w.playlists[0].tracks.set(w.tracks[1:])


def clear(w):
    w.playlists[0].tracks.clear()


def get_or_create(w):
    Comment.objects.get_or_create(post=w.posts[1], text="new", defaults={"score": 8})


def update_or_create(w):
    Comment.objects.update_or_create(pk=w.comments[0].pk, defaults={"score": 8})
    Comment.objects.update_or_create(text="newer", defaults={"post": w.posts[1], "score": 8})


def create_of_a_target(w):
    Gadget.objects.create(maker=w.makers[1], weight=4)
    Category.objects.create(name="child", parent=Category.objects.create(name="root"))


def related_manager(w):
    w.posts[0].comments.create(score=8)
    w.posts[1].comments.add(w.comments[0])


def rows_that_come_and_go(w):
    post = Post.objects.create(blog=w.blogs[1])
    Comment.objects.create(post=post, score=3)
    post.delete()
    Flower.objects.create().delete()


WAYS = [
    create,
    save,
    save_of_a_row_between,
    save_of_what_is_copied,
    save_by_name,
    update,
    update_of_a_synced_field,
    save_of_a_synced_field,
    bulk_create,
    bulk_create_of_targets,
    bulk_create_that_ignores,
    bulk_update,
    upsert,
    upsert_of_targets,
    delete,
    delete_of_many,
    cascade,
    nulled_by_a_delete,
    add,
    add_from_the_far_side,
    remove,
    set_,
    clear,
    get_or_create,
    update_or_create,
    create_of_a_target,
    related_manager,
    rows_that_come_and_go,
]


def plain(write):
    with unsynced(reconcile=True):
        write()


def in_coalesce(write):
    with coalesce():
        Shelf.objects.create()
        plain(write)


def around_coalesce(write):
    with unsynced(reconcile=True), coalesce():
        write()


def beside_what_waits(write):
    """What waits for a target that is put right must not be added to it once more."""
    with coalesce():
        for post in Post.objects.all():
            Comment.objects.create(post=post, score=50)
        plain(write)
        for post in Post.objects.all():
            Comment.objects.create(post=post, score=60)


def flushed_within(write):
    with coalesce():
        for post in Post.objects.all():
            Comment.objects.create(post=post, score=50)
        with unsynced(reconcile=True):
            flush()
            write()
            flush()


def nested(write):
    with unsynced(reconcile=True), unsynced():
        write()


def nested_in_one_that_keeps_nothing(write):
    with unsynced():
        plain(write)


def left_by_an_exception(write):
    with suppress(UndoError), unsynced(reconcile=True):
        write()
        raise UndoError


def left_by_an_exception_with_all_that_was_written(write):
    with suppress(UndoError), transaction.atomic(), unsynced(reconcile=True):
        write()
        raise UndoError


def with_a_savepoint_that_is_rolled_back(write):
    with unsynced(reconcile=True):
        with suppress(UndoError), transaction.atomic():
            write()
            raise UndoError
        write()


def decorated(write):
    unsynced(reconcile=True)(write)()


def in_a_task(write):
    async def task():
        async with unsynced(reconcile=True):
            await sync_to_async(write)()

    async_to_sync(task)()


def in_coalesce_of_a_task(write):
    async def task():
        async with coalesce(), unsynced(reconcile=True):
            await sync_to_async(write)()

    async_to_sync(task)()


BLOCKS = [
    plain,
    in_coalesce,
    around_coalesce,
    beside_what_waits,
    flushed_within,
    nested,
    nested_in_one_that_keeps_nothing,
    left_by_an_exception,
    left_by_an_exception_with_all_that_was_written,
    with_a_savepoint_that_is_rolled_back,
    decorated,
    in_a_task,
    in_coalesce_of_a_task,
]


@pytest.mark.django_db
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
def test_what_was_touched_is_put_right_and_no_more(block):
    failures = []
    for write in WAYS:
        with suppress(UndoError), transaction.atomic():
            world = World()
            world.assert_only_that_drift()
            try:
                block(lambda write=write, world=world: write(world))
                world.assert_only_that_drift()
            except Exception as error:  # noqa: BLE001 - each way is told
                failures.append((write.__name__, repr(error)[:500], drifts()[:5]))
            raise UndoError

    assert not failures


@pytest.mark.django_db
@pytest.mark.parametrize("write", WAYS, ids=lambda write: write.__name__)
def test_the_block_lets_the_write_pass(write):
    """Else the tables above could not fail."""
    world = World()

    with unsynced():
        write(world)

    drifted = len(drifts()) > 2
    assert drifted == (write is not rows_that_come_and_go)


@pytest.mark.django_db(transaction=True)
def test_each_thread_has_a_block_of_its_own():
    """In autocommit, where each step of the repair is a transaction of its own."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's writers queue up")
    world = World()
    errors = []

    def run(write):
        try:
            plain(lambda: write(world))
        except Exception as error:  # noqa: BLE001 - told below
            errors.append((write.__name__, error))
        finally:
            connections.close_all()

    pairs = [(create, add), (bulk_create, set_), (save_of_a_synced_field, bulk_create_of_targets)]
    for pair in pairs:
        threads = [threading.Thread(target=run, args=(write,)) for write in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert errors == []
    world.assert_only_that_drift()


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_database_is_not_hidden():
    """PostgreSQL carries out nothing more in the transaction that it has ended."""
    shelf = Shelf.objects.create()

    def write():
        with transaction.atomic(), unsynced(reconcile=True):
            Book.objects.create(shelf=shelf, pages=3)
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM nowhere")

    with pytest.raises(DatabaseError, match="nowhere"):
        write()

    assert_truth()
    assert not Book.objects.exists()
    assert_in_sync()
