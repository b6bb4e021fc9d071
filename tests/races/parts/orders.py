"""Customer > Order > Line: exact money, a key that names another column, chains."""

from __future__ import annotations

from django.db import connection

from tests.races.parts.world import World, later
from tests.testapp import models as zoo

world = World(rows=(zoo.Customer, zoo.Order, zoo.Line), targets=(zoo.Customer, zoo.Order))


@world.build
def build():
    customers = [zoo.Customer.objects.create(code=code) for code in "ab"]
    orders = [zoo.Order.objects.create(customer=each) for each in (*customers, customers[0])]
    for number, order in enumerate(orders):
        for qty in (1, 2):
            zoo.Line.objects.create(
                order=order, qty=qty, price="1.10", date=later(number).date(), exact=qty == 2
            )


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
def upsert_orders():
    first = orders()[0]
    return lambda: zoo.Order.objects.bulk_create(
        [zoo.Order(pk=first.pk, customer_id="b"), zoo.Order(customer_id="a")],
        update_conflicts=True,
        update_fields=["customer"],
        **({} if connection.vendor == "mysql" else {"unique_fields": ["id"]}),
    )
