"""A row that refers to one that is not there meets the insert of that one.

A key may name a row that is yet to come, where no constraint forbids it, or where the constraint
waits for COMMIT. Neither transaction sees what the other one has not committed, so each would take
the other's row for absent.
"""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests.hub import models as hub
from tests.hub.truth import TARGETS as HUB
from tests.races.conftest import PLAY_ALL
from tests.races.refusals import meaning
from tests.races.stage import Scenery, play
from tests.testapp import models as zoo

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="has one writer at a time"),
]
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def tag(pk=None, **values):
    content_type = ContentType.objects.get_for_model(zoo.Photo)
    return zoo.Tag(pk=pk, content_type=content_type, **{"object_id": 1, "weight": 5, **values})


def photo():
    return zoo.Photo(pk=1, album_id=1)


def order():
    return zoo.Order(pk=1, customer_id="a")


def line(**values):
    return zoo.Line(**{"order_id": 1, "price": 3, "date": NOON.date(), **values})


def customer():
    return zoo.Customer(code="b")


def post():
    return hub.Post(pk=1, blog_id=1)


def comment(**values):
    keys = {"post_id": 1, "author_id": 1, "topic_id": 1}
    return hub.Comment(**{**keys, "created": NOON, "score": 7, "rating": 3, **values})


def parcel(**values):
    return zoo.Parcel(**{"city_id": 1, **values})


def city():
    return zoo.City(pk=1, country_id="x", size=3)


def country():
    return zoo.Country(code="y", name="there")


def town():
    return zoo.City(country_id="y", size=5)


def keeper():
    return zoo.Keeper(name="zoe")


def pet(**values):
    return zoo.Pet(**{"sitter": None, "breeder_id": "zoe", **values})


def build():
    zoo.Album.objects.create(pk=1)
    zoo.Photo.objects.create(pk=2, album_id=1)
    for pk, object_id in [(1, 1), (2, 2)]:
        tag(pk, object_id=object_id).save(force_insert=True)
    zoo.Customer.objects.create(code="a")
    zoo.Order.objects.create(pk=2, customer_id="a")
    line(pk=2, order_id=2).save(force_insert=True)
    hub.Blog.objects.create(pk=1, name="blog")
    hub.Author.objects.create(pk=1)
    hub.Topic.objects.create(pk=1)
    hub.Post.objects.create(pk=2, blog_id=1)
    comment(pk=2, post_id=2).save(force_insert=True)
    zoo.Country.objects.create(code="x", name="here")
    zoo.City.objects.create(pk=2, country_id="x")
    for pk in (1, 2):
        parcel(pk=pk, city_id=pk).save(force_insert=True)
        pet(pk=pk, breeder_id=None if pk == 2 else "zoe").save(force_insert=True)


TARGETS = (zoo.Album, zoo.Photo, zoo.Customer, zoo.Order, zoo.Country, zoo.City, zoo.Keeper, *HUB)
SCENERY = Scenery(build, rows=(*TARGETS, zoo.Tag, zoo.Line, zoo.Parcel, zoo.Pet), targets=TARGETS)


def saved(make):
    def part():
        instance = make()
        return lambda: instance.save(force_insert=True)

    part.__name__ = f"save_{make.__name__}"
    return part


def created(make):
    def part():
        instance = make()
        return lambda: type(instance)._base_manager.bulk_create([instance])

    part.__name__ = f"bulk_create_{make.__name__}"
    return part


def moved(model, pk, **keys):
    def part():
        instance = model._base_manager.get(pk=pk)
        for name, value in keys.items():
            setattr(instance, name, value)
        return instance.save

    part.__name__ = f"move_{model.__name__.lower()}"
    return part


def updated(model, pk, **keys):
    def part():
        return lambda: model._base_manager.filter(pk=pk).update(**keys)

    part.__name__ = f"update_{model.__name__.lower()}"
    return part


def deleted(model, pk):
    def part():
        return model._base_manager.get(pk=pk).delete

    part.__name__ = f"delete_{model.__name__.lower()}"
    return part


KINDS = {
    "generic": (
        photo,
        [
            saved(tag),
            created(tag),
            moved(zoo.Tag, 2, object_id=1),
            updated(zoo.Tag, 2, object_id=1),
            moved(zoo.Tag, 1, weight=9),
            moved(zoo.Tag, 1, object_id=2),
            deleted(zoo.Tag, 1),
        ],
    ),
    "deferred": (
        order,
        [
            saved(line),
            created(line),
            moved(zoo.Line, 2, order_id=1),
            updated(zoo.Line, 2, order_id=1),
        ],
    ),
    "by value": (
        customer,
        [moved(zoo.Order, 2, customer_id="b"), updated(zoo.Order, 2, customer_id="b")],
    ),
    "unconstrained": (
        city,
        [
            saved(parcel),
            created(parcel),
            moved(zoo.Parcel, 2, city_id=1),
            updated(zoo.Parcel, 2, city_id=1),
            updated(zoo.Parcel, 1, city_id=2),
            deleted(zoo.Parcel, 1),
        ],
    ),
    "text": (
        keeper,
        [
            saved(pet),
            created(pet),
            moved(zoo.Pet, 2, breeder_id="zoe"),
            updated(zoo.Pet, 2, breeder_id="zoe"),
            deleted(zoo.Pet, 1),
        ],
    ),
    "copied": (
        country,
        [
            saved(town),
            created(town),
            moved(zoo.City, 2, country_id="y"),
            updated(zoo.City, 2, country_id="y"),
        ],
    ),
    "hub": (
        post,
        [
            saved(comment),
            created(comment),
            moved(hub.Comment, 2, post_id=1),
            updated(hub.Comment, 2, post_id=1),
        ],
    ),
}
MEETINGS = [
    pytest.param(comes(make), part, id=f"{kind}-{part.__name__}-{comes.__name__}_{make.__name__}")
    for kind, (make, parts) in KINDS.items()
    for comes in (saved, created)
    for part in parts
    if PLAY_ALL or (comes is created) is part.__name__.startswith("bulk")
]


@pytest.mark.parametrize(("comes", "refers"), MEETINGS)
def test_each_counts_the_other(comes, refers, actors):
    play(actors, SCENERY, (comes, refers), lambda error: meaning(error) is None)
