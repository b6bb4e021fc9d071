"""Writes of many rows, by every method that Django has for them."""

from __future__ import annotations

import datetime as dt

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Case, F, OuterRef, Q, Subquery, Value, When

from tests.refusing import DEADLOCK, refused
from tests.statements import number_of_statements, sent
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Book, Comment, Post, Publisher, Reaction, Shelf
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def comment(post, **values):
    return Comment(post=post, **values)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 100])
def test_bulk_create_of_mixed_parents_and_conditions(posts, authors, batch_size):
    rows = [
        comment(post, score=score, is_public=score != 3, author=author)
        for post in (*posts, None)
        for score in (None, 3, 7)
        for author in (*authors, None)
    ]

    created = Comment.objects.bulk_create(rows, batch_size=batch_size)

    assert created is not None
    assert all(row.pk for row in created) or not bulk_keys()
    assert_truth()


def bulk_keys():
    return connection.features.can_return_rows_from_bulk_insert


def test_bulk_create_sends_one_update_for_each_target_model(posts):
    with sent() as few:
        Book.objects.bulk_create(
            [Book(shelf=shelf, pages=600) for shelf in Shelf.objects.bulk_create([Shelf()] * 1)]
        )
    shelves = [Shelf.objects.create() for _ in range(20)]
    publisher = Publisher.objects.create()
    with sent() as many:
        Book.objects.bulk_create(
            Book(shelf=shelf, publisher=publisher, pages=600) for shelf in shelves * 3
        )

    assert few.updates(Shelf) == many.updates(Shelf) == many.updates(Publisher) == 1
    assert_truth()


def test_bulk_create_of_targets_that_are_sources(posts):
    Post.objects.bulk_create(
        Post(blog=blog, is_live=live, comment_count=99)
        for blog in Blog.objects.all()
        for live in (1, 0)
    )
    Blog.objects.bulk_create([Blog(name="three", post_count=99)])
    assert_truth()

    zoo.Category.objects.bulk_create([zoo.Category(name="root", weight=2)])
    root = zoo.Category.objects.get()
    zoo.Category.objects.bulk_create(zoo.Category(parent=root, weight=n) for n in range(3))

    assert_truth()


def test_bulk_create_fills_copies(authors):
    profiles = [zoo.Profile(user=user, email="wrong@example.org") for user in (*authors, None)]
    zoo.Profile.objects.bulk_create(profiles)
    zoo.Card.objects.bulk_create(zoo.Card(profile=profile) for profile in zoo.Profile.objects.all())

    assert_truth()


UPDATES = {
    "value": lambda posts, authors: {"score": 6},
    "NULL": lambda posts, authors: {"score": None},
    "F": lambda posts, authors: {"score": F("score") + F("id")},
    "condition": lambda posts, authors: {"is_public": False},
    "Case": lambda posts, authors: {
        "is_public": Case(When(score__gt=5, then=Value(False)), default=Value(True))
    },
    "foreign key": lambda posts, authors: {"post": posts[3]},
    "foreign key to NULL": lambda posts, authors: {"post": None},
    "foreign key by id": lambda posts, authors: {"post_id": posts[1].pk},
    "author": lambda posts, authors: {"author": authors[1]},
    "subquery": lambda posts, authors: {
        "post": Subquery(Post.objects.exclude(pk=OuterRef("post")).order_by("-pk").values("pk")[:1])
    },
    "everything": lambda posts, authors: {
        "post": posts[2],
        "score": F("score") * 2,
        "is_public": True,
        "author": authors[0],
    },
    "unwatched": lambda posts, authors: {"note": "new"},
}


@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("condition", [Q(is_public=True), Q(post__is_live=True, score__gt=5)])
def test_update_under_conditions_that_it_falsifies(posts, authors, comments, name, condition):
    expected = Comment.objects.filter(condition).count()

    # The conditions on is_public, score and post are falsified by some of the updates.
    matched = Comment.objects.filter(condition).update(**UPDATES[name](posts, authors))

    assert matched == expected
    assert_truth()


