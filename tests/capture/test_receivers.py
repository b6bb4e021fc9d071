"""What a receiver of ``pre_save`` sees, as an audit log compares it with the row."""

from __future__ import annotations

import pytest
from django.db.models.signals import post_save, pre_save

from tests.testapp.models import Book, Shelf
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def seen():
    """The counts of each shelf that was about to be saved."""
    found = []

    def note(instance, **kwargs):
        found.append((instance.book_count, instance.page_sum))

    pre_save.connect(note, sender=Shelf)
    yield found
    pre_save.disconnect(note, sender=Shelf)


def test_a_receiver_sees_what_the_row_holds(seen):
    shelf = Shelf.objects.create()
    stale = Shelf.objects.get(pk=shelf.pk)
    Book.objects.create(shelf=Shelf.objects.get(pk=shelf.pk), pages=7)

    stale.save()
    stale.page_sum = 999
    stale.save()

    assert seen[1:] == [(1, 7)] * 2
    assert (stale.book_count, stale.page_sum) == (1, 7)


def test_a_new_row_starts_as_it_is_given(seen):
    Shelf(pk=900, book_count=5).save()
    Shelf.objects.create()

    assert [count for count, _ in seen] == [5, 0]
    assert list(Shelf.objects.values_list("book_count", flat=True)) == [0, 0]


def test_what_is_not_asked_for_is_not_read(django_assert_num_queries):
    shelf = Shelf.objects.create()

    def ignore(**kwargs):
        pass

    pre_save.connect(ignore, sender=Shelf)
    try:
        with django_assert_num_queries(1):
            shelf.save()
    finally:
        pre_save.disconnect(ignore, sender=Shelf)


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
