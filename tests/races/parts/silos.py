"""Farm > Silo > Grain: what the database itself deletes, from Django 6.1 on."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    market, label = zoo.Market.objects.create(), zoo.Label.objects.create(name="rye")
    silos = [zoo.Silo.objects.create(farm=zoo.Farm.objects.create()) for _ in range(2)]
    for silo in silos:
        zoo.Grain.objects.create(silo=silo, market=market, label=label, weight=3)


world = World(
    build,
    rows=(zoo.Farm, zoo.Market, zoo.Label, zoo.Silo, zoo.Grain),
    targets=(zoo.Farm, zoo.Market, zoo.Grain),
)


@world.part
def create_grain():
    silo, market = zoo.Silo.objects.earliest("pk"), zoo.Market.objects.get()
    return lambda: zoo.Grain.objects.create(silo=silo, market=market, weight=9)


@world.part
def move_grain():
    grain = zoo.Grain.objects.latest("pk")
    grain.silo = zoo.Silo.objects.earliest("pk")
    return grain.save


@world.part
def delete_silo():
    return zoo.Silo.objects.earliest("pk").delete


@world.part
def delete_label():
    return zoo.Label.objects.get().delete


@world.part
def delete_silos():
    return lambda: zoo.Silo.objects.all().delete()


@world.part
def move_silo():
    first, second = zoo.Silo.objects.order_by("pk")
    first.farm = second.farm
    return first.save


@world.part
def delete_farm():
    return zoo.Farm.objects.earliest("pk").delete


@world.part
def delete_market():
    return zoo.Market.objects.get().delete


@world.part
def rename_label():
    label = zoo.Label.objects.get()
    label.name = "oat"
    return label.save
