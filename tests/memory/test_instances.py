"""Instances in somebody's hand: after a write none of them shows a value that its row has not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Count, F, Max, Sum, prefetch_related_objects

from syncfields import synced
from syncfields.declare.rules import ATTRIBUTE
from tests.ownmodels import kept_by, own_apps, stored

pytestmark = pytest.mark.django_db
APPS = own_apps("own")
kept = kept_by(APPS)


def number(expression, **options):
    return synced(models.IntegerField(default=0), expression, **options)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "own"


class Region(Own):
    name = models.CharField(max_length=20, default="")
    total = number(Sum("customers__total"))
    orders = number(Count("customers__orders"))
    touched_at = models.DateTimeField(null=True)
    first = number(Count("customers"), touch="touched_at")


class Customer(Own):
    region = models.ForeignKey(Region, models.CASCADE, null=True, related_name="customers")
    name = models.CharField(max_length=20, default="")
    n = number(Count("orders"))
    total = number(Sum("orders__amount"))
    most = synced(models.IntegerField(null=True), Max("orders__amount"))
    badges = number(Count("badge"))
    remarks = GenericRelation("own.Remark")
    remark_count = number(Count("remarks"))


class Badge(Own):
    customer = models.OneToOneField(Customer, models.CASCADE, related_name="badge")
    customer_name = synced(models.CharField(max_length=20, default=""), F("customer__name"))


class Label(Own):
    weight = models.IntegerField(default=1)
    n = number(Count("orders"))
    amount = number(Sum("orders__amount"))


class Order(Own):
    customer = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="orders")
    amount = models.IntegerField(default=1)
    customer_name = synced(models.CharField(max_length=20, null=True), F("customer__name"))
    labels = models.ManyToManyField(Label, related_name="orders")
    label_count = number(Count("labels"))
    weight = number(Sum("labels__weight"))
    # What it feeds itself, one step and two steps away.
    shared = synced(models.IntegerField(null=True), F("customer__total"))
    shared_further = synced(models.IntegerField(null=True), F("customer__region__total"))


class Stranger(Own):
    """It has no rule, and a field that is called as one of a customer's."""

    remark_count = models.IntegerField(default=0)
    remarks = GenericRelation("own.Remark")


class Remark(Own):
    content_type = models.ForeignKey(ContentType, models.CASCADE, related_name="+")
    object_id = models.PositiveBigIntegerField()
    content_object = GenericForeignKey()


class Node(Own):
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    weight = models.IntegerField(default=1)
    n = number(Count("children"))
    sum = number(Sum("children__n"))
    parent_weight = synced(models.IntegerField(null=True), F("parent__weight"))


class Place(Own):
    name = models.CharField(max_length=20, default="")
    n = number(Count("reviews"))


class Inn(Place):
    dishes_n = number(Count("dishes"))
    grades = number(Sum("reviews__grade"))


class Review(Own):
    place = models.ForeignKey(Place, models.CASCADE, related_name="reviews")
    grade = models.IntegerField(default=1)
    place_name = synced(models.CharField(max_length=20, default=""), F("place__name"))


class Dish(Own):
    inn = models.ForeignKey(Inn, models.CASCADE, related_name="dishes")
    inn_name = synced(models.CharField(max_length=20, default=""), F("inn__name"))


def assert_honest(*instances):
    """All synced fields show what the rows hold."""
    for instance in instances:
        names = [
            field.attname
            for field in instance._meta.concrete_fields
            if hasattr(field, ATTRIBUTE) or field.attname == "touched_at"
        ]
        shown = {name: getattr(instance, name) for name in names}
        assert shown == stored(type(instance), instance.pk, *names), type(instance)


@pytest.fixture
def world():
    """Rows of each model, one instance of each, which lead to one another in memory."""
    ContentType.objects.clear_cache()
    region = Region.objects.create()
    customer = Customer.objects.create(region=region, name="ann")
    badge = Badge.objects.create(customer=customer)
    order = Order.objects.create(customer=customer, amount=3)
    label = Label.objects.create(weight=4)
    order.labels.add(label)
    root = Node.objects.create(weight=5)
    node = Node.objects.create(parent=root, weight=6)
    leaf = Node.objects.create(parent=node, weight=7)
    inn = Inn.objects.create(name="fox")
    review = Review.objects.create(place=inn, grade=2)
    dish = Dish.objects.create(inn=inn)
    found = SimpleNamespace(**{k: v for k, v in locals().items() if k != "request"})
    assert_honest(*vars(found).values())
    return found


