"""Shelf > Book: what is kept by the short way of many rows."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo

world = World(rows=(zoo.Shelf, zoo.Publisher, zoo.Book), targets=(zoo.Shelf, zoo.Publisher))


@world.build
def build():
    for number in range(2):
        shelf, publisher = zoo.Shelf.objects.create(), zoo.Publisher.objects.create()
        for title in ("old", "new"):
            zoo.Book.objects.create(
                shelf=shelf, publisher=publisher, pages=600 + number, title=title
            )


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
