"""Customer > Order > Line: exact money, a key that names another column, chains."""

from __future__ import annotations

from django.db import connection

from tests.races.parts.world import World, later
from tests.races.stage import Act
from tests.testapp import models as zoo


def build():
    customers = [zoo.Customer.objects.create(code=code) for code in "ab"]
    orders = [zoo.Order.objects.create(customer=each) for each in (*customers, customers[0])]
    for number, order in enumerate(orders):
        for qty in (1, 2):
            zoo.Line.objects.create(
                order=order, qty=qty, price="1.10", date=later(number).date(), exact=qty == 2
            )


world = World(build, rows=(zoo.Customer, zoo.Order, zoo.Line), targets=(zoo.Customer, zoo.Order))


def orders() -> list[zoo.Order]:
    return list(zoo.Order.objects.order_by("pk"))


@world.part
def create_line():
    order = orders()[0]
    return lambda: zoo.Line.objects.create(order=order, price="3.30", date=later(9).date())


@world.part
def change_line():
    line = zoo.Line.objects.filter(order=orders()[0]).first()
    line.price, line.date = "7.70", later(-1).date()
    return line.save


@world.part
def move_line():
    line, order = zoo.Line.objects.filter(order=orders()[0]).first(), orders()[1]
    line.order = order
    return line.save


@world.part
def delete_lines():
    return lambda: zoo.Line.objects.filter(qty=2).delete()


@world.part
def move_order():
    order = orders()[0]
    order.customer = zoo.Customer.objects.get(code="b")
    return order.save


@world.part
def delete_order():
    return orders()[0].delete


@world.part
def create_order():
    customer = zoo.Customer.objects.get(code="a")
    return lambda: zoo.Order.objects.create(customer=customer)


@world.part
def create_orders_unless_there():
    first = orders()[0]
    return lambda: zoo.Order.objects.bulk_create(
        [zoo.Order(pk=901, customer_id="b"), zoo.Order(pk=first.pk, customer_id="b")],
        ignore_conflicts=True,
    )


def upsert(*all_: zoo.Order) -> Act:
    return lambda: zoo.Order.objects.bulk_create(
        all_,
        update_conflicts=True,
        update_fields=["customer"],
        **({} if connection.vendor == "mysql" else {"unique_fields": ["id"]}),
    )


@world.part
def upsert_orders():
    return upsert(zoo.Order(pk=orders()[0].pk, customer_id="b"), zoo.Order(customer_id="a"))


@world.part
def upsert_new_orders():
    """Which another one may insert in the meantime."""
    return upsert(zoo.Order(pk=901, customer_id="a"), zoo.Order(pk=902, customer_id="b"))


@world.part
def change_customers():
    both = orders()[:2]
    for order, code in zip(both, "ba", strict=True):
        order.customer_id = code
    return lambda: zoo.Order.objects.bulk_update(both[::-1], ["customer"])
