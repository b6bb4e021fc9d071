"""Multi-table inheritance, proxies and abstract bases."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count, Max

from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables
from tests.testapp import models as zoo
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def restaurants():
    zones = [zoo.Zone.objects.create() for _ in range(2)]
    for zone in (*zones, None):
        for stars in (1, 3):
            row = zoo.Restaurant.objects.create(zone=zone, stars=stars, name=f"{stars}")
            zoo.Review.objects.create(place=row, grade=stars)
            zoo.Dish.objects.create(restaurant=row)
        zoo.Place.objects.create(zone=zone)
    return zones


RESTAURANTS = {
    "update the child's column": lambda zones: zoo.Restaurant.objects.update(stars=5),
    "update the parent's column": lambda zones: zoo.Restaurant.objects.update(zone=zones[0]),
    "update both": lambda zones: zoo.Restaurant.objects.filter(stars=3).update(
        stars=4, name="new", zone=zones[1]
    ),
    "update through the parent": lambda zones: zoo.Place.objects.update(zone=None, name="new"),
    "related manager": lambda zones: zones[0].places.set(zones[1].places.all()),
    "delete through the child": lambda zones: zoo.Restaurant.objects.filter(stars=3).delete(),
    "delete through the parent": lambda zones: zoo.Place.objects.filter(zone=zones[0]).delete(),
    "delete the zone": lambda zones: zones[0].delete(),
    "keep the parents": lambda zones: zoo.Restaurant.objects.first().delete(keep_parents=True),
    "child added to a parent": lambda zones: zoo.Restaurant(
        place_ptr=zoo.Place.objects.last(), stars=9
    ).save_base(raw=True),
    "bulk_update of the child": lambda zones: zoo.Restaurant.objects.bulk_update(
        [zoo.Restaurant(pk=each.pk, stars=8) for each in zoo.Restaurant.objects.all()], ["stars"]
    ),
    "bulk_create of reviews": lambda zones: zoo.Review.objects.bulk_create(
        zoo.Review(place=each, grade=9) for each in zoo.Place.objects.all()
    ),
}


@pytest.mark.parametrize("name", RESTAURANTS)
def test_multi_table_inheritance_is_kept_from_parent_and_child(restaurants, name):
    RESTAURANTS[name](restaurants)

    assert_truth()


def test_writes_of_proxies_are_writes_of_their_model():
    blog = zoo.BlogProxy.objects.create()
    post = zoo.Post.objects.create(blog=blog)
    zoo.PublicComment.objects.bulk_create(
        zoo.PublicComment(post=post, is_public=public, score=4) for public in (True, False)
    )
    assert_truth()
    zoo.PublicComment.objects.update(score=5)
    assert_truth()
    zoo.BlogProxy.objects.bulk_create([zoo.BlogProxy(name="other", post_count=9)])
    zoo.PublicComment.objects.all().delete()
    assert_truth()
    zoo.BlogProxy.objects.all().delete()

    assert_truth()


@pytest.mark.parametrize(
    ("target", "entry", "name"),
    [(zoo.Folder, zoo.FolderEntry, "folder"), (zoo.Box, zoo.BoxEntry, "box")],
)
def test_rules_of_abstract_bases_are_inherited(target, entry, name):
    one, two = target.objects.create(), target.objects.create()

    entry.objects.bulk_create(entry(**{name: one}, size=size) for size in (1, 2, 3))
    assert_truth()
    entry.objects.filter(size__gt=1).update(**{name: two})
    assert_truth()
    entry.objects.filter(size=3).delete()

    assert_truth()


APPS = own_apps("inheritance")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "inheritance"


class Vehicle(Own):
    """No rule reads it, and it has none."""

    name = models.CharField(max_length=9, default="")


class Car(Vehicle):
    n = models.IntegerField(default=0)
    most = models.IntegerField(null=True)


class Van(Car):
    load = models.IntegerField(default=0)


class Wheel(Own):
    car = models.ForeignKey(Car, models.CASCADE, related_name="wheels")
    size = models.IntegerField(default=0)


@pytest.fixture(scope="module")
def garage(django_db_setup, django_db_blocker):
    rules = [(Car, "n", Count("wheels")), (Car, "most", Max("wheels__size"))]
    with tables(django_db_blocker, models_of(APPS)), kept(rules):
        yield


@pytest.mark.parametrize("model", [Car, Van])
def test_a_child_of_a_parent_that_is_in_no_rule(garage, model):
    car = model.objects.create(name="a")
    assert (car.pk, car.n, car.most) == (Vehicle.objects.get().pk, 0, None)
    Wheel.objects.create(car_id=car.pk, size=3)
    car.name = "b"
    car.save()
    assert_kept()

    car.pk = car.id = car.vehicle_ptr_id = None
    car._state.adding = True
    car.save()

    assert Vehicle.objects.count() == 2
    assert_kept()