WRITES = {}


def write(*names):
    """A way of writing, and the instances that must be right afterwards, beside what it returns."""

    def decorate(function):
        WRITES[function.__name__] = (function, names)
        return function

    return decorate


@write("customer", "region")
def create(w):
    return [Order.objects.create(customer=w.customer, amount=9)]


@write("customer", "region")
def create_by_the_related_manager(w):
    return [w.customer.orders.create(amount=9)]


@write("customer", "region")
def get_or_create(w):
    return [Order.objects.get_or_create(customer=w.customer, amount=9)[0]]


@write("customer", "region")
def update_or_create_that_creates(w):
    return [w.customer.orders.update_or_create(amount=9)[0]]


@write("customer", "region", "order")
def save(w):
    w.order.amount = 1
    w.order.save()


@write("customer", "region", "order")
def save_some_fields(w):
    w.order.amount = 1
    w.order.save(update_fields=["amount"])


@write("region")
def save_of_a_new_parent(w):
    other = Customer.objects.create(region=w.region, name="bob")
    w.order.customer = other
    w.order.save()
    return [other, w.order]


@write("customer", "badge", "region")
def save_what_is_copied_to_a_one_to_one(w):
    w.customer.name = "ada"
    w.customer.save()


@write("customer")
def create_a_one_to_one(w):
    w.badge.delete()
    return [Badge.objects.create(customer=w.customer)]


@write("customer", "region")
def delete(w):
    w.order.delete()


@write("customer", "region")
def bulk_create(w):
    return Order.objects.bulk_create([Order(customer=w.customer, amount=n) for n in (8, 9)])


@write("customer", "region")
def bulk_create_of_one(w):
    return Order.objects.bulk_create([Order(customer=w.customer, amount=9)])


@write("customer", "region", "order")
def related_update(w):
    w.customer.orders.update(amount=8)
    w.order.refresh_from_db()


@write("customer", "region")
def related_delete(w):
    w.customer.orders.all().delete()


@write("customer", "region")
def related_delete_of_some(w):
    w.customer.orders.filter(amount__gt=1).delete()


@write("customer", "region")
def related_add(w):
    w.customer.orders.add(Order.objects.create(), Order.objects.create())


@write("customer", "region")
def related_add_one_by_one(w):
    order = Order.objects.create()
    w.customer.orders.add(order, bulk=False)
    return [order]


@write("customer", "region")
def related_remove(w):
    w.customer.orders.remove(w.order)


@write("customer", "region")
def related_clear(w):
    w.customer.orders.clear()


@write("customer", "region")
def related_set(w):
    w.customer.orders.set([Order.objects.create()])


@write("customer", "region")
def update_to_lead_to(w):
    Order.objects.create()
    Order.objects.update(customer=w.customer)


@write("order", "label")
def many_to_many_add(w):
    label = Label.objects.create(weight=9)
    w.order.labels.add(label)
    return [label]


@write("order", "label")
def many_to_many_add_from_the_other_end(w):
    order = Order.objects.create()
    w.label.orders.add(order)
    return [order]


@write("order", "label")
def many_to_many_remove(w):
    w.order.labels.remove(w.label)


@write("order")
def many_to_many_clear(w):
    w.order.labels.clear()


@write("order")
def many_to_many_set(w):
    label = Label.objects.create(weight=9)
    w.order.labels.set([label])
    return [label]


@write("order")
def many_to_many_create(w):
    return [w.order.labels.create(weight=9)]


@write("order")
def many_to_many_update(w):
    w.order.labels.update(weight=9)


@write("customer")
def generic_create(w):
    w.customer.remarks.create()


@write("customer")
def generic_create_by_the_object(w):
    Remark.objects.create(content_object=w.customer)


@write("customer")
def generic_delete(w):
    Remark.objects.create(content_object=w.customer).delete()


@write("customer")
def generic_clear(w):
    w.customer.remarks.create()
    assert_honest(w.customer)
    w.customer.remarks.clear()


@write("root", "node", "leaf")
def create_in_a_tree(w):
    return [Node.objects.create(parent=w.leaf), Node.objects.create(parent=w.node)]


@write("root", "leaf")
def save_in_a_tree(w):
    w.leaf.parent = w.root
    w.leaf.save()


@write("root", "node")
def delete_in_a_tree(w):
    w.leaf.delete()


@write("inn")
def create_for_a_child_of_a_multi_table_model(w):
    return [Review.objects.create(place=w.inn, grade=9), Dish.objects.create(inn=w.inn)]


