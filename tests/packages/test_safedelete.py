"""django-safedelete: a row that is deleted is marked, and comes back when it is saved."""

from __future__ import annotations

import pytest

pytest.importorskip("safedelete", reason="django-safedelete is not installed")

from django.core import checks
from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from safedelete import HARD_DELETE, NO_DELETE, SOFT_DELETE, SOFT_DELETE_CASCADE
from safedelete.models import SafeDeleteModel

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db
LIVE = Q(errands__deleted__isnull=True)


class Household(SafeDeleteModel):
    _safedelete_policy = SOFT_DELETE_CASCADE

    name = models.CharField(max_length=20)
    errand_count = synced(models.IntegerField(default=0), Count("errands"))
    live_count = synced(models.IntegerField(default=0), Count("errands", filter=LIVE))
    live_hours = synced(models.IntegerField(default=0), Sum("errands__hours", filter=LIVE))
    longest = synced(models.IntegerField(null=True), Max("errands__hours", filter=LIVE))
    last_deleted = synced(models.DateTimeField(null=True), Max("errands__deleted"))


class Errand(SafeDeleteModel):
    _safedelete_policy = SOFT_DELETE

    household = models.ForeignKey(Household, models.CASCADE, related_name="errands")
    hours = models.IntegerField(default=1)
    code = models.CharField(max_length=20, unique=True, null=True)
    household_name = synced(models.CharField(max_length=20, null=True), F("household__name"))
    household_deleted = synced(models.DateTimeField(null=True), F("household__deleted"))


@pytest.fixture
def households(db):
    one, two = Household.objects.create(name="one"), Household.objects.create(name="two")
    for hours in (1, 2, 3):
        Errand.objects.create(household=one, hours=hours, code=f"code {hours}")
    assert_true()
    return one, two


def live():
    return list(Household.all_objects.order_by("pk").values_list("errand_count", "live_count"))


def test_no_check_warns_of_what_is_seen():
    mine = [each for each in checks.run_checks() if each.obj in (Household, Errand)]

    assert [each.id for each in mine] == []


def test_an_instance_is_deleted_and_comes_back(households):
    errand = Errand.objects.get(hours=3)
    errand.delete()
    assert_true()
    assert live() == [(3, 2), (0, 0)]

    errand.undelete()
    assert_true()
    assert live() == [(3, 3), (0, 0)]
    errand.delete()
    errand.save()
    assert_true()
    errand.delete()
    errand.save(keep_deleted=True)
    assert_true()
    assert live() == [(3, 2), (0, 0)]


@pytest.mark.parametrize("policy", [HARD_DELETE, SOFT_DELETE, SOFT_DELETE_CASCADE, NO_DELETE])
def test_by_each_policy(households, policy):
    one, _ = households
    Errand.objects.get(hours=3).delete(force_policy=policy)
    assert_true()
    one.delete(force_policy=policy)
    assert_true()


def test_querysets_delete_and_undelete(households):
    Errand.objects.filter(hours__gt=1).delete()
    assert_true()
    assert live() == [(3, 1), (0, 0)]
    Errand.deleted_objects.all().undelete()
    assert_true()
    assert live() == [(3, 3), (0, 0)]
    Errand.objects.filter(hours=1).delete(force_policy=HARD_DELETE)
    assert_true()
    assert live() == [(2, 2), (0, 0)]


def test_a_household_takes_its_errands_along(households):
    one, _ = households
    one.delete()
    assert_true()
    assert live() == [(3, 0), (0, 0)]
    Household.deleted_objects.get().undelete()
    assert_true()
    assert live() == [(3, 3), (0, 0)]
    Household.objects.all().delete()
    assert_true()
    Household.all_objects.filter(pk=one.pk).delete(force_policy=HARD_DELETE)
    assert_true()


def test_a_deleted_row_is_found_again(households):
    _one, two = households
    Errand.objects.get(code="code 1").delete()
    Errand.objects.update_or_create(code="code 1", defaults={"household": two, "hours": 9})
    assert_true()
    Errand.objects.get_or_create(code="code 4", defaults={"household": two, "hours": 9})
    assert_true()


def test_a_row_that_no_manager_shows_is_written(households):
    one, two = households
    one.delete()
    Errand.all_objects.filter(hours=1).update(household=two)
    assert_true()
    errand = Errand.all_objects.get(hours=2)
    errand.household = two
    errand.save(keep_deleted=True)
    assert_true()
    Household.all_objects.filter(pk=one.pk).update(name="new")
    assert_true()


def test_what_the_page_shows(households):
    shown("django-safedelete", globals())
    assert_true()
    assert live() == [(3, 1), (0, 0)]
