"""A row that refers to one that is not there meets the insert of that one.

A key may name a row that is yet to come, where no constraint forbids it, or where the constraint
waits for COMMIT. Neither transaction sees what the other one has not committed, so each would take
the other's row for absent.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
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
    zoo.Customer.objects.create(code="c")
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
    numbered = [zoo.Tag, zoo.Line, zoo.Parcel, zoo.Pet, zoo.City, hub.Comment]
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), numbered):
            cursor.execute(sql)


TARGETS = (zoo.Album, zoo.Photo, zoo.Customer, zoo.Order, zoo.Country, zoo.City, zoo.Keeper, *HUB)
SCENERY = Scenery(build, rows=(*TARGETS, zoo.Tag, zoo.Line, zoo.Parcel, zoo.Pet), targets=TARGETS)


def part(name, of, prepare):
    """What a transaction does: ``prepare()`` gives the act."""

    def made():
        return prepare()

    made.__name__ = f"{name}_{getattr(of, '__name__', of).lower()}"
    return made


def saved(make):
    return part("save", make, lambda: partial(make().save, force_insert=True))


def created(make, name="bulk_create", options=None):
    def prepare():
        instance = make()
        given = options(type(instance)) if options else {}
        return partial(type(instance)._base_manager.bulk_create, [instance], **given)

    return part(name, make, prepare)


def ignoring(make):
    return created(make, "ignoring_create", lambda model: {"ignore_conflicts": True})


def replacing(make):
    def options(model):
        fields = [field for field in model._meta.concrete_fields if not field.primary_key]
        return replaced([field.name for field in fields if field.name in REPLACED])

    return created(make, "replacing_create", options)


def replaced(names):
    unique = ["pk"] if connection.vendor == "postgresql" else None
    return {"update_conflicts": True, "update_fields": names, "unique_fields": unique}


def changed(model, pk, keys):
    instance = model._base_manager.get(pk=pk)
    for name, value in keys.items():
        setattr(instance, name, value)
    return instance


def moved(model, pk, **keys):
    return part("move", model, lambda: changed(model, pk, keys).save)


def updated(model, pk, **keys):
    return part("update", model, lambda: partial(model._base_manager.filter(pk=pk).update, **keys))


def updated_some(model, pk, **keys):
    rows = model._base_manager.filter(pk__in=[pk, 2])
    return part("update_some", model, lambda: partial(rows.update, **keys))


def deleted(model, pk):
    return part("delete", model, lambda: model._base_manager.get(pk=pk).delete)


def deleted_some(model, pk):
    return part("delete_some", model, lambda: model._base_manager.filter(pk__in=[pk, 2]).delete)


def bulk_updated(model, pk, **keys):
    update = model._base_manager.bulk_update
    return part("bulk_update", model, lambda: partial(update, [changed(model, pk, keys)], [*keys]))


def upserted(model, pk, **keys):
    create, options = model._base_manager.bulk_create, replaced([*keys])
    return part("upsert", model, lambda: partial(create, [changed(model, pk, keys)], **options))


REPLACED = {"album", "customer", "order", "code", "name", "blog", "country"} | {
    *("object_id", "post", "city", "breeder")
}
INSERTS = (created, ignoring, replacing)
WRITES = (moved, updated, updated_some, bulk_updated, upserted)


def written_each_way(model, pk, **keys):
    return [way(model, pk, **keys) for way in WRITES]


def deleted_each_way(model, pk):
    return [deleted(model, pk), deleted_some(model, pk)]


KINDS = {
    "generic": (
        photo,
        [
            saved(tag),
            *(way(tag) for way in INSERTS),
            moved(zoo.Tag, 2, object_id=1),
            updated(zoo.Tag, 2, object_id=1),
            *written_each_way(zoo.Tag, 1, weight=9),
            *written_each_way(zoo.Tag, 1, object_id=2),
            *deleted_each_way(zoo.Tag, 1),
        ],
    ),
    "deferred": (
        order,
        [
            saved(line),
            *(way(line) for way in INSERTS),
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
            *(way(parcel) for way in INSERTS),
            moved(zoo.Parcel, 2, city_id=1),
            updated(zoo.Parcel, 2, city_id=1),
            *written_each_way(zoo.Parcel, 1, city_id=2),
            *deleted_each_way(zoo.Parcel, 1),
        ],
    ),
    "text": (
        keeper,
        [
            saved(pet),
            *(way(pet) for way in INSERTS),
            moved(zoo.Pet, 2, breeder_id="zoe"),
            updated(zoo.Pet, 2, breeder_id="zoe"),
            *written_each_way(zoo.Pet, 1, breeder_id=None),
            *deleted_each_way(zoo.Pet, 1),
        ],
    ),
    "copied": (
        country,
        [
            saved(town),
            *(way(town) for way in INSERTS),
            moved(zoo.City, 2, country_id="y"),
            updated(zoo.City, 2, country_id="y"),
        ],
    ),
    "hub": (
        post,
        [
            saved(comment),
            *(way(comment) for way in INSERTS),
            moved(hub.Comment, 2, post_id=1),
            updated(hub.Comment, 2, post_id=1),
        ],
    ),
}
QUICK = {
    saved: ("save", "move", "update_some", "delete_some", "upsert"),
    created: ("bulk_create",),
    replacing: ("save_line", "replacing_create_line"),
}
MEETINGS = [
    pytest.param(comes(make), part, id=f"{kind}-{part.__name__}-{comes.__name__}_{make.__name__}")
    for kind, (make, parts) in KINDS.items()
    for comes in (saved, *INSERTS)
    for part in parts
    if not (comes is replacing and make is keeper)  # Which has no column to be replaced.
    if PLAY_ALL or part.__name__.startswith(QUICK.get(comes, ()))
]


@pytest.mark.parametrize(("comes", "refers"), MEETINGS)
def test_each_counts_the_other(comes, refers, actors):
    play(actors, SCENERY, (comes, refers), lambda error: meaning(error) is None)


def anew(make):
    """The row is deleted, and another one inserted under its key."""

    def prepare():
        instance = make()
        rows = type(instance)._base_manager.filter(pk=instance.pk)
        return lambda: (rows.delete(), instance.save(force_insert=True))

    return part("anew", make, prepare)


def other_photo():
    return zoo.Photo(pk=2, album_id=1)


def other_order():
    return zoo.Order(pk=2, customer_id="a")


def other_city():
    return zoo.City(pk=2, country_id="x", size=3)


def other_post():
    return hub.Post(pk=2, blog_id=1)


def named_by(make, **keys):
    def made():
        return make(**keys)

    made.__name__ = make.__name__
    return made


ANEW = {
    "generic": (
        other_photo,
        [
            *(way(named_by(tag, object_id=2)) for way in (saved, *INSERTS)),
            *written_each_way(zoo.Tag, 1, object_id=2),
        ],
    ),
    "deferred": (other_order, [way(named_by(line, order_id=2)) for way in (saved, *INSERTS)]),
    "unconstrained": (
        other_city,
        [
            *(way(named_by(parcel, city_id=2)) for way in (saved, *INSERTS)),
            *written_each_way(zoo.Parcel, 1, city_id=2),
        ],
    ),
    "text": (
        keeper,
        [
            *(way(pet) for way in (saved, *INSERTS)),
            *written_each_way(zoo.Pet, 2, breeder_id="zoe"),
        ],
    ),
    "hub": (other_post, [way(named_by(comment, post_id=2)) for way in (saved, *INSERTS)]),
}
RETURNS = [
    pytest.param(anew(make), part, id=f"{kind}-{part.__name__}")
    for kind, (make, parts) in ANEW.items()
    for part in parts
    if PLAY_ALL or part.__name__.startswith(("save", "replacing", "update_some"))
]


@pytest.mark.parametrize(("comes", "refers"), RETURNS)
def test_each_counts_the_other_where_the_row_was_there_before(comes, refers, actors):
    play(actors, SCENERY, (comes, refers), lambda error: meaning(error) is None)


def named_b(name):
    """A customer comes to have the key that an order names."""

    def prepare():
        rows = zoo.Customer._base_manager.filter(code="c")
        if name == "update":
            return partial(rows.update, code="b")
        customer = rows.get()
        customer.code = "b"
        if name == "bulk_update":
            return partial(zoo.Customer._base_manager.bulk_update, [customer], ["code"])
        return customer.save

    return part(name, "customer", prepare)


REFERRING = [
    moved(zoo.Order, 2, customer_id="b"),
    updated(zoo.Order, 2, customer_id="b"),
    saved(named_by(zoo.Order, pk=3, customer_id="b")),
]
RENAMED = [
    pytest.param(named_b(name), refers, id=f"{name}-{refers.__name__}")
    for name in ("save", "update", "bulk_update")
    for refers in REFERRING
]


@pytest.mark.parametrize(("comes", "refers"), RENAMED)
def test_each_counts_the_other_where_an_update_gives_the_key(comes, refers, actors):
    play(actors, SCENERY, (comes, refers), lambda error: meaning(error) is None)
