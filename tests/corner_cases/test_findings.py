"""What reviews and random sequences of writes have found, each as a test of its own."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.db.models.signals import post_save

from syncfields import coalesce, reconcile
from syncfields.testing import assert_in_sync
from tests.testapp import models as zoo
from tests.testapp.models import Book, Comment, Gadget, Licence, Maker, Part, Post, Shelf
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def makers():
    return [
        Maker.objects.create(name=f"maker {year}", founded=dt.date(year, 1, 1))
        for year in (1990, 2000)
    ]


def test_an_aggregate_that_is_not_null_over_no_rows(makers):
    assert Maker.objects.get(pk=makers[0].pk).mean_weight == 7
    gadget = Gadget.objects.create(maker=makers[0], weight=3)
    assert_truth()
    Gadget.objects.bulk_create(Gadget(maker=makers[1], weight=weight) for weight in (None, 9))
    assert_truth()

    gadget.delete()
    Gadget.objects.filter(maker=makers[1]).delete()

    assert set(Maker.objects.values_list("mean_weight", flat=True)) == {7}
    assert_truth()
    Maker.objects.bulk_create([Maker(name="third"), Maker(name="fourth")])
    assert_truth()


def test_a_touched_field_that_another_rule_reads(makers):
    gadget = Gadget.objects.create(maker=makers[0])

    part = Part.objects.create(gadget=gadget)
    first = Maker.objects.get(pk=makers[0].pk).counted_at
    assert first is not None
    assert_truth()
    Part.objects.bulk_create([Part(gadget=gadget), Part(gadget=gadget)])
    assert Maker.objects.get(pk=makers[0].pk).counted_at > first
    assert_truth()
    part.delete()
    with coalesce():
        Part.objects.create(gadget=gadget)

    assert_truth()


def test_times_that_the_database_wrote_are_no_drift():
    """SQLite gives three digits of a second, and Python six."""
    post = zoo.Post.objects.create()
    comments = [zoo.Comment.objects.create(post=post) for _ in range(2)]

    zoo.Comment.objects.filter(pk=comments[0].pk).update(created=Now())
    assert_truth()
    assert_in_sync()
    comments[1].delete()
    assert_truth()
    assert_in_sync()
    zoo.Comment.objects.create(post=post)

    first = zoo.Comment.objects.get(pk=comments[0].pk)
    first.post = None
    first.save()

    assert_truth()


@pytest.mark.parametrize("options", [{}, {"ignore_conflicts": True}])
def test_bulk_create_of_copies_into_unique_fields_and_fields_without_placeholder(makers, options):
    Licence.objects.bulk_create([Licence(maker=each) for each in makers], **options)

    assert set(Licence.objects.values_list("name", flat=True)) == {"maker 1990", "maker 2000"}
    assert_truth()


def test_a_copy_with_a_transform_of_its_own_column(makers):
    gadget = Gadget.objects.create(maker=makers[0], made=dt.date(2021, 6, 1))
    assert Gadget.objects.get().years == 31
    Gadget.objects.bulk_create(
        Gadget(maker=each, made=dt.date(2024, 6, 1)) for each in makers for _ in range(2)
    )
    assert_truth()

    gadget.made = dt.date(2010, 1, 1)
    gadget.save()
    assert Gadget.objects.get(pk=gadget.pk).years == 20
    Gadget.objects.update(made=dt.date(2011, 1, 1))
    Maker.objects.update(founded=dt.date(2011, 1, 1))

    assert set(Gadget.objects.values_list("years", flat=True)) == {0}
    assert_truth()


@pytest.mark.parametrize(("old", "new"), [(1, True), (True, 1), (0, False), (1, 1.0)])
def test_json_values_that_are_equal_to_python_only(makers, old, new):
    maker = makers[0]
    maker.specs = {"size": [old]}
    maker.save()
    Gadget.objects.create(maker=maker)
    assert_truth()

    maker.specs = {"size": [new]}
    maker.save()

    assert type(Gadget.objects.get().specs["size"][0]) is type(
        Maker.objects.get(pk=maker.pk).specs["size"][0]
    )
    assert_truth()


def test_many_to_many_add_of_more_rows_than_a_statement_has_terms():
    playlist = zoo.Playlist.objects.create()
    zoo.Track.objects.bulk_create(zoo.Track(minutes=number % 20) for number in range(1500))

    playlist.tracks.add(*zoo.Track.objects.all())

    assert zoo.Playlist.objects.get().track_count == 1500
    assert_truth()
    playlist.tracks.set(zoo.Track.objects.filter(minutes=10))

    assert zoo.Playlist.objects.get().track_count == 75
    assert_truth()


def test_signals_sent_by_hand_after_a_bulk_write_count_nothing():
    """NetBox sends ``post_save`` for each row, so that other receivers hear of it."""
    shelf, other = Shelf.objects.create(), Shelf.objects.create()

    books = Book.objects.bulk_create(Book(shelf=shelf, pages=pages) for pages in (1, 2))
    if any(book.pk is None for book in books):
        books = list(Book.objects.all())
    for book in books:
        post_save.send(Book, instance=book, created=True, raw=False, using="default")
    assert Shelf.objects.values_list("book_count", "page_sum").get(pk=shelf.pk) == (2, 3)
    for book in books:
        book.shelf, book.pages = other, book.pages + 10
    Book.objects.bulk_update(books, ["shelf", "pages"])
    for book in books:
        post_save.send(Book, instance=book, created=False, raw=False, using="default")

    assert Shelf.objects.values_list("book_count", "page_sum").get(pk=other.pk) == (2, 23)
    assert_truth()


def test_loaddata_of_children_before_their_parents(tmp_path):
    """Foreign keys are not checked while a fixture is loaded, so that any order is one."""
    rows = [
        ("reaction", 1, {"comment": 1}),
        ("comment", 1, {"post": 1, "score": 4}),
        ("card", 1, {"profile": 1, "kind": "visit"}),
        ("profile", 1, {"nickname": "Ann"}),
        ("post", 1, {"blog": 1, "comment_count": 99}),
        ("comment", 2, {"post": 1, "score": 6}),
        ("blog", 1, {"name": "one", "comment_count": 99}),
    ]
    fixture = [
        {"model": f"testapp.{name}", "pk": pk, "fields": fields} for name, pk, fields in rows
    ]
    path = tmp_path / "fixture.json"
    path.write_text(json.dumps(fixture))

    for _ in range(2):
        call_command("loaddata", path, verbosity=0)
        assert zoo.Blog.objects.get().reaction_count == 1
        assert zoo.Post.objects.get().score_sum == 10
        assert_truth()

    assert reconcile().drifted == 0


def test_a_small_change_of_a_large_float_is_written():
    post = Post.objects.create()
    for heat in (1e9, 1.5):
        comment = Comment.objects.create(post=post, heat=heat)

    Comment.objects.filter(pk=comment.pk).update(heat=2.0)

    assert Post.objects.get().heat == 1e9 + 2
