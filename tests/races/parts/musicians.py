"""Musician >< Musician, Band > Membership < Musician: many to many, also with itself."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    one, two, three = (zoo.Musician.objects.create(fame=fame) for fame in (1, 2, 4))
    one.friends.add(two)
    band = zoo.Band.objects.create()
    zoo.Membership.objects.create(band=band, musician=one)
    zoo.Membership.objects.create(band=band, musician=three, active=False)


world = World(
    build,
    rows=(zoo.Musician, zoo.Musician.friends.through, zoo.Band, zoo.Membership),
    targets=(zoo.Musician, zoo.Band),
)


def musicians() -> list[zoo.Musician]:
    return list(zoo.Musician.objects.order_by("fame"))


@world.part
def befriend():
    one, _, three = musicians()
    return lambda: one.friends.add(three)


@world.part
def befriend_back():
    one, two, three = musicians()
    return lambda: three.friends.add(one, two)


@world.part
def part_ways():
    one, two, _ = musicians()
    return lambda: two.friends.remove(one)


@world.part
def become_famous():
    one, *_ = musicians()
    one.fame = 16
    return one.save


@world.part
def forget_musician():
    return musicians()[0].delete


@world.part
def join_band():
    band, two = zoo.Band.objects.get(), musicians()[1]
    return lambda: zoo.Membership.objects.create(band=band, musician=two)


@world.part
def change_membership():
    membership = zoo.Membership.objects.get(active=False)
    membership.musician, membership.active = musicians()[0], True
    return membership.save
