"""django-lifecycle: methods of the model that are called before and after its writes."""

from __future__ import annotations

import pytest

pytest.importorskip("django_lifecycle", reason="django-lifecycle is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from django_lifecycle import AFTER_CREATE, AFTER_SAVE, BEFORE_SAVE, BEFORE_UPDATE, hook
from django_lifecycle.models import LifecycleModel

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Basket(LifecycleModel):
    name = models.CharField(max_length=20)
    note = models.CharField(max_length=40, default="")
    fruit_count = synced(models.IntegerField(default=0), Count("fruits"))
    ripe_count = synced(
        models.IntegerField(default=0), Count("fruits", filter=Q(fruits__days__gt=3))
    )
    days = synced(models.IntegerField(default=0), Sum("fruits__days"))
    oldest = synced(models.IntegerField(null=True), Max("fruits__days"))

    @hook(BEFORE_UPDATE, when="name", has_changed=True)
    def note_the_name(self):
        self.note = f"was {self.initial_value('name')}"

    @hook(BEFORE_UPDATE, when="fruit_count", has_changed=True)
    def note_the_count(self):
        self.note = f"had {self.initial_value('fruit_count')}"


class Fruit(LifecycleModel):
    basket = models.ForeignKey(Basket, models.CASCADE, related_name="fruits")
    days = models.IntegerField(default=1)
    ripe = models.BooleanField(default=False)
    basket_name = synced(models.CharField(max_length=20), F("basket__name"))

    @hook(BEFORE_SAVE)
    def ripen(self):
        self.ripe = self.days > 3

    @hook(AFTER_SAVE, when="days", changes_to=9)
    def is_replaced(self):
        self.basket.fruits.exclude(pk=self.pk).filter(days=9).delete()

    @hook(AFTER_CREATE)
    def touch_the_basket(self):
        self.basket.save()


@pytest.fixture
def basket(db):
    basket = Basket.objects.create(name="one")
    for days in (2, 4):
        Fruit.objects.create(basket=basket, days=days)
        assert_true()
    return basket


def test_rows_are_saved_inside_hooks(basket):
    for fruit in Fruit.objects.all():
        fruit.days = 9
        fruit.save()
        assert_true()
    assert Basket.objects.get().fruit_count == 1


def test_what_has_changed_is_what_the_row_says(basket):
    basket = Basket.objects.get()
    basket.name = "two"
    basket.save()
    assert_true()
    assert Basket.objects.get().note == "was one"


def test_fruits_go_and_move(basket):
    other = Basket.objects.create(name="other")
    fruit = Fruit.objects.get(days=4)
    fruit.basket = other
    fruit.save()
    assert_true()
    fruit.delete()
    assert_true()
    basket.delete()
    assert_true()


def test_what_the_page_shows(basket):
    Fruit.objects.filter(days=2).update(days=9)

    shown("django-lifecycle", globals(), fruit=Fruit.objects.get(days=4))
    assert_true()
    assert Basket.objects.get().fruit_count == 1
