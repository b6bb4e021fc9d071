"""django-parler: translations are rows of a table of their own, saved with the row."""

from __future__ import annotations

import pytest

pytest.importorskip("parler", reason="django-parler is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from django.utils.translation import override
from parler.fields import TranslationsForeignKey
from parler.models import TranslatableModel, TranslatedFields, TranslatedFieldsModel

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Country(TranslatableModel):
    code = models.CharField(max_length=2)
    translation_count = synced(models.IntegerField(default=0), Count("translations"))
    german_count = synced(
        models.IntegerField(default=0),
        Count("translations", filter=Q(translations__language_code="de")),
    )
    german = synced(
        models.CharField(max_length=20, null=True),
        Max("translations__name", filter=Q(translations__language_code="de")),
    )
    size = synced(models.IntegerField(default=0), Sum("translations__letters"))
    town_count = synced(models.IntegerField(default=0), Count("towns"))
    translations = TranslatedFields(
        name=models.CharField(max_length=20),
        letters=models.IntegerField(default=1),
        code_copy=synced(models.CharField(max_length=2, null=True), F("master__code")),
    )


class Town(TranslatableModel):
    country = models.ForeignKey(Country, models.CASCADE, related_name="towns")
    country_code = synced(models.CharField(max_length=2, null=True), F("country__code"))


class TownTranslation(TranslatedFieldsModel):
    master = TranslationsForeignKey(Town, models.CASCADE, null=True, related_name="translations")
    name = models.CharField(max_length=20)
    code = synced(models.CharField(max_length=2, null=True), F("master__country__code"))

    class Meta:
        unique_together = [("language_code", "master")]


@pytest.fixture
def country(db):
    country = Country.objects.language("en").create(code="de", name="Germany", letters=7)
    assert_true()
    return country


def test_a_row_with_its_translations(country):
    country.set_current_language("de")
    country.name, country.letters = "Deutschland", 11
    country.save()
    assert_true()
    assert Country.objects.values_list("german", "translation_count").get() == ("Deutschland", 2)

    country.code = "DE"
    country.name = "D"
    country.save()
    assert_true()
    with override("de"):
        again = Country.objects.get()
        again.name = "Bundesrepublik"
        again.save()
    assert_true()
    assert Country.objects.get().german == "Bundesrepublik"


def test_translations_alone(country):
    country.create_translation("de", name="Deutschland", letters=11)
    assert_true()
    country.create_translation("fr", name="Allemagne", letters=9)
    assert_true()
    country.delete_translation("de")
    assert_true()
    Country.objects.translated("fr").update(code="fr")
    assert_true()
    country.translations.filter(language_code="fr").update(language_code="de")
    assert_true()
    country.translations.all().delete()
    assert_true()


def test_a_translated_row_below_another(country):
    town = Town.objects.create(country=country, name="Munich")
    assert_true()
    town.create_translation("de", name="M\N{LATIN SMALL LETTER U WITH DIAERESIS}nchen")
    assert_true()
    other = Country.objects.create(code="at", name="Austria")
    town.country = other
    town.save()
    assert_true()
    assert set(town.translations.values_list("code", flat=True)) == {"at"}
    other.code = "AT"
    other.save_translations()
    other.save()
    assert_true()
    Country.objects.all().delete()
    assert_true(some=False)


def test_what_the_page_shows(country):
    shown("django-parler", globals(), country=country)
    assert_true()
    assert Country.objects.get().german == "Deutschland"
