"""Writes of many rows that the database refuses, whichever of their statements that is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.deletion import Collector

from tests.refusing import DEADLOCK, GONE, refused
from tests.statements import number_of_statements
from tests.testapp.models import (
    Book,
    Place,
    Playlist,
    Publisher,
    Restaurant,
    Review,
    Shelf,
    Track,
    Zone,
)
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db(transaction=True)


def books():
    """Two of a publisher, each on a shelf of its own."""
    publisher = Publisher.objects.create()
    return [
        Book.objects.create(shelf=Shelf.objects.create(), publisher=publisher, pages=600)
        for _ in range(2)
    ]


def bulk_create():
    new = [Book(shelf=book.shelf, pages=3) for book in books()]
    return lambda: Book.objects.bulk_create(new)


def bulk_create_of_those_not_there():
    known, other = books()
    new = [Book(pk=known.pk, shelf=other.shelf), Book(shelf=other.shelf, pages=3)]
    return lambda: Book.objects.bulk_create(new, ignore_conflicts=True)


def bulk_create_that_replaces():
    known, other = books()
    new = [Book(pk=known.pk, shelf=other.shelf, pages=5), Book(shelf=other.shelf, pages=3)]
    targeted = connection.features.supports_update_conflicts_with_target
    options = {"unique_fields": ["pk"]} if targeted else {}
    return lambda: Book.objects.bulk_create(
        new, update_conflicts=True, update_fields=["shelf", "pages"], **options
    )


def linked():
    """A playlist with two tracks, and another track."""
    playlist = Playlist.objects.create()
    *tracks, other = [Track.objects.create(minutes=minutes) for minutes in (5, 10, 20)]
    playlist.tracks.set(tracks)
    return playlist, tracks, other


def add():
    playlist, _, other = linked()
    return lambda: playlist.tracks.add(other)


def add_from_the_far_side():
    playlist, _, other = linked()
    return lambda: other.playlists.add(playlist)


def remove():
    playlist, tracks, _ = linked()
    return lambda: playlist.tracks.remove(*tracks)


def set_of_others():
    playlist, tracks, other = linked()
    return lambda: playlist.tracks.set(iter([tracks[0], other]))


def clear():
    playlist, _, _ = linked()
    return playlist.tracks.clear


def bulk_create_of_targets():
    new = [Shelf(book_count=3), Shelf()]
    return lambda: Shelf.objects.bulk_create(new)


def bulk_update():
    moved = books()
    for book in moved:
        book.shelf, book.pages = moved[0].shelf, book.pages + 1
    # Django takes any iterable.
    return lambda: Book.objects.bulk_update(iter(moved), ["shelf", "pages"])


def update():
    moved = books()
    return lambda: Book.objects.update(shelf=moved[0].shelf)


def delete_of_a_queryset():
    books()
    return lambda: Book.objects.all().delete()


def delete_that_cascades():
    return books()[0].publisher.delete


def delete_of_several_tables():
    place = Restaurant.objects.create(zone=Zone.objects.create(), stars=2)
    Review.objects.create(place=place, grade=3)
    collector = Collector(using="default")
    collector.collect([Place.objects.get()])  # Which reads, outside of any transaction.
    return collector.delete


WRITES = [
    bulk_create,
    bulk_create_of_those_not_there,
    bulk_create_of_targets,
    bulk_create_that_replaces,
    add,
    add_from_the_far_side,
    remove,
    set_of_others,
    clear,
    bulk_update,
    update,
    delete_of_a_queryset,
    delete_that_cascades,
    delete_of_several_tables,
]
MODELS = (Book, Publisher, Shelf, Zone, Place, Restaurant, Review, Playlist, Track)
in_each_way = pytest.mark.parametrize("make", WRITES, ids=lambda make: make.__name__)


def counted():
    """How many rows there are, and what the shelves and the playlists say."""
    shelves = sorted(Shelf.objects.values_list("book_count", "page_sum"))
    playlists = list(Playlist.objects.values_list("track_count"))
    return [model.objects.count() for model in MODELS], shelves, playlists


@in_each_way
def test_a_write_is_carried_out_again_after_a_deadlock(make):
    for number in range(number_of_statements(prepared(make))):
        plain = prepared(make)()
        expected = counted()
        write = prepared(make)

        with refused(number, *DEADLOCK):
            result = write()

        assert counted() == expected, number
        assert said(result) == said(plain)
        assert_truth()


def test_the_first_write_of_a_connection_is_tried_again():
    if connection.vendor == "sqlite":
        pytest.skip("another connection would have another database")
    write = prepared(bulk_create)

    def write_first():
        try:
            with refused(0, *DEADLOCK, kind="INSERT"):
                write()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write_first).result()

    assert_truth()


def prepared(make):
    """A write, of what is there for it alone."""
    for model in MODELS:
        model.objects.all().delete()
    return make()


def said(result):
    """Of instances, whether they are known to be there, and have a key."""
    if not isinstance(result, list):
        return result
    return [(each.pk is None, each._state.adding, each._state.db) for each in result]


@in_each_way
def test_within_a_transaction_a_deadlock_is_raised(make):
    for number in range(number_of_statements(prepared(make))):
        write = prepared(make)
        before = counted()

        with refused(number, *DEADLOCK), pytest.raises(OperationalError), transaction.atomic():
            write()

        assert counted() == before
        assert_truth()


@in_each_way
def test_another_error_is_raised_and_leaves_no_trace(make):
    for number in range(number_of_statements(prepared(make))):
        write = prepared(make)
        before = counted()

        with refused(number, *GONE), pytest.raises(OperationalError):
            write()

        assert counted() == before
        assert not connection.in_atomic_block
        assert_truth()
