"""A path leads to a row and on to those that refer to it: who comes to lead to that row, and who
comes to refer to it, at the same time.
"""

from __future__ import annotations

import threading
from functools import partial

import pytest
from django.db import connection, models, transaction
from django.db.models import Count

from syncfields import synced
from tests.ownmodels import assert_kept, empty, kept_by, own_apps

APPS = own_apps("thereandback")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="has one writer at a time"),
]


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "thereandback"


class Owner(Own):
    pass


class Deed(Own):
    owner = models.ForeignKey(Owner, models.CASCADE, related_name="deeds")


class Card(Own):
    owner = models.ForeignKey(Owner, models.CASCADE)
    deed_count = synced(models.IntegerField(default=0), Count("owner__deeds"))


class Page(Own):
    deed_count = synced(models.IntegerField(default=0), Count("notes__owner__deeds"))


class Note(Own):
    page = models.ForeignKey(Page, models.CASCADE, related_name="notes")
    owner = models.ForeignKey(Owner, models.CASCADE)


kept = kept_by(APPS)


@pytest.fixture(autouse=True)
def emptied():
    yield
    empty(APPS)


def move(row, owner):
    row.owner = owner
    row.save()


LEADING = {
    "a card is made": lambda one, other, card, page, note: partial(
        Card.objects.create, owner=other
    ),
    "a card is moved": lambda one, other, card, page, note: partial(move, card, other),
    "cards are updated": lambda one, other, card, page, note: partial(
        Card.objects.update, owner=other
    ),
    "a note is made": lambda one, other, card, page, note: partial(
        Note.objects.create, page=page, owner=other
    ),
    "a note is moved": lambda one, other, card, page, note: partial(move, note, other),
    "notes are made": lambda one, other, card, page, note: partial(
        Note.objects.bulk_create, [Note(page=page, owner=owner) for owner in (one, other)]
    ),
}
REFERRING = {
    "a deed is made": lambda one, other: partial(Deed.objects.create, owner=other),
    "deeds are moved": lambda one, other: partial(Deed.objects.update, owner=other),
    "deeds are deleted": lambda one, other: Deed.objects.all().delete,
}


@pytest.mark.parametrize("first", ["leading", "referring"])
@pytest.mark.parametrize("referring", REFERRING)
@pytest.mark.parametrize("leading", LEADING)
def test_neither_misses_the_other(leading, referring, first):
    one, other = (Owner.objects.create() for _ in range(2))
    Deed.objects.create(owner=one)
    page = Page.objects.create()
    card, note = Card.objects.create(owner=one), Note.objects.create(page=page, owner=one)
    parts = {
        "leading": LEADING[leading](one, other, card, page, note),
        "referring": REFERRING[referring](one, other),
    }

    held_before_commit(parts.pop(first), *parts.values())

    assert_kept()


def held_before_commit(write, other):
    """The other one begins when the first has written, and is given time before COMMIT."""
    errors: list[Exception] = []

    def begin():
        try:
            other()
        except Exception as error:  # noqa: BLE001 - the test says what it was
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=begin)
    with transaction.atomic():
        write()
        thread.start()
        thread.join(timeout=0.3)
    thread.join()
    assert not errors
