"""What a receiver of ``pre_save`` sees, as an audit log compares it with the row."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count
from django.db.models.signals import post_save, pre_save

from syncfields import synced
from syncfields.capture import receivers
from tests.ownmodels import kept, models_of, own_apps, rules_of, tables
from tests.testapp.models import Book, Comment, PublicComment, Shelf, Unwatched
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db
APPS = own_apps("receivers")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "receivers"


class Chain(Own):
    n = synced(models.IntegerField(default=0), Count("shops"))


class Shop(Own):
    chain = models.ForeignKey(Chain, models.CASCADE, related_name="shops")


class Numbered(models.IntegerField):
    """Asks the database for its value when it is about to be saved."""

    def pre_save(self, model_instance, add):
        value = Chain.objects.values_list("n", flat=True).get(pk=model_instance.chain_id)
        setattr(model_instance, self.attname, value)
        return value


class Branch(Shop):
    """No rule reads this table, whose row is written after the one that a rule does read."""

    number = Numbered(null=True)


@pytest.fixture(scope="module")
def shops(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


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


def test_a_receiver_of_a_save_that_names_no_database(seen):
    shelf = Shelf.objects.create()
    stale = Shelf.objects.get(pk=shelf.pk)
    Book.objects.create(shelf=Shelf.objects.get(pk=shelf.pk), pages=7)

    stale.save_base()

    assert seen[1:] == [(1, 7)]


@pytest.mark.django_db(databases=["default", "other"])
def test_a_receiver_of_a_save_to_another_database(seen):
    shelf = Shelf.objects.create()
    Shelf(pk=shelf.pk).save(using="other")
    Book(shelf_id=shelf.pk, pages=7).save(using="other")

    shelf.save(using="other")

    assert seen[2:] == [(1, 7)]


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


def test_a_field_that_asks_the_database_sees_what_was_written_before(shops):
    del shops
    with kept(rules_of(APPS)):
        chain = Chain.objects.create()
        for number in (1, 2):
            branch = Branch.objects.create(chain=chain)

            assert branch.number == number
        branch.chain = Chain.objects.create()
        branch.save()
        assert branch.number == 1


def test_a_model_whose_rules_hold_no_longer_has_no_receiver(shops):
    del shops
    with kept(rules_of(APPS)):
        assert post_save.has_listeners(Shop)
        assert pre_save.has_listeners(Chain)

    assert not post_save.has_listeners(Shop)
    assert not pre_save.has_listeners(Chain)


def test_those_that_are_listed_are_those_of_the_table():
    assert receivers.of(Book) == {("post_save", Book)}
    assert receivers.of(Comment) == {("post_save", Comment), ("post_save", PublicComment)}
    assert ("pre_save", Shelf) in receivers.of(Shelf)
    assert receivers.of(Unwatched) == set()
