"""model_bakery: rows of random values, synced fields included."""

from __future__ import annotations

import pytest

pytest.importorskip("model_bakery", reason="model_bakery is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from model_bakery import baker
from model_bakery.recipe import Recipe, foreign_key

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Bakery(models.Model):
    name = models.CharField(max_length=20)
    loaf_count = synced(models.IntegerField(default=0), Count("loaves"))
    big_count = synced(models.IntegerField(), Count("loaves", filter=Q(loaves__grams__gt=500)))
    grams = synced(models.IntegerField(default=0), Sum("loaves__grams"))
    biggest = synced(models.IntegerField(null=True), Max("loaves__grams"))


class Loaf(models.Model):
    bakery = models.ForeignKey(Bakery, models.CASCADE, related_name="loaves")
    grams = models.PositiveSmallIntegerField()
    bakery_name = synced(models.CharField(max_length=20), F("bakery__name"))


def test_one_and_many():
    loaf = baker.make(Loaf)
    assert_true()
    assert loaf.bakery.loaf_count == 1
    assert loaf.bakery_name == loaf.bakery.name
    baker.make(Loaf, _quantity=3, bakery=loaf.bakery)
    assert_true()
    baker.make(Bakery, _fill_optional=True)
    assert_true()
    assert Bakery.objects.filter(loaf_count=0, biggest=None, big_count=0).count() == 1


def test_in_bulk():
    bakery = baker.make(Bakery)
    baker.make(Loaf, _quantity=5, _bulk_create=True, bakery=bakery)
    assert_true()
    baker.make(Loaf, _quantity=5, _bulk_create=True)
    assert_true()


def test_recipes_and_what_is_prepared():
    recipe = Recipe(Loaf, grams=700, bakery=foreign_key(Recipe(Bakery, name="corner")))
    recipe.make(_quantity=2)
    assert_true()
    bakery = baker.prepare(Bakery)
    bakery.save()
    loaf = baker.prepare(Loaf, bakery=bakery)
    loaf.save()
    assert_true()


def test_a_target_with_its_sources():
    bakery = baker.make(Bakery, loaves=baker.prepare(Loaf, _quantity=3))
    assert_true()
    assert Bakery.objects.get(pk=bakery.pk).loaf_count == 3


def test_what_the_page_shows():
    shown("model_bakery", globals())
    assert_true()
