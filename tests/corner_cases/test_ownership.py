"""The engine owns its fields: who else writes them is refused, ignored, or says unsynced()."""

from __future__ import annotations

from contextlib import suppress

import pytest

from syncfields import SyncedFieldError, unsynced
from tests.menagerie import populate
from tests.statements import sent
from tests.testapp.models import Book, Card, Comment, Musician, Post, Profile, Shelf
from tests.truth import assert_truth, drifts
from tests.undo import UndoError

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    shelf = Shelf.objects.create()
    Book.objects.create(shelf=shelf, pages=3)
    return shelf


@pytest.mark.parametrize(
    "write",
    [
        lambda shelf: Shelf.objects.update(book_count=7),
        lambda shelf: Shelf.objects.filter(pk=shelf.pk).update(book_count=7, page_sum=1),
        lambda shelf: Shelf.objects.bulk_update([shelf], ["book_count"]),
        lambda shelf: shelf.save(update_fields=["book_count"]),
    ],
    ids=["update", "filtered update", "bulk_update", "save"],
)
def test_an_update_that_names_a_synced_field_is_refused(shelf, write):
    with pytest.raises(SyncedFieldError, match=r"testapp\.Shelf\.book_count.*unsynced\(\)"):
        write(shelf)

    assert_truth()


def test_a_stale_instance_writes_no_synced_field(shelf):
    stale = Shelf.objects.get()
    Book.objects.create(shelf=shelf, pages=4)

    stale.book_count = 99
    stale.save()

    assert_truth()


def test_update_or_create_of_a_target():
    # Django saves by update_fields here, and itself adds each date field of the model to them.
    post = Post.objects.create(title="old")
    Comment.objects.create(post=post)

    Post.objects.update_or_create(pk=post.pk, defaults={"title": "new"})

    assert Post.objects.get().title == "new"
    assert_truth()


@pytest.mark.parametrize("model", [Profile, Card])
def test_a_wrong_value_on_insert_is_ignored(model):
    values = {"profile": Profile.objects.create()} if model is Card else {}

    row = model(email="wrong@example.org", **values)
    row.save()

    assert row.email is None
    assert_truth()


def test_unsynced_lets_writes_pass(shelf):
    with unsynced(), sent() as statements:
        Book.objects.create(shelf=shelf, pages=5)
        Shelf.objects.update(book_count=9)
        shelf.page_sum = 8
        shelf.save(update_fields=["page_sum"])

    assert len(statements) == 3
    stored = Shelf.objects.get()
    assert (stored.book_count, stored.page_sum) == (9, 8)
    Book.objects.create(shelf=shelf, pages=1)
    stored.refresh_from_db()
    assert (stored.book_count, stored.page_sum) == (10, 9)


def test_unsynced_with_reconcile_repairs_what_was_touched(shelf):
    untouched = Shelf.objects.create()
    with unsynced():
        Book.objects.create(shelf=untouched)

    with unsynced(reconcile=True):
        book = Book.objects.create(shelf=shelf, pages=5)
        book.pages = 6
        book.save()
        Shelf.objects.filter(pk=shelf.pk).update(book_count=9)
    assert len(drifts(Shelf)) == 1

    with unsynced(reconcile=True):
        Book.objects.filter(shelf=untouched).delete()
    assert_truth()


def test_unsynced_is_left_by_an_exception(shelf):
    with suppress(UndoError), unsynced(reconcile=True):
        Book.objects.create(shelf=shelf, pages=5)
        raise UndoError
    assert_truth()

    Book.objects.create(shelf=shelf, pages=5)

    assert_truth()


def test_unsynced_as_decorator_and_nested(shelf):
    @unsynced()
    def load():
        Book.objects.create(shelf=shelf, pages=5)

    with unsynced(reconcile=True):
        load()
        with unsynced():
            Book.objects.create(shelf=shelf, pages=7)
        assert drifts(Shelf)

    assert_truth()


def test_unsynced_with_reconcile_around_everything():
    with unsynced(reconcile=True):
        populate()

    assert_truth()


def test_unsynced_with_reconcile_and_the_far_end_of_many_to_many():
    one, two = (Musician.objects.create(fame=fame) for fame in (1, 2))
    one.friends.add(two)

    with unsynced(reconcile=True):
        two.fame = 5
        two.save()

    assert Musician.objects.get(pk=one.pk).friends_fame == 5
    assert_truth()
