"""Country > City: a sum from the cities, a copy from the country."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    for code in ("aa", "bb"):
        country = zoo.Country.objects.create(code=code, name=code)
        zoo.City.objects.create(country=country, size=3)


world = World(build, rows=(zoo.Country, zoo.City), targets=(zoo.Country, zoo.City))


def city() -> zoo.City:
    return zoo.City.objects.filter(country="aa").earliest("pk")


@world.part
def rename_country():
    country = zoo.Country.objects.get(code="aa")
    country.name = "new"
    return country.save


@world.part
def rename_countries():
    return lambda: zoo.Country.objects.update(name="all")


@world.part
def create_city():
    return lambda: zoo.City.objects.create(country_id="aa", size=5)


@world.part
def bulk_create_cities():
    return lambda: zoo.City.objects.bulk_create(
        [zoo.City(country_id=code, size=5) for code in ("bb", "aa")]
    )


@world.part
def grow_city():
    grown = city()
    grown.size += 4
    return grown.save


@world.part
def move_city():
    moved = city()
    moved.country_id = "bb"
    return moved.save


@world.part
def move_city_back():
    moved = zoo.City.objects.filter(country="bb").earliest("pk")
    moved.country_id = "aa"
    return moved.save


@world.part
def delete_city():
    return city().delete


@world.part
def delete_country():
    return zoo.Country.objects.get(code="aa").delete
