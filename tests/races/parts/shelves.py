"""Shelf > Book: what is kept by the short way of many rows."""

from __future__ import annotations

from django.db.models import F

from syncfields import coalesce
from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    for number in range(2):
        shelf, publisher = zoo.Shelf.objects.create(), zoo.Publisher.objects.create()
        for title in ("old", "new"):
            zoo.Book.objects.create(
                shelf=shelf, publisher=publisher, pages=600 + number, title=title
            )


world = World(build, rows=(zoo.Shelf, zoo.Publisher, zoo.Book), targets=(zoo.Shelf, zoo.Publisher))


def last_shelf() -> zoo.Shelf:
    return zoo.Shelf.objects.latest("pk")


@world.part
def move_old_books():
    shelf = last_shelf()
    return lambda: zoo.Book.objects.filter(title="old").update(shelf=shelf)


@world.part
def thin_old_books_of_a_shelf():
    """The rows are found by a join: one that was waited for may not match any longer."""
    books = zoo.Book.objects.filter(shelf__page_sum__lt=1202, title="old")
    return lambda: books.update(pages=10)


@world.part
def retitle_book():
    book = zoo.Book.objects.filter(title="old").earliest("pk")
    book.title = "read"
    return book.save


@world.part
def move_book():
    book = zoo.Book.objects.filter(title="old").earliest("pk")
    book.shelf = last_shelf()
    return book.save


@world.part
def delete_old_books():
    return lambda: zoo.Book.objects.filter(title="old").delete()


@world.part
def delete_book():
    return zoo.Book.objects.filter(title="old").earliest("pk").delete


@world.part
def bulk_create_books():
    shelves = list(zoo.Shelf.objects.order_by("-pk"))
    return lambda: zoo.Book.objects.bulk_create(
        [zoo.Book(shelf=each, pages=700, title="old") for each in shelves]
    )


@world.part
def delete_shelf():
    return last_shelf().delete


@world.part
def bulk_update_books():
    books = list(zoo.Book.objects.order_by("pk"))
    for book in books:
        book.pages, book.shelf = 1, last_shelf()
    return lambda: zoo.Book.objects.bulk_update(books, ["pages", "shelf"])


@world.part
def bulk_update_books_backwards():
    books = list(zoo.Book.objects.order_by("-pk"))
    for book in books:
        book.pages += 1000
    return lambda: zoo.Book.objects.bulk_update(books, ["pages"], batch_size=2)


@world.part
def lengthen_books():
    return lambda: zoo.Book.objects.update(pages=F("pages") + 10)


@world.part
def create_books_at_commit():
    """In the other order than ``bulk_create_books()``, one by one."""
    shelves = list(zoo.Shelf.objects.order_by("pk"))

    @coalesce()
    def create():
        for shelf in shelves:
            zoo.Book.objects.create(shelf=shelf, pages=50)

    return create


@world.part
def create_and_delete_books_at_commit():
    shelf, book = last_shelf(), zoo.Book.objects.filter(title="new").earliest("pk")

    @coalesce()
    def create_and_delete():
        zoo.Book.objects.create(shelf=shelf, pages=70)
        book.delete()

    return create_and_delete
