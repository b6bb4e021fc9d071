"""Each write stays in the database that it was sent to."""

from __future__ import annotations

import pytest

from syncfields import reconcile, unsynced
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Book, Card, Comment, Post, Profile, Publisher, Shelf
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db(databases=["default", "other"])


@pytest.fixture
def shelves():
    """The same two rows in both databases."""
    for using in ("default", "other"):
        for pk in (1, 2):
            Shelf(pk=pk).save(using=using)
    return {using: Shelf.objects.using(using).get(pk=1) for using in ("default", "other")}


def test_a_save_using_other_changes_only_other(shelves):
    book = Book(shelf=shelves["other"], pages=3)
    with sent("default") as statements:
        book.save(using="other")
        book.pages = 600
        book.publisher = Publisher.objects.using("other").create()
        book.save(using="other")
        assert_truth(using="other")
        book.delete(using="other")

    assert statements == []
    assert_truth(using="default")
    assert_truth(using="other")


def test_the_same_key_in_both_databases_is_two_rows(shelves):
    for using in ("default", "other"):
        Book.objects.using(using).create(pk=7, shelf=shelves[using], pages=3)

    book = Book.objects.using("other").get()
    book.shelf_id = 2
    book.save()

    assert Shelf.objects.using("other").get(pk=2).book_count == 1
    assert Shelf.objects.get(pk=1).book_count == 1
    assert_truth(using="default")
    assert_truth(using="other")


def test_hops_chains_copies_and_recomputes_stay_in_their_database():
    blog = Blog.objects.using("other").create()
    post = Post.objects.using("other").create(blog=blog)
    profile = Profile.objects.using("other").create(nickname="x")
    with sent("default") as statements:
        comment = Comment.objects.using("other").create(post=post, score=4)
        assert comment.post.comment_count == 1
        Card.objects.using("other").create(profile=profile)
        profile.nickname = "y"
        profile.save()
        assert_truth(Blog, Post, Profile, Card, using="other")
        comment.delete()

    assert statements == []
    assert_truth(using="other")


def test_reconcile_repairs_the_database_that_is_named(shelves):
    with unsynced():
        for shelf in shelves.values():
            shelf.book_count = 5
            shelf.save()

    report = reconcile(Shelf, using="other")

    assert report.repaired == 1
    assert Shelf.objects.get(pk=1).book_count == 5
    assert_truth(using="other")


class BooksElsewhere:
    """Shelves, books and publishers live in the other database."""

    def db_for_read(self, model, **hints):
        return "other" if model in (zoo.Shelf, zoo.Book, zoo.Publisher) else None

    db_for_write = db_for_read


@pytest.mark.django_db(databases=["default", "other"])
@pytest.mark.parametrize("routed", [True, False])
def test_bulk_writes_follow_routers_and_using(settings, routed):
    if routed:
        settings.DATABASE_ROUTERS = [BooksElsewhere()]
    shelves, books = (
        model.objects if routed else model.objects.using("other") for model in (zoo.Shelf, zoo.Book)
    )

    with sent("default") as statements:
        one, two = (shelves.create() for _ in range(2))
        books.bulk_create(zoo.Book(shelf=one, pages=pages) for pages in (1, 2, 3))
        books.filter(pages=2).update(shelf=two)
        rows = list(books.filter(pages=3))
        rows[0].shelf = two
        books.bulk_update(rows, ["shelf"])
        one.books.add(*rows)
        books.get_or_create(shelf=two, pages=9)
        books.filter(pages=2).delete()
        chosen = books.filter(pages=1)
        chosen._raw_delete("other")

    assert statements == []
    assert zoo.Shelf.objects.using("other").get(pk=one.pk).page_sum == 3
    assert_truth(using="other")
    one.delete()
    assert_truth(using="other")