def test_update_of_unusual_querysets(posts, comments):
    Comment.objects.filter(post__blog__name="one", author__is_active=True).update(score=9)
    assert_truth()
    Comment.objects.order_by("-score").update(score=F("score") + 1)
    assert_truth()
    Comment.objects.annotate(double=F("score") * 2).filter(double__gt=8).update(score=F("double"))
    assert_truth()
    assert posts[0].comments.update(post=posts[1])
    assert_truth()
    assert zoo.PublicComment.objects.update(is_public=False, score=1)

    assert_truth()


@pytest.mark.parametrize("batch_size", [None, 2])
def test_bulk_update_of_mixed_parents_and_conditions(posts, authors, comments, batch_size):
    for number, row in enumerate(comments):
        row.score, row.is_public = (row.score or 0) + number, not row.is_public
        row.post, row.author = (None, *posts)[number % 5], (None, *authors)[number % 3]
    comments[0].score = F("score") + 5

    matched = Comment.objects.bulk_update(
        comments, ["post", "author", "score", "is_public"], batch_size=batch_size
    )

    assert matched == len(comments)
    assert_truth()


def test_bulk_update_of_rows_that_are_gone(comments):
    Comment.objects.filter(pk=comments[0].pk).delete()
    for row in comments:
        row.score = 8

    assert Comment.objects.bulk_update(comments, ["score"]) == len(comments) - 1

    assert_truth()


def test_statements_of_update_do_not_grow_with_the_rows():
    one, two = Shelf.objects.create(), Shelf.objects.create()
    for _ in range(30):
        Book.objects.create(shelf=one, pages=5)
    few = Book.objects.filter(pk=Book.objects.first().pk)
    with sent() as first:
        few.update(shelf=two)
    with sent() as second:
        Book.objects.update(shelf=two)

    assert len(second) == len(first)
    assert second.updates(Shelf) == 1
    assert_truth()


@pytest.mark.parametrize("bulk", ["update", "bulk_update"])
def test_bulk_writes_of_the_middle_of_a_path(posts, comments, bulk):
    Reaction.objects.bulk_create(Reaction(comment=row) for row in comments * 2)
    other = Blog.objects.create(name="three")
    edits = ({"blog": other}, {"is_live": False}, {"blog": None}, {"blog": other, "is_live": True})

    for edit in edits:
        if bulk == "update":
            Post.objects.filter(pk__in=[post.pk for post in posts[1:]]).update(**edit)
        else:
            for post in posts[1:]:
                vars(post).update(
                    {"blog_id": edit["blog"] and edit["blog"].pk} if "blog" in edit else {}
                )
                post.is_live = edit.get("is_live", post.is_live)
            Post.objects.bulk_update(posts[1:], list(edit))
        assert_truth()


def test_two_middles_of_one_path(comments, posts):
    Reaction.objects.bulk_create(Reaction(comment=row) for row in comments)

    Comment.objects.update(post=posts[3])
    assert_truth()
    Post.objects.update(blog=Blog.objects.first())

    assert_truth()


@pytest.mark.parametrize("bulk", [True, False])
def test_related_managers_in_bulk_and_row_by_row(posts, comments, bulk):
    here, there, *_ = posts

    here.comments.add(*comments[2:7], bulk=bulk)
    assert_truth()
    here.comments.remove(*comments[2:4], bulk=bulk)
    assert_truth()
    there.comments.set(comments[3:9], bulk=bulk)
    assert_truth()
    there.comments.set(comments[8:], bulk=bulk, clear=True)
    assert_truth()
    here.comments.create(score=11)
    assert_truth()
    there.comments.clear(bulk=bulk)

    assert_truth()


def test_a_new_row_is_added_unsaved(posts):
    posts[0].comments.add(comment(None, score=5), comment(posts[1], score=6), bulk=False)

    assert Post.objects.get(pk=posts[0].pk).comment_count == 2
    assert_truth()


@pytest.mark.parametrize(
    "condition", [Q(), Q(is_public=True), Q(post__blog__name="one"), Q(author__is_active=True)]
)
@pytest.mark.parametrize("reactions", [True, False])
def test_deletes_of_querysets_return_djangos_counts(comments, condition, reactions):
    if reactions:
        Reaction.objects.bulk_create(Reaction(comment=row) for row in comments)
    expected = Comment.objects.filter(condition).count()

    total, by_model = Comment.objects.filter(condition).delete()

    assert by_model.get("testapp.Comment", 0) == expected
    assert total == sum(by_model.values()) == expected * (2 if reactions else 1)
    assert_truth()


