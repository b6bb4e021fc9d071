"""A row that is written before the one that it refers to, where the constraint is deferred."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, F

from syncfields import synced, unsynced
from tests.ownmodels import assert_kept, kept_by, own_apps

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not connection.features.can_defer_constraint_checks, reason="It cannot be written then."
    ),
]
APPS = own_apps("own")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "own"


class Parent(Own):
    name = models.CharField(max_length=20)
    n = synced(models.IntegerField(default=0), Count("kids"))


class Kid(Own):
    parent = models.ForeignKey(Parent, models.CASCADE, related_name="kids")
    name = synced(models.CharField(max_length=20, null=True), F("parent__name"))


class Firm(Own):
    name = models.CharField(max_length=20)


class Worker(Own):
    firm = models.ForeignKey(Firm, models.CASCADE, related_name="workers")
    firm_name = synced(models.CharField(max_length=20), F("firm__name"))


class Vehicle(Own):
    pass


class Van(Vehicle):
    n = synced(models.IntegerField(default=0), Count("wheels"))


class Wheel(Own):
    vehicle = models.ForeignKey(Vehicle, models.CASCADE, related_name="wheels")


WAYS = {
    "create": lambda model, **values: model.objects.create(**values),
    "bulk_create": lambda model, **values: model.objects.bulk_create([model(**values)]),
    "bulk_create of two": lambda model, **values: model.objects.bulk_create(
        [model(**values), model(**values)]
    ),
}


@pytest.mark.parametrize("parents", ["create", "bulk_create"])
@pytest.mark.parametrize("way", WAYS)
def test_what_can_be_null_is_right_when_the_parent_has_come(way, parents):
    WAYS[way](Kid, parent_id=99)
    WAYS[parents](Parent, pk=99, name="late")

    assert_kept()
    assert set(Kid.objects.values_list("name", flat=True)) == {"late"}


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_null_is_refused_and_leaves_nothing(way):
    with pytest.raises(IntegrityError), transaction.atomic():
        WAYS[way](Worker, firm_id=99)

    assert not Worker.objects.exists()
    Firm.objects.create(pk=99, name="first")
    WAYS[way](Worker, firm_id=99)
    assert_kept()


@pytest.mark.parametrize("way", WAYS)
def test_unsynced_takes_any_order(way):
    with unsynced(reconcile=True):
        WAYS[way](Worker, firm_id=99, firm_name="")
        Firm.objects.create(pk=99, name="late")

    assert_kept()


def test_a_fixture_may_have_it_first():
    with transaction.atomic():
        Worker(firm_id=99).save_base(raw=True)  # As loaddata saves it.
        Firm(pk=99, name="late").save_base(raw=True)

    assert_kept()


def test_what_refers_to_a_parent_of_several_tables_is_counted():
    Wheel.objects.create(vehicle_id=99)
    Van.objects.create(pk=99)

    assert_kept()
    assert Van.objects.get().n == 1
