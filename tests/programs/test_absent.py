"""Which keys can name rows that are not there, and what it costs to meet who inserts these."""

from __future__ import annotations

import pytest
from django.db import connection

from syncfields.plan import registry
from syncfields.programs import absent
from tests.statements import sent
from tests.testapp import models as zoo


def of(target, name):
    return next(each for each in registry.plan().targets[target] if name in each.values)


KEYS = [
    (zoo.Shelf, "book_count", zoo.Book, ["shelf_id"], False),
    (zoo.Photo, "tag_count", zoo.Tag, ["object_id"], True),
    (zoo.Keeper, "bred_count", zoo.Pet, ["breeder_id"], True),
    (zoo.Keeper, "owned_count", zoo.Pet, ["owner_id"], False),
    (zoo.Customer, "line_count", zoo.Line, ["order_id"], False),
    (zoo.Customer, "line_count", zoo.Order, ["customer_id"], False),
    (zoo.City, "country_name", zoo.City, ["country_id"], False),
    (zoo.Country, "parcel_count", zoo.Parcel, ["city_id"], True),
    (zoo.Country, "parcel_count", zoo.City, ["country_id"], False),
    (zoo.Country, "parcel_count", zoo.Country, [], False),
]


@pytest.mark.parametrize(("target", "name", "model", "keys", "is_loose"), KEYS)
def test_the_keys_on_the_paths_of_a_rule(target, name, model, keys, is_loose):
    maintenance = of(target, name)
    found = absent.references(maintenance, model)

    assert [each.holds for each in found] == keys
    assert all(each.is_loose is is_loose for each in found)


def test_by_which_columns_others_may_know_a_row():
    waits = connection.vendor == "postgresql"

    assert set(absent.known_by("default", zoo.Customer)) == ({"code"} if waits else set())
    assert set(absent.known_by("default", zoo.Shelf)) == ({"id"} if waits else set())
    assert set(absent.known_by("default", zoo.Photo)) == (
        set() if connection.vendor == "sqlite" else {"id"}
    )
    assert set(absent.known_by("default", zoo.Book)) == set()


@pytest.mark.django_db
def test_a_row_under_a_key_that_was_given_takes_one_statement_more_on_postgresql():
    with sent() as made:
        zoo.Shelf.objects.create()
    with sent() as given:
        zoo.Shelf.objects.create(pk=10**6)

    more = len(given) - len(made)
    evaluated = given.updates(zoo.Shelf)
    assert more == evaluated + (connection.vendor == "postgresql")
