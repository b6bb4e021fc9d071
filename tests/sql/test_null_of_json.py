"""The null of JSON is a value, and NULL is none; both are read as None. A copy keeps them apart."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import F, QuerySet, Value
from django.db.models.lookups import IsNull

from syncfields import reconcile, synced, unsynced
from tests.ownmodels import kept_by, own_apps

pytestmark = pytest.mark.django_db
APPS = own_apps("own")
kept = kept_by(APPS)
NULL = Value(None, models.JSONField())
VALUES = {"null": (NULL, False), "NULL": (None, True), "a value": ({"a": None}, False)}


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "own"


class Source(Own):
    given = models.JSONField(null=True)
    always = models.JSONField(default=dict)


class Copy(Own):
    source = models.ForeignKey(Source, models.CASCADE, null=True, related_name="copies")
    given = synced(models.JSONField(null=True), F("source__given"))


class Full(Own):
    source = models.ForeignKey(Source, models.CASCADE, related_name="full_copies")
    always = synced(models.JSONField(), F("source__always"))


def are_null(model, name):
    return set(QuerySet(model).values_list(IsNull(F(name), True), flat=True))


WAYS = {
    "create": lambda model, source: model.objects.create(source=source),
    "get_or_create": lambda model, source: model.objects.get_or_create(source=source),
    "bulk_create of one": lambda model, source: model.objects.bulk_create([model(source=source)]),
    "bulk_create": lambda model, source: model.objects.bulk_create(
        [model(source=source), model(source=source)]
    ),
    "save": lambda model, source: model(source=source).save(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", VALUES)
def test_a_new_row(value, way):
    given, is_null = VALUES[value]
    source = Source.objects.create(given=given)

    WAYS[way](Copy, source)

    assert are_null(Copy, "given") == {is_null}
    assert reconcile(Copy, check=True).drifted == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_new_row_that_cannot_be_null(way):
    source = Source.objects.create(always=NULL)

    WAYS[way](Full, source)

    assert list(Full.objects.values_list("always", flat=True).distinct()) == [None]
    assert reconcile(Full, check=True).drifted == 0


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("before", VALUES)
def test_a_source_that_is_written(before, value):
    given, is_null = VALUES[value]
    source, other = (Source.objects.create(given=VALUES[before][0]) for _ in range(2))
    moved = Copy.objects.create(source=other)
    Copy.objects.create(source=source)

    source.given = given
    source.save()
    moved.source = source
    moved.save()

    assert are_null(Copy, "given") == {is_null}
    Source.objects.update(given=VALUES[before][0])
    assert are_null(Copy, "given") == {VALUES[before][1]}
    other.given = given
    Source.objects.bulk_update([other], ["given"])
    moved.source = other
    moved.save(update_fields=["source"])
    assert reconcile(Copy, check=True).drifted == 0


def test_drift_between_them_is_repaired_one_by_one():
    null, none = Source.objects.create(given=NULL), Source.objects.create()
    for source in (null, none):
        Copy.objects.create(source=source)
    for wrong in (NULL, None):
        with unsynced():
            Copy.objects.update(given=wrong)

        assert reconcile(Copy).repaired == 1
        assert reconcile(Copy, check=True).drifted == 0
