"""django-reversion: versions of rows are stored as fixtures, and loaded to go back."""

from __future__ import annotations

import pytest

pytest.importorskip("reversion", reason="django-reversion is not installed")

import reversion
from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from reversion.models import Version

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


@reversion.register(follow=["pages"])
class Leaflet(models.Model):
    title = models.CharField(max_length=20)
    page_count = synced(models.IntegerField(default=0), Count("pages"))
    full_count = synced(
        models.IntegerField(default=0), Count("pages", filter=Q(pages__words__gt=9))
    )
    words = synced(models.IntegerField(default=0), Sum("pages__words"))
    longest = synced(models.IntegerField(null=True), Max("pages__words"))


@reversion.register(follow=["leaflet"])
class Page(models.Model):
    leaflet = models.ForeignKey(Leaflet, models.CASCADE, related_name="pages")
    words = models.IntegerField(default=1)
    title = synced(models.CharField(max_length=20), F("leaflet__title"))


@pytest.fixture
def leaflet(db):
    with reversion.create_revision():
        leaflet = Leaflet.objects.create(title="first")
        for words in (5, 10, 20):
            Page.objects.create(leaflet=leaflet, words=words)
    assert_true()
    return leaflet


def revision():
    return Version.objects.get_for_model(Leaflet).last().revision


def test_a_revision_is_reverted(leaflet):
    with reversion.create_revision():
        leaflet.title = "second"
        leaflet.save()
        leaflet.pages.filter(words=5).update(words=50)
        leaflet.pages.get(words=10).delete()
        Page.objects.create(leaflet=leaflet, words=7)
    assert_true()

    revision().revert()
    assert_true()
    assert Leaflet.objects.values_list("title", "page_count", "words").get() == ("first", 4, 42)
    revision().revert(delete=True)
    assert_true()
    assert Leaflet.objects.get().page_count == 3


def test_a_page_is_reverted_alone(leaflet):
    page = leaflet.pages.first()
    other = Leaflet.objects.create(title="other")
    with reversion.create_revision():
        page.leaflet, page.words = other, 99
        page.save()
    assert_true()

    Version.objects.get_for_object(page).last().revert()
    assert_true()
    assert Leaflet.objects.get(title="first").page_count == 3


def test_what_was_deleted_is_recovered(leaflet):
    pk = leaflet.pk
    leaflet.delete()
    assert_true(some=False)

    Version.objects.get_deleted(Leaflet).get(object_id=pk).revision.revert()
    assert_true()
    assert Leaflet.objects.get().page_count == 3


def test_a_version_that_is_wrong_about_a_synced_field_changes_nothing(leaflet):
    version = Version.objects.get_for_object(leaflet).get()
    Version.objects.filter(pk=version.pk).update(
        serialized_data=version.serialized_data.replace('"page_count": 0', '"page_count": 999')
    )
    Version.objects.get(pk=version.pk).revert()
    assert_true()


def test_what_the_page_shows(leaflet):
    Page.objects.create(leaflet=leaflet, words=7)

    shown("django-reversion", globals(), leaflet=leaflet)
    assert_true()
    assert Leaflet.objects.get().page_count == 3
