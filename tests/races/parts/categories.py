"""Category: targets and sources in one table."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    root = zoo.Category.objects.create(name="root")
    child = zoo.Category.objects.create(name="child", parent=root)
    zoo.Category.objects.create(name="leaf", parent=child, weight=5)
    zoo.Category.objects.create(name="other")


world = World(build, rows=(zoo.Category,), targets=(zoo.Category,))


def category(name: str) -> zoo.Category:
    return zoo.Category.objects.get(name=name)


@world.part
def create_category():
    child = category("child")
    return lambda: zoo.Category.objects.create(name="new", parent=child)


@world.part
def move_leaf():
    leaf = category("leaf")
    leaf.parent = category("other")
    return leaf.save


@world.part
def move_child():
    child = category("child")
    child.parent = category("other")
    return child.save


@world.part
def rename_root():
    root = category("root")
    root.name = "stem"
    return root.save


@world.part
def rename_child():
    child = category("child")
    child.name, child.weight = "kid", 7
    return child.save


@world.part
def delete_leaf():
    return category("leaf").delete


@world.part
def delete_child():
    return category("child").delete
