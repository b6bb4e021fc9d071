"""UPDATEs of several targets, sent as one statement where the database takes that."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import connection, models, transaction
from django.db.models import Count, Max, Sum

from syncfields import signals, synced, unsynced
from tests.ownmodels import assert_kept, kept_by, own_apps
from tests.statements import sent

APPS = own_apps("together")
kept = kept_by(APPS)

pytestmark = pytest.mark.django_db


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "together"


class Town(Own):
    books = synced(models.PositiveIntegerField(default=0), Sum("shops__books"))
    largest = synced(models.IntegerField(null=True), Max("shops__books"))


class Shop(Own):
    town = models.ForeignKey(Town, models.CASCADE, related_name="shops")
    books = synced(models.PositiveIntegerField(default=0), Sum("shelves__books"))


class Shelf(Own):
    shop = models.ForeignKey(Shop, models.CASCADE, related_name="shelves")
    books = synced(models.PositiveIntegerField(default=0), Count("content"))
    pages = synced(models.PositiveIntegerField(default=0), Sum("content__pages"))


class Author(Own):
    books = synced(models.PositiveIntegerField(default=0), Count("content"))
    longest = synced(models.IntegerField(null=True), Max("content__pages"))


class Book(Own):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="content")
    author = models.ForeignKey(Author, models.CASCADE, related_name="content")
    pages = models.IntegerField(default=1)


def path(book):
    """The rows that count a book, from near to far."""
    return book.author, book.shelf, book.shelf.shop, book.shelf.shop.town


@pytest.fixture
def book():
    shops = [Shop.objects.create(town=Town.objects.create()) for _ in range(2)]
    shelves = [Shelf.objects.create(shop=shop) for shop in (*shops, shops[1])]
    authors = [Author.objects.create() for _ in range(2)]
    for shelf, author, pages in product(shelves, authors, (5, 7)):
        Book.objects.create(shelf=shelf, author=author, pages=pages)
    return Book.objects.filter(pages=7).earliest("pk")


def create(book):
    Book.objects.create(shelf=book.shelf, author=book.author, pages=9)


def change(book):
    book.pages = 1
    book.save()


def move(book):
    book.shelf, book.author = Shelf.objects.latest("pk"), Author.objects.latest("pk")
    book.save()


def delete(book):
    book.delete()


@pytest.mark.parametrize("write", [create, change, move, delete])
def test_all_targets_are_kept(book, write):
    write(book)

    assert_kept()


@pytest.mark.parametrize("write", [move, delete])
@pytest.mark.parametrize("drifted", [*product((False, True), repeat=3)])
def test_what_cannot_take_its_part_is_healed(book, write, drifted):
    """Nothing can be taken from 0."""
    with unsynced():
        *near, town = path(book)
        for row, has_drifted in zip(near, drifted, strict=True):
            if has_drifted:
                type(row).objects.filter(pk=row.pk).update(books=0)
        says = town.shops.aggregate(Sum("books"), Max("books"))
        Town.objects.filter(pk=town.pk).update(books=says["books__sum"], largest=says["books__max"])

    write(Book.objects.get(pk=book.pk))

    assert_kept()


def test_each_that_had_drifted_is_reported(book):
    reported = []
    with unsynced():
        for row in path(book)[:2]:
            type(row).objects.filter(pk=row.pk).update(books=0)

    def note(sender, drifts, **kwargs):
        reported.append((sender, [(each.pk, each.stored, each.expected) for each in drifts]))

    author, shelf = book.author_id, book.shelf_id
    counts = [row.content.count() for row in path(book)[:2]]
    signals.drift_found.connect(note)
    try:
        book.delete()
    finally:
        signals.drift_found.disconnect(note)

    found = dict(reported)
    assert found[Author] == [(author, 0, counts[0])]
    assert found[Shelf] == [(shelf, 0, counts[1])]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="one statement for each table")
def test_one_statement_is_for_all_tables_that_do_not_read_one_another(book):
    with transaction.atomic(), sent() as statements:
        create(book)

    assert statements.count("INSERT together_book") == 1
    updates = [each for each in statements if each.startswith("UPDATE")]
    assert len(updates) == 3, updates  # The largest shop of a town is found when shops are written.
