"""django-modeltranslation: a column for each language; names lead to that of the active one."""

from __future__ import annotations

import pytest

pytest.importorskip("modeltranslation", reason="django-modeltranslation is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q
from django.utils.translation import override
from modeltranslation.utils import auto_populate

from syncfields import synced
from syncfields.plan import registry
from syncfields.reconcile.repair import reconcile
from tests.packages.truth import assert_true as assert_as_declared
from tests.packages.truth import shown

pytestmark = pytest.mark.django_db


class Museum(models.Model):
    name = models.CharField(max_length=20)  # translated
    room_count = synced(models.IntegerField(default=0), Count("rooms"))
    big_count = synced(models.IntegerField(default=0), Count("rooms", filter=Q(rooms__title="big")))
    english = synced(models.IntegerField(default=0), Count("rooms__title_en"))
    last_german = synced(models.CharField(max_length=20, null=True), Max("rooms__title_de"))


class Room(models.Model):
    museum = models.ForeignKey(Museum, models.CASCADE, related_name="rooms")
    title = models.CharField(max_length=20, null=True)  # translated
    museum_name = synced(models.CharField(max_length=20, null=True), F("museum__name"))
    museum_name_de = synced(models.CharField(max_length=20, null=True), F("museum__name_de"))


def assert_true():
    """In no language is it another truth."""
    for language in ("en", "de", "fr"):
        with override(language):
            assert_as_declared()


@pytest.fixture
def museum(db):
    museum = Museum.objects.create(name_en="Louvre", name_de="der Louvre")
    Room.objects.create(museum=museum, title_en="big", title_de="gross")
    Room.objects.create(museum=museum, title_en="small")
    return museum


def test_the_rules_are_those_that_were_declared():
    assert [error for error in registry.errors() if error.obj in (Museum, Room)] == []
    names = {rule.field_name for rule in registry.plan().rules if rule.model is Room}
    assert names == {"museum_name", "museum_name_de"}


def test_values_do_not_depend_on_the_active_language(museum):
    for language in ("en", "de"):
        with override(language):
            room = Room.objects.create(museum=museum, title="big")
            assert_as_declared()
            room.title = "bigger"
            room.save()
            assert reconcile(check=True).ok
            museum.name = f"name {language}"
            museum.save()
            assert reconcile(check=True).ok
            Room.objects.filter(title="bigger").update(title="big")
            assert reconcile(check=True).ok
            Museum.objects.update(name="n")
            assert reconcile(check=True).ok
            room.delete()
            assert reconcile(check=True).ok


def test_rows_of_all_languages_at_once(museum):
    with auto_populate("all"):
        Room.objects.create(museum=museum, title="big")
    assert reconcile(check=True).ok
    Room.objects.bulk_create([Room(museum=museum, title_de="big"), Room(museum=museum, title="x")])
    assert reconcile(check=True).ok
    Museum.objects.update(name_de="neu", name_en="new")
    assert reconcile(check=True).ok


def test_what_the_page_shows(museum):
    shown("django-modeltranslation", globals())
    assert_true()
    assert {*Room.objects.values_list("museum_name_de", flat=True)} == {"neu"}