def test_a_large_queryset_is_deleted_in_few_statements():
    shelves = [Shelf.objects.create() for _ in range(3)]
    Book.objects.bulk_create(Book(shelf=shelves[n % 3], pages=n % 7) for n in range(1500))

    with sent() as statements:
        Book.objects.filter(pages__lt=5).delete()

    assert len(statements) < 30
    assert_truth()


def test_raw_delete_is_a_delete(comments):
    chosen = Comment.objects.filter(is_public=True)
    expected = chosen.count()

    assert chosen._raw_delete(chosen.db) == expected

    assert_truth()


def test_a_slice_cannot_be_deleted_and_changes_nothing(comments):
    with pytest.raises(TypeError):
        Comment.objects.all()[:3].delete()

    assert_truth()


def test_get_or_create_and_update_or_create_count_what_they_write(posts, comments):
    for _ in range(2):
        _, created = Comment.objects.get_or_create(text="new", defaults={"post": posts[0]})
    assert not created
    assert_truth()
    for post in (posts[0], posts[1], None):
        Comment.objects.update_or_create(text="other", defaults={"post": post, "score": 4})
        assert_truth()
    posts[2].comments.get_or_create(text="third", score=8)
    posts[2].comments.update_or_create(text="third", defaults={"score": 9})
    Comment.objects.update_or_create(
        text="fourth", defaults={"score": 1}, create_defaults={"score": 2, "post": posts[3]}
    )

    assert_truth()


def test_async_twins_count_as_their_elders(posts, authors, comments):
    async def write():
        row = await Comment.objects.acreate(post=posts[0], score=20)
        row.post, row.score = posts[1], 21
        await row.asave()
        await Comment.objects.abulk_create([comment(post, score=22) for post in posts])
        comments[0].score, comments[1].post = 23, posts[3]
        await Comment.objects.abulk_update(comments[:2], ["score", "post"])
        await Comment.objects.filter(score=3).aupdate(is_public=True, post=posts[2])
        await Comment.objects.aget_or_create(text="new", defaults={"post": posts[0]})
        await Comment.objects.aupdate_or_create(text="new", defaults={"post": posts[1]})
        await posts[0].comments.aadd(*comments[2:6])
        await posts[0].comments.aremove(comments[2])
        await posts[1].comments.aset(comments[5:8])
        await posts[1].comments.acreate(score=24)
        await posts[2].comments.aclear()
        await comments[9].adelete()
        await Comment.objects.filter(score=22, post=posts[3]).adelete()

    async_to_sync(write)()

    assert_truth()


def test_async_many_to_many_counts_as_its_elder():
    tracks = [zoo.Track.objects.create(minutes=minutes) for minutes in (5, 10, 20)]
    playlist = zoo.Playlist.objects.create()

    async def write():
        await playlist.tracks.aadd(*tracks)
        await playlist.tracks.aremove(tracks[2])
        await tracks[2].playlists.aset([playlist])
        await playlist.tracks.acreate(minutes=30)
        await tracks[0].playlists.aclear()

    async_to_sync(write)()

    assert zoo.Playlist.objects.get().minutes == 60
    assert_truth()


@pytest.mark.parametrize("make", [Shelf, lambda: Book(shelf=Shelf.objects.create())])
@pytest.mark.django_db(transaction=True)
def test_new_rows_that_a_deadlock_has_refused_are_inserted_once(make):
    """Their instances are what they were, and then those of the rows."""
    plain = [make(), make()]
    model = type(plain[0])
    for number in range(number_of_statements(lambda: model.objects.bulk_create(plain))):
        rows, known = [make(), make()], model.objects.count()

        with refused(number, *DEADLOCK):
            model.objects.bulk_create(rows)

        assert model.objects.count() == known + 2
        assert {row.pk for row in rows} <= {*model.objects.values_list("pk", flat=True)}
        assert_truth()
