"""django-pghistory: triggers of PostgreSQL write a row of history for each change."""

from __future__ import annotations

import pytest

pytest.importorskip("pghistory", reason="django-pghistory is not installed")

import pghistory
from django.core.management import call_command
from django.db import connection, models
from django.db.models import Count, F, Max, Q, Sum
from pghistory.models import Context

from syncfields import synced
from syncfields.plan import registry
from tests.packages.truth import assert_true, shown

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="not PostgreSQL"),
]


@pghistory.track()
class Farm(models.Model):
    name = models.CharField(max_length=20)
    field_count = synced(models.IntegerField(default=0), Count("fields"))
    big_count = synced(
        models.IntegerField(default=0), Count("fields", filter=Q(fields__size__gt=9))
    )
    size = synced(models.IntegerField(default=0), Sum("fields__size"))
    largest = synced(models.IntegerField(null=True), Max("fields__size"))


@pghistory.track()
class Field(models.Model):
    farm = models.ForeignKey(Farm, models.CASCADE, related_name="fields")
    size = models.IntegerField(default=1)
    farm_name = synced(models.CharField(max_length=20), F("farm__name"))


@pytest.fixture
def farm(db):
    Context.install_pgh_attach_context_func(using="default")  # As its migrations do.
    call_command("pgtrigger", "install", verbosity=0)
    farm = Farm.objects.create(name="one")
    for size in (5, 15):
        Field.objects.create(farm=farm, size=size)
    assert_true()
    return farm


def test_the_models_of_events_have_no_rules():
    events = {Farm.events.rel.related_model, Field.events.rel.related_model}

    assert events.isdisjoint({rule.model for rule in registry.plan().rules})


def test_each_value_that_was_is_in_the_history(farm):
    assert list(farm.events.order_by("pgh_id").values_list("field_count", "size")) == [
        (0, 0),
        (1, 5),
        (2, 20),
    ]
    field = Field.objects.get(size=5)
    field.size = 50
    field.save()
    assert_true()
    assert farm.events.order_by("pgh_id").last().largest == 50
    Farm.objects.update(name="new")
    assert_true()
    assert list(field.events.order_by("pgh_id").values_list("farm_name", flat=True)) == [
        "one",
        "one",
        "new",
    ]


def test_a_row_goes_back_to_an_event(farm):
    field = Field.objects.get(size=5)
    field.size = 50
    field.save()
    event = field.events.order_by("pgh_id").first()

    event.revert()
    assert_true()
    assert Farm.objects.get().size == 20
    farm.delete()
    assert_true(some=False)


def test_what_the_page_shows(farm):
    shown("django-pghistory", globals(), farm=Farm.objects.create(name="two"))
    assert_true()
