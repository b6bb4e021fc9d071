"""``bulk_create()`` of targets whose fields cannot wait for their values."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import models
from django.db.models import F

from syncfields import coalesce, synced
from tests.ownmodels import assert_kept, kept_by, own_apps

pytestmark = pytest.mark.django_db

APPS = own_apps("picky")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "picky"


class Maker(Own):
    name = models.CharField(max_length=9)
    founded = models.DateField()


# One field each: rules of one model share their queries, and what holds for one goes for all.
class Unique(Own):
    """Two of them cannot hold the same placeholder."""

    maker = models.OneToOneField(Maker, models.CASCADE)
    name = synced(models.CharField(max_length=9, unique=True), F("maker__name"))


class Dated(Own):
    """No value can be made up for it."""

    maker = models.OneToOneField(Maker, models.CASCADE)
    founded = synced(models.DateField(), F("maker__founded"))


class Both(Own):
    maker = models.OneToOneField(Maker, models.CASCADE)
    founded = synced(models.DateField(unique=True), F("maker__founded"))


class Late(Own):
    """Its value may come after the INSERT."""

    maker = models.OneToOneField(Maker, models.CASCADE)
    name = synced(models.CharField(max_length=9), F("maker__name"))


@pytest.mark.parametrize("model", [Unique, Dated, Both, Late])
@pytest.mark.parametrize("options", [{}, {"ignore_conflicts": True}, {"batch_size": 2}], ids=str)
@pytest.mark.parametrize("number", [1, 3])
def test_copies_into_fields_that_take_no_placeholder(model, options, number):
    makers = [
        Maker.objects.create(name=f"m{year}", founded=dt.date(year, 1, 1))
        for year in range(1990, 1990 + number)
    ]

    model.objects.bulk_create([model(maker=each) for each in makers], **options)

    assert model.objects.count() == number
    assert_kept()
    with coalesce():
        model.objects.all().delete()
        model.objects.bulk_create([model(maker=each) for each in makers], **options)
    assert_kept()
