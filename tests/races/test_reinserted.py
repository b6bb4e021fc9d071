"""A delete by Django's collector meets a row of the same key that was inserted meanwhile.

The collector has loaded its rows before it deletes them by their keys. Another process deletes one
and inserts another of that key elsewhere, in one transaction; or the row is gone before it could be
locked, and the other one comes after that.
"""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models.deletion import Collector

from tests.races.refusals import meaning
from tests.races.stage import Scenery, scenes
from tests.testapp import models as zoo
from tests.truth import drifts

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="has one writer at a time"),
]


def build() -> None:
    for code in "ab":
        zoo.Customer.objects.create(code=code)
    for pk in (1, 2):
        zoo.Order.objects.create(pk=pk, customer_id="a")
        zoo.Line.objects.create(pk=pk, order_id=pk, price=3)
    for name in ("ann", "bob"):
        zoo.Keeper.objects.create(name=name)
    for pk in (1, 2):
        pet(pk, "ann").save(force_insert=True)


SCENERY = Scenery(
    build,
    rows=(zoo.Customer, zoo.Order, zoo.Line, zoo.Keeper, zoo.Pet),
    targets=(zoo.Customer, zoo.Order, zoo.Keeper),
)


def pet(pk: int, keeper: str) -> zoo.Pet:
    return zoo.Pet(pk=pk, owner_id=keeper, breeder_id=keeper, sitter=None)


def delete_line():
    return zoo.Line.objects.get(pk=1).delete


def delete_order():
    return zoo.Order.objects.get(pk=1).delete


def delete_orders():
    return zoo.Order.objects.all().delete


def delete_customer():
    return zoo.Customer.objects.get(code="a").delete


def replace_line():
    def replace():
        with transaction.atomic():
            zoo.Line.objects.get(pk=1).delete()
            zoo.Line(pk=1, order_id=2, price=5).save(force_insert=True)

    return replace


def replace_order():
    def replace():
        with transaction.atomic():
            zoo.Order.objects.get(pk=1).delete()
            zoo.Order(pk=1, customer_id="b").save(force_insert=True)

    return replace


def delete_keeper():
    return zoo.Keeper.objects.get(name="ann").delete


def replace_pet():
    def replace():
        with transaction.atomic():
            zoo.Pet.objects.get(pk=1).delete()
            pet(1, "bob").save(force_insert=True)

    return replace


def delete_collected_orders():
    collector = Collector(using="default")
    collector.collect(list(zoo.Order.objects.all()))
    return collector.delete


def reinsert_line():
    zoo.Line.objects.get(pk=1).delete()
    return lambda: zoo.Line(pk=1, order_id=2, price=5).save(force_insert=True)


def reinsert_order():
    zoo.Order.objects.get(pk=1).delete()
    return lambda: zoo.Order(pk=1, customer_id="b").save(force_insert=True)


# Who acts first loads first: what is deleted while the second one loads was loaded by the first.
GONE = [
    (delete_line, reinsert_line),
    (delete_order, reinsert_order),
    (delete_collected_orders, reinsert_order),
]
PAIRS = [
    (delete_collected_orders, replace_order),
    (delete_line, replace_line),
    (delete_order, replace_line),
    (delete_order, replace_order),
    (delete_orders, replace_order),
    (delete_customer, replace_order),
    (delete_keeper, replace_pet),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(each.__name__ for each in pair))
def test_replaced(pair, actors):
    play([pair, pair[::-1]], actors)


@pytest.mark.parametrize("pair", GONE, ids=lambda pair: "-".join(each.__name__ for each in pair))
def test_gone_and_inserted_again(pair, actors):
    play([pair], actors)


def play(orders, actors):
    wrong = []
    for parts in orders:
        for scene in scenes(*actors, parts, SCENERY):
            errors = [repr(each) for each in scene.outcomes if each and meaning(each) is None]
            if found := [*errors, *drifts(*SCENERY.targets)]:
                wrong.append("\n".join([str(scene), *found]))
    assert not wrong, "\n\n" + "\n\n".join(wrong)
