"""django-simple-history: each model has a copy of itself, with a row for each save."""

from __future__ import annotations

import pytest

pytest.importorskip("simple_history", reason="django-simple-history is not installed")

from django.core.management import call_command
from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from simple_history.models import HistoricalRecords
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from syncfields import synced
from syncfields.plan import registry
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Shelf(models.Model):
    name = models.CharField(max_length=20)
    book_count = synced(models.IntegerField(default=0), Count("books"))
    thick_count = synced(
        models.IntegerField(default=0), Count("books", filter=Q(books__pages__gt=100))
    )
    page_sum = synced(models.IntegerField(default=0), Sum("books__pages"))
    thickest = synced(models.IntegerField(null=True), Max("books__pages"))
    history = HistoricalRecords()


class Book(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="books")
    pages = models.IntegerField(default=1)
    shelf_name = synced(models.CharField(max_length=20), F("shelf__name"))
    shelf_name_or_null = synced(models.CharField(max_length=20, null=True), F("shelf__name"))
    history = HistoricalRecords()


@pytest.fixture
def shelves(db):
    one, two = Shelf.objects.create(name="one"), Shelf.objects.create(name="two")
    for pages in (50, 150, 250):
        Book.objects.create(shelf=one, pages=pages)
    assert_true()
    return one, two


def test_the_historical_models_have_no_rules():
    historical = {Shelf.history.model, Book.history.model}

    assert registry.errors() == []
    assert historical.isdisjoint({rule.model for rule in registry.plan().rules})
    call_command("check", fail_level="ERROR")


def test_the_past_is_not_rewritten(shelves):
    one, _ = shelves
    book = Book.objects.first()

    one.name = "first"
    one.save()
    assert_true()
    Book.objects.filter(pk=book.pk).delete()
    assert_true()
    recorded = book.history.order_by("history_id").values_list("shelf_name", "shelf_name_or_null")
    assert list(recorded) == [("one", "one"), ("first", "first")]


def test_history_records_what_the_row_holds(shelves):
    one, _ = shelves
    Book.objects.create(shelf=one, pages=5)

    one.name = "first"
    one.book_count = 999
    one.save()
    assert_true()
    assert one.history.first().book_count in (0, 3, 4)
    assert one.history.first().thick_count in (0, 2)


def test_a_record_is_restored(shelves):
    one, two = shelves
    book = Book.objects.get(pages=250)
    book.pages, book.shelf = 10, two
    book.save()
    assert_true()

    book.history.earliest().instance.save()
    assert_true()
    assert Book.objects.get(pk=book.pk).pages == 250
    one.history.earliest().instance.save()
    assert_true()
    assert Shelf.objects.get(pk=one.pk).book_count == 3


def test_a_deleted_row_comes_back(shelves):
    one, _ = shelves
    book = Book.objects.get(pages=250)
    pk = book.pk
    book.delete()
    assert_true()

    Book.history.filter(id=pk).first().instance.save()
    assert_true()
    assert Book.objects.get(pk=pk).shelf == one
    one.delete()
    assert_true()


def test_bulk_writes_with_history(shelves):
    one, two = shelves
    books = bulk_create_with_history([Book(shelf=two, pages=n) for n in (90, 190)], Book)
    assert_true()
    assert two.books.count() == 2

    books = list(two.books.all())
    for book in books:
        book.pages, book.shelf = book.pages + 50, one
    bulk_update_with_history(books, Book, ["pages", "shelf"])
    assert_true()
    assert Book.history.filter(history_type="~").count() == 2
    Shelf.objects.filter(pk=one.pk).bulk_update([one], ["name"])
    assert_true()


def test_a_save_without_history(shelves):
    book = Book.objects.get(pages=50)
    book.pages = 500
    book.save_without_historical_record()
    assert_true()
    book.skip_history_when_saving = True
    book.pages = 5
    book.save()
    assert_true()


def test_what_was_is_read(shelves):
    one, _ = shelves
    before = one.history.latest().history_date
    one.name = "new"
    one.save()

    assert one.history.as_of(before).name == "one"
    assert Shelf.history.as_of(before).get(pk=one.pk).name == "one"
    one.history.as_of(before).save()
    assert_true()


def test_commands_over_all_of_the_history(shelves):
    Shelf.history.all().delete()
    call_command("populate_history", "packages.Shelf", verbosity=0)
    call_command("clean_duplicate_history", "packages.Shelf", verbosity=0)
    call_command("clean_old_history", "packages.Shelf", days=0, verbosity=0)
    assert_true()


def test_what_the_page_shows(shelves):
    book = Book.objects.get(pages=250)
    book.pages, book.shelf = 10, shelves[1]
    book.save()

    shown("django-simple-history", globals(), book=book)
    assert_true()
    assert Book.objects.get(pk=book.pk).pages == 250
