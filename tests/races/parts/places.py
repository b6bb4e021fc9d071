"""Zone > Place > Review, Place = Restaurant > Dish: multi-table inheritance."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    zones = [zoo.Zone.objects.create() for _ in range(2)]
    zoo.Place.objects.create(zone=zones[1], name="park")
    for zone, name in zip(zones, ("inn", "pub"), strict=True):
        restaurant = zoo.Restaurant.objects.create(zone=zone, name=name, stars=1)
        zoo.Dish.objects.create(restaurant=restaurant)
        for grade in (2, 4):
            zoo.Review.objects.create(place=restaurant, grade=grade)


world = World(
    build,
    rows=(zoo.Zone, zoo.Place, zoo.Restaurant, zoo.Review, zoo.Dish),
    targets=(zoo.Zone, zoo.Place, zoo.Restaurant, zoo.Dish),
)


def restaurant(name: str) -> zoo.Restaurant:
    return zoo.Restaurant.objects.get(name=name)


@world.part
def create_review():
    inn = restaurant("inn")
    return lambda: zoo.Review.objects.create(place=inn, grade=9)


@world.part
def move_best_review():
    best, park = restaurant("inn").reviews.latest("grade"), zoo.Place.objects.get(name="park")
    best.place = park
    return best.save


@world.part
def delete_best_review():
    return restaurant("inn").reviews.latest("grade").delete


@world.part
def create_dish():
    inn = restaurant("inn")
    return lambda: zoo.Dish.objects.create(restaurant=inn)


@world.part
def create_restaurant():
    zone = zoo.Zone.objects.earliest("pk")
    return lambda: zoo.Restaurant.objects.create(zone=zone, name="bar", stars=3)


@world.part
def move_restaurant():
    """Both of its tables are written."""
    inn = restaurant("inn")
    inn.zone, inn.stars, inn.name = zoo.Zone.objects.latest("pk"), 5, "hotel"
    return inn.save


@world.part
def rename_place():
    """The parent's table only."""
    place = zoo.Place.objects.get(name="inn")
    place.name, place.zone = "tavern", zoo.Zone.objects.latest("pk")
    return place.save


@world.part
def delete_restaurant():
    return restaurant("inn").delete


@world.part
def delete_zone():
    return zoo.Zone.objects.earliest("pk").delete
