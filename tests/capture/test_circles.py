"""Deletes that the database passes on, among rows that refer to one another in a circle."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count

from syncfields import synced
from tests.ownmodels import assert_kept, kept_by, own_apps, stored

pytestmark = pytest.mark.django_db
APPS = own_apps("circles")
kept = kept_by(APPS)
# Of Django 6.1; before it, its elder.
DB_CASCADE = getattr(models, "DB_CASCADE", models.CASCADE)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "circles"


class Ring(Own):
    link_count = synced(models.IntegerField(default=0), Count("links"))


class Link(Own):
    ring = models.ForeignKey(Ring, DB_CASCADE, related_name="links")
    next = models.ForeignKey("self", DB_CASCADE, null=True)


def test_each_row_of_a_circle_is_deleted_once():
    ring = Ring.objects.create()
    last = Link.objects.create(ring=ring)
    first = Link.objects.create(ring=ring, next=last)
    Link.objects.filter(pk=last.pk).update(next=first)
    other = Link.objects.create(ring=ring)

    first.delete()

    assert Link.objects.get() == other
    assert_kept()
    assert stored(Ring, ring.pk, "link_count") == {"link_count": 1}
