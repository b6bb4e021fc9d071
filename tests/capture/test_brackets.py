"""A save that the database refuses, whichever of its statements that is: a deadlock, or the end."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.db.models.signals import post_save

from tests.refusing import DEADLOCK, GONE, refused
from tests.statements import number_of_statements
from tests.testapp.models import Beat, Book, Card, Monitor, Place, Profile, Restaurant, Shelf, Zone
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db(transaction=True)


def a_new_book():
    return Book(shelf=Shelf.objects.create(), pages=3)


def a_book_that_moves():
    book = Book.objects.create(shelf=Shelf.objects.create(), pages=3)
    book.shelf, book.pages = Shelf.objects.create(), 4
    return book


def a_row_whose_columns_decide_for_themselves():
    return Beat(monitor=Monitor.objects.create(), level=6, kind="alarm")


def a_copy():
    users = get_user_model().objects
    user = users.create(username=f"ann{users.count()}", email="ann@example.org")
    return Card(profile=Profile.objects.create(user=user, nickname="nan"))


def a_target():
    return Shelf(book_count=7)


def a_place_that_gets_a_restaurant():
    place = Place.objects.create(zone=Zone.objects.create())
    return Restaurant(place_ptr=place, zone=place.zone, stars=2)


SINGLE = [
    a_new_book,
    a_book_that_moves,
    a_row_whose_columns_decide_for_themselves,
    a_copy,
    a_target,
]
in_each_way = pytest.mark.parametrize("make", SINGLE, ids=lambda make: make.__name__)
and_of_several_tables = pytest.mark.parametrize(
    "make", [*SINGLE, a_place_that_gets_a_restaurant], ids=lambda make: make.__name__
)


def place(instance):
    """Where it says that its row is."""
    return instance.pk, instance._state.adding, instance._state.db


def rows(model):
    return list(model.objects.order_by("pk").values())


def numbers_of_statements(make):
    """Of a save, from the first to the last."""
    return range(number_of_statements(make().save))


@and_of_several_tables
def test_a_save_is_carried_out_again_after_a_deadlock(make):
    for number in numbers_of_statements(make):
        plain, instance = make(), make()
        plain.save()
        with refused(number, *DEADLOCK):
            instance.save()

        instance.refresh_from_db()
        plain.refresh_from_db()
        assert shown(instance) == shown(plain), number
        assert_truth()


def shown(instance):
    """What it holds beside keys and times."""
    names = {"level", "double", "weight", "kind", "pages", "line", "email", "book_count", "stars"}
    return {name: value for name, value in vars(instance).items() if name in names}


@and_of_several_tables
def test_an_instance_that_was_saved_again_is_that_of_its_row(make):
    for number in numbers_of_statements(make):
        instance = make()
        with refused(number, *DEADLOCK):
            instance.save()

        assert place(instance) == (instance.pk, False, "default")
        row = type(instance).objects.filter(pk=instance.pk).values().get()
        assert {name: getattr(instance, name) for name in row} == row, number


@in_each_way
def test_another_error_is_raised_and_leaves_no_trace(make):
    for number in numbers_of_statements(make):
        instance = make()
        before, known = place(instance), rows(type(instance))

        with refused(number, *GONE), pytest.raises(OperationalError):
            instance.save()

        assert rows(type(instance)) == known
        assert place(instance) == before, number
        assert not connection.in_atomic_block
        assert_truth()


@in_each_way
def test_within_a_transaction_a_deadlock_is_raised(make):
    for number in numbers_of_statements(make):
        instance = make()
        known = rows(type(instance))

        with (
            refused(number, *DEADLOCK),
            pytest.raises(OperationalError),
            transaction.atomic(),
        ):
            instance.save()

        assert rows(type(instance)) == known
        assert_truth()


def test_a_save_to_several_tables_that_others_listen_to_is_not_carried_out_again():
    make, called = a_place_that_gets_a_restaurant, []

    def note(sender, **kwargs):
        called.append(sender)

    post_save.connect(note, sender=Restaurant)
    for number in numbers_of_statements(make):
        instance = make()
        known = rows(Restaurant)
        called.clear()

        with refused(number, *DEADLOCK), pytest.raises(OperationalError):
            instance.save()

        assert called == []
        assert rows(Restaurant) == known
        assert not connection.in_atomic_block
        assert_truth()
    post_save.disconnect(note, sender=Restaurant)