@write()
def create_for_the_parent_of_a_multi_table_model(w):
    place = Place.objects.get(pk=w.inn.pk)
    assert place.inn.grades == 2
    review = Review.objects.create(place=place, grade=9)
    return [place, place.inn, review, *Inn.objects.all()]


@write("inn")
def save_a_child_of_a_multi_table_model(w):
    w.inn.name = "wolf"
    w.inn.save()


@write()
def create_by_keys(w):
    return [Order.objects.create(customer_id=w.customer.pk, amount=9)]


@write()
def bulk_create_by_keys(w):
    return Order.objects.bulk_create(
        [Order(customer_id=w.customer.pk, amount=amount) for amount in (8, 9)]
    )


@pytest.mark.parametrize("way", WRITES)
def test_what_leads_from_a_written_row_shows_what_the_rows_hold(world, way):
    function, names = WRITES[way]

    made = function(world) or ()

    assert_honest(*made, *(getattr(world, name) for name in names))


@pytest.mark.parametrize(
    ("name", "relation", "change"),
    [
        ("customer", "orders", {"name": "ada"}),
        ("customer", "badge", {"name": "ada"}),
        ("node", "children", {"weight": 70}),
        ("inn", "dishes", {"name": "wolf"}),
        ("inn", "reviews", {"name": "wolf"}),
        ("label", "orders", {"weight": 70}),
        ("order", "labels", {"amount": 70}),
    ],
)
def test_what_was_prefetched_for_a_written_row_shows_what_the_rows_hold(
    world, name, relation, change
):
    instance = getattr(world, name)
    instance = type(instance).objects.get(pk=instance.pk)
    prefetch_related_objects([instance], relation)
    found = getattr(instance, relation)
    found = [found] if relation == "badge" else list(found.all())
    assert_honest(instance, *found)

    for key, value in change.items():
        setattr(instance, key, value)
    instance.save()

    if relation != "badge":
        assert [*map(id, getattr(instance, relation).all())] == [*map(id, found)]
    assert_honest(instance, *found)


def test_a_prefetched_row_passes_on_what_it_is_told(world):
    (region,) = Region.objects.prefetch_related("customers__orders")
    (customer,) = region.customers.all()
    (order,) = customer.orders.all()

    customer.name = "ada"
    customer.save()

    assert_honest(region, customer, order)


def test_edits_of_what_was_prefetched_survive(world):
    (customer,) = Customer.objects.prefetch_related("orders")
    (order,) = customer.orders.all()
    order.amount = 70

    customer.name = "ada"
    customer.save()

    assert (order.customer_name, order.amount) == ("ada", 70)


def test_a_touched_time_is_not_written_back(world):
    before = stored(Region, world.region.pk, "touched_at")
    Customer.objects.create(region=world.region)
    after = stored(Region, world.region.pk, "touched_at")
    assert before != after

    world.region.name = "north"
    world.region.save()

    assert stored(Region, world.region.pk, "touched_at", "name") == {**after, "name": "north"}


@pytest.mark.parametrize("way", ["held", "related manager"])
def test_a_row_of_another_model_is_left_alone(world, way):
    stranger = Stranger.objects.create()
    stranger.remark_count = 5

    if way == "held":
        remark = Remark.objects.create(content_object=stranger)
        remark.delete()
    else:
        stranger.remarks.create()

    assert vars(stranger)["remark_count"] == 5


class Side(Own):
    won = number(Count("won_games"))
    lost = number(Count("lost_games"))


class Game(Own):
    winner = models.ForeignKey(Side, models.CASCADE, related_name="won_games")
    loser = models.ForeignKey(Side, models.CASCADE, related_name="lost_games")


@pytest.mark.parametrize("write", ["create", "save", "delete"])
def test_two_instances_of_one_row_reached_by_two_relations(write):
    side, other = Side.objects.create(), Side.objects.create()
    winner, loser = Side.objects.get(pk=side.pk), Side.objects.get(pk=side.pk)
    game = Game(winner=winner, loser=loser)
    if write == "save":
        game = Game.objects.create(winner=other, loser=other)
        game.winner, game.loser = winner, loser
        game.save()
    else:
        game.save()
    if write == "delete":
        assert (winner.won, loser.won) == (1, 1)
        game.delete()

    number = 0 if write == "delete" else 1
    for each in (winner, loser):
        assert (each.won, each.lost) == (number, number)
