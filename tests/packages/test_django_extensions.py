"""django-extensions: slugs, time stamps and switched-off rows."""

from __future__ import annotations

import pytest

pytest.importorskip("django_extensions", reason="django-extensions is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q
from django_extensions.db.fields import AutoSlugField, RandomCharField
from django_extensions.db.models import ActivatorModel, TimeStampedModel

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Garden(TimeStampedModel, ActivatorModel):
    name = models.CharField(max_length=20)
    slug = AutoSlugField(populate_from="name")
    plant_count = synced(models.IntegerField(default=0), Count("plants"))
    active_count = synced(
        models.IntegerField(default=0), Count("plants", filter=Q(plants__status=1))
    )
    last_slug = synced(models.CharField(max_length=50, null=True), Max("plants__slug"))
    last_modified = synced(models.DateTimeField(null=True), Max("plants__modified"))


class Plant(TimeStampedModel, ActivatorModel):
    garden = models.ForeignKey(Garden, models.CASCADE, related_name="plants")
    name = models.CharField(max_length=20)
    slug = AutoSlugField(populate_from=["name"])
    code = RandomCharField(length=8, unique=True)
    garden_slug = synced(models.CharField(max_length=50, null=True), F("garden__slug"))


def test_fields_that_are_filled_at_each_save(db):
    garden = Garden.objects.create(name="At the Lake")
    for name in ("Rose", "Rose", "Oak"):
        Plant.objects.create(garden=garden, name=name)
        assert_true()
    assert Garden.objects.get().last_slug == "rose-2"
    garden = Garden.objects.get()
    garden.name, garden.slug = "new", None
    garden.save()
    assert_true()
    plant = Plant.objects.first()
    plant.status = Plant.INACTIVE_STATUS
    plant.save(update_modified=False)
    assert_true()
    plant.save(update_fields=["status"])
    assert_true()
    Plant.objects.inactive().delete()
    assert_true()
    Plant.objects.update_or_create(name="Oak", defaults={"status": 0})
    assert_true()


def test_what_the_page_shows(db):
    shown("django-extensions", globals(), garden=Garden.objects.create(name="At the Lake"))
    assert_true()
    assert Garden.objects.get().last_slug == "rose"
