"""django-phonenumber-field: a text column that is read as an object."""

from __future__ import annotations

import pytest

pytest.importorskip("phonenumber_field", reason="django-phonenumber-field is not installed")

from django.db import models
from django.db.models import Count, Max, Q
from django.db.models.functions import Cast
from phonenumber_field.modelfields import PhoneNumberField

from syncfields import synced
from tests.packages.truth import assert_holds, assert_true, shown

pytestmark = pytest.mark.django_db


class Flat(models.Model):
    phone = PhoneNumberField(blank=True, default="")
    phone_count = synced(models.IntegerField(default=0), Count("tenants__phone"))
    german_count = synced(
        models.IntegerField(default=0),
        Count("tenants", filter=Q(tenants__phone__startswith="+49")),
    )
    # The text in the column: what is read from it as an object has a field of its own.
    last_phone = synced(
        models.CharField(max_length=128, null=True),
        Max(Cast("tenants__phone", models.CharField(max_length=128))),
    )


class Tenant(models.Model):
    flat = models.ForeignKey(Flat, models.CASCADE, related_name="tenants")
    phone = PhoneNumberField(null=True, blank=True)
    home = synced(
        models.CharField(max_length=128, null=True),
        Cast("flat__phone", models.CharField(max_length=128)),
    )


def test_numbers_as_they_are_typed(db):
    flat = Flat.objects.create(phone="+49 30 1234567")
    for phone in ("+49 (30) 765-4321", "+41446681800", "", None, "not a number"):
        Tenant.objects.create(flat=flat, phone=phone)
        assert_true()
    assert Tenant.objects.first().home == flat.phone

    for tenant in Tenant.objects.all():
        tenant.phone = "0041 44 668 18 00" if tenant.phone is None else "+49 30 111 22 33"
        tenant.save()
        assert_true()
    Tenant.objects.update(phone="+49 30 99 88 77")
    assert_true()
    flat.phone = "+41 44 668 18 01"
    flat.save()
    assert_true()
    Tenant.objects.bulk_create([Tenant(flat=flat, phone=p) for p in ("", None, "+49301234567")])
    assert_true()
    for tenant in Tenant.objects.all():
        tenant.delete()
        assert_true()


def test_what_the_page_shows(db):
    Tenant.objects.create(flat=Flat.objects.create())

    made = shown("django-phonenumber-field", globals())

    assert_holds(made.home, Tenant, "home")
    assert_true()
    assert Tenant.objects.get().home == "+4930998877"
