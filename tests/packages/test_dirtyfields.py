"""django-dirtyfields: an instance remembers the fields that it was loaded with."""

from __future__ import annotations

import pytest

pytest.importorskip("dirtyfields", reason="django-dirtyfields is not installed")

from dirtyfields import DirtyFieldsMixin
from django.db import models
from django.db.models import Count, F, Max, Q, Sum

from syncfields import synced
from syncfields.reconcile.repair import reconcile
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Herd(DirtyFieldsMixin, models.Model):
    name = models.CharField(max_length=20)
    cow_count = synced(models.IntegerField(default=0), Count("cows"))
    heavy_count = synced(models.IntegerField(default=0), Count("cows", filter=Q(cows__kilos__gt=9)))
    kilos = synced(models.IntegerField(default=0), Sum("cows__kilos"))
    heaviest = synced(models.IntegerField(null=True), Max("cows__kilos"))


class Cow(DirtyFieldsMixin, models.Model):
    ENABLE_M2M_CHECK = False

    herd = models.ForeignKey(Herd, models.CASCADE, related_name="cows")
    kilos = models.IntegerField(default=1)
    herd_name = synced(models.CharField(max_length=20), F("herd__name"))


@pytest.fixture
def herd(db):
    herd = Herd.objects.create(name="one")
    for kilos in (5, 10):
        Cow.objects.create(herd=herd, kilos=kilos)
    assert_true()
    return herd


def test_only_dirty_fields_are_saved(herd):
    cow = Cow.objects.select_related("herd").first()
    assert not cow.is_dirty()
    cow.kilos = 50
    assert cow.get_dirty_fields() == {"kilos": 5}
    cow.save_dirty_fields()
    assert_true()
    assert not cow.is_dirty()

    cow.herd.name = "new"
    cow.herd.save_dirty_fields()
    assert_true()
    herd.save_dirty_fields()
    assert_true()


def test_a_parent_in_hand_can_be_saved_and_read(herd):
    for cow in Cow.objects.all():
        cow.kilos += 1
        cow.save()
        assert_true()
        assert cow.herd.cow_count == 2
    assert herd.cow_count in (0, 2)
    herd.name = "new"
    herd.save()
    assert_true()
    herd.refresh_from_db()
    assert (herd.cow_count, herd.kilos) == (2, 17)
    assert not herd.is_dirty()


def test_a_synced_field_that_is_dirty_is_not_saved(herd):
    herd.refresh_from_db()
    herd.cow_count = 999
    herd.save()
    assert_true()


def test_drift_is_repaired(herd):
    models.QuerySet(Herd).filter(pk=herd.pk)._update([])
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE packages_herd SET cow_count = 77")
        cursor.execute("UPDATE packages_cow SET herd_name = 'wrong'")
    assert not reconcile(check=True).ok
    reconcile()
    assert_true()


def test_cows_go(herd):
    herd.cows.first().delete()
    assert_true()
    herd.delete()
    assert_true(some=False)


def test_what_the_page_shows(herd):
    shown("django-dirtyfields", globals(), herd=herd)
