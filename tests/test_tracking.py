"""``tracking="memory"``: whose memory is believed, and of which columns."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count, Q

from syncfields.rules import Declaration
from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables

pytestmark = pytest.mark.django_db
APPS = own_apps("tracked")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "tracked"


class Shelf(Own):
    n = models.IntegerField(default=0)
    big = models.IntegerField(default=0)


class Box(Own):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="boxes")
    size = models.IntegerField(default=0)


BIG = Count("boxes", filter=Q(boxes__size__gt=5))
N, BIG_BY_MEMORY = (Declaration(each, tracking="memory") for each in (Count("boxes"), BIG))


@pytest.fixture(scope="module", autouse=True)
def made(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def test_a_rule_that_comes_later_and_reads_the_database_is_not_given_memory():
    with kept([(Shelf, "n", N), (Shelf, "big", BIG_BY_MEMORY)]):
        Box(shelf_id=0)  # Its class remembers from now on.

    with kept([(Shelf, "n", N), (Shelf, "big", BIG)]):
        box = Box.objects.create(shelf=Shelf.objects.create(), size=1)
        Box.objects.update(size=9)

        box.save()  # It holds what it was created with.

        assert_kept()


def test_a_column_that_matters_no_longer_is_not_looked_for():
    with kept([(Shelf, "n", N), (Shelf, "big", BIG_BY_MEMORY)]):
        box = Box.objects.create(shelf=Shelf.objects.create(), size=1)

    with kept([(Shelf, "n", N)]):
        box.size = 9
        box.save()

        assert_kept()
