"""What somebody gives a synced field for a new row is not stored, and the log says so, once."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest
from django.contrib.auth import get_user_model

from syncfields import unsynced
from tests.testapp.models import Book, Card, Post, Profile, Shelf

pytestmark = pytest.mark.django_db
User = get_user_model()

MESSAGE = (
    "testapp.Shelf.book_count is kept by syncfields: 5 was given for a new row, and 0 is stored. "
    "Leave it out, or use unsynced()."
)
WAYS = {
    "create": lambda: Shelf.objects.create(book_count=5),
    "save": lambda: Shelf(book_count=5).save(),
    "get_or_create": lambda: Shelf.objects.get_or_create(defaults={"book_count": 5}, pk=7),
    "update_or_create": lambda: Shelf.objects.update_or_create(defaults={"book_count": 5}, pk=7),
    "bulk_create": lambda: Shelf.objects.bulk_create([Shelf(book_count=5) for _ in range(3)]),
}


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING, logger="syncfields.ownership")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("way", WAYS)
def test_a_value_that_is_not_stored(said, way):
    WAYS[way]()

    assert said() == [MESSAGE]
    assert set(Shelf.objects.values_list("book_count", flat=True)) == {0}


def test_a_copy(said):
    user = User.objects.create(username="ann", email="ann@example.org")

    Profile.objects.create(user=user, email="ann@example.org")
    assert said() == []
    Profile.objects.create(email="bob@example.org")

    assert said() == [
        (
            "testapp.Profile.email is kept by syncfields: 'bob@example.org' was given for a new "
            "row, and None is stored. Leave it out, or use unsynced()."
        )
    ]


def loaded_and_copied(shelf):
    found = Shelf.objects.get(pk=shelf.pk)
    found.pk = None
    return found


def said_to_be_new(shelf):
    found = loaded_and_copied(shelf)
    found._state.adding = True
    return found


CLONES = {
    "loaded": loaded_and_copied,
    "as the documentation of Django says": said_to_be_new,
    "copied": lambda shelf: copy.deepcopy(said_to_be_new(shelf)),
    "pickled": lambda shelf: pickle.loads(pickle.dumps(said_to_be_new(shelf))),
}


@pytest.mark.parametrize("clone", CLONES)
def test_nobody_has_given_what_a_clone_holds(said, clone):
    shelf = Shelf.objects.create()
    Book.objects.create(shelf=shelf, pages=3)

    CLONES[clone](shelf).save()

    assert said() == []
    assert sorted(Shelf.objects.values_list("book_count", flat=True)) == [0, 1]


@pytest.mark.parametrize(
    "write",
    [
        Shelf.objects.create,
        lambda: Shelf.objects.create(book_count=0),
        lambda: Shelf(book_count=9).save_base(raw=True),
        lambda: Post.objects.create(last_comment_at=None, newest_text=""),
        lambda: Card.objects.create(profile=Profile.objects.create()),
    ],
)
def test_nothing_is_said_where_nothing_is_lost(said, write):
    write()

    assert said() == []


def test_unsynced_is_the_way_out(said):
    with unsynced():
        Shelf.objects.create(book_count=5)

    assert said() == []
    assert Shelf.objects.get().book_count == 5
