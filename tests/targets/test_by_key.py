"""One UPDATE gives each of many rows a value of its own, of any type, by a key of any type."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import models
from django.db.models import F, Max, Min, Sum

from syncfields import synced
from tests.ownmodels import assert_kept, kept_by, own_apps
from tests.statements import sent

pytestmark = pytest.mark.django_db
APPS = own_apps("bykey")
ROWS = 12
MOMENT = dt.datetime(2024, 2, 3, 4, 5, 6, 789, tzinfo=dt.timezone.utc)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "bykey"


class Kept(Own):
    """What its parts come to: each field is added to, or is an extreme, of another type."""

    number = synced(models.IntegerField(default=0), Sum("parts__number", default=0))
    price = synced(
        models.DecimalField(max_digits=12, decimal_places=2, default=0),
        Sum("parts__price", default=0),
    )
    dearest = synced(
        models.DecimalField(max_digits=9, decimal_places=2, null=True), Max("parts__price")
    )
    weight = synced(models.FloatField(null=True), Min("parts__weight"))
    name = synced(models.CharField(max_length=20, null=True), Max("parts__name"))
    day = synced(models.DateField(null=True), Min("parts__day"))
    moment = synced(models.DateTimeField(null=True), Max("parts__moment"))
    time = synced(models.TimeField(null=True), Max("parts__time"))
    length = synced(models.DurationField(null=True), Min("parts__length"))

    class Meta(Own.Meta):
        abstract = True


class Part(Own):
    number = models.IntegerField()
    price = models.DecimalField(max_digits=9, decimal_places=2)
    weight = models.FloatField()
    name = models.CharField(max_length=20)
    day = models.DateField()
    moment = models.DateTimeField()
    time = models.TimeField()
    length = models.DurationField()

    class Meta(Own.Meta):
        abstract = True


class Numbered(Kept):
    pass


class NumberedPart(Part):
    whole = models.ForeignKey(Numbered, models.CASCADE, related_name="parts")


class Coded(Kept):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class CodedPart(Part):
    whole = models.ForeignKey(Coded, models.CASCADE, related_name="parts")


class Worded(Kept):
    word = models.CharField(max_length=20, primary_key=True)


class WordedPart(Part):
    whole = models.ForeignKey(Worded, models.CASCADE, related_name="parts")


class Priced(Kept):
    key = models.DecimalField(max_digits=6, decimal_places=2, primary_key=True)


class PricedPart(Part):
    whole = models.ForeignKey(Priced, models.CASCADE, related_name="parts")


class Dated(Kept):
    moment_of = models.DateTimeField(primary_key=True)


class DatedPart(Part):
    whole = models.ForeignKey(Dated, models.CASCADE, related_name="parts")


kept_here = kept_by(APPS)
WHOLES = {
    Numbered: lambda number: {},
    Coded: lambda number: {},
    Worded: lambda number: {"word": f"w'{number}%"},
    Priced: lambda number: {"key": Decimal(number) / 4},
    Dated: lambda number: {"moment_of": MOMENT + dt.timedelta(microseconds=number)},
}


def part(whole, step):
    """Of another value in each field for each whole and each step."""
    return whole.parts.model(
        whole=whole,
        number=step * 7 - 3,
        price=Decimal(step * 11) / 100,
        weight=step / 3,
        name=f"é'%s{step:03}",
        day=MOMENT.date() - dt.timedelta(step),
        moment=MOMENT + dt.timedelta(seconds=step, microseconds=step),
        time=dt.time(3, step % 60, 1, step),
        length=dt.timedelta(hours=step, microseconds=step),
    )


@pytest.mark.parametrize("model", WHOLES)
def test_each_row_has_its_own_value(model):
    wholes = [model.objects.create(**WHOLES[model](number)) for number in range(1, ROWS + 1)]
    parts = model.parts.rel.related_model

    with sent() as statements:
        parts.objects.bulk_create(part(whole, n) for n, whole in enumerate(wholes))
    assert_kept()
    assert sum("CASE" in each and "WHEN" in each for each in statements.sql) >= 1
    # Better ones for some, worse ones for others, and none for the rest.
    parts.objects.bulk_create(
        part(whole, 40 - 5 * n) for n, whole in enumerate(wholes[: ROWS // 2 + 2])
    )
    assert_kept()

    parts.objects.filter(number__gt=50).update(number=F("number") * 2, price=F("price") + 1)
    assert_kept()
    changed = list(parts.objects.order_by("pk"))
    for n, each in enumerate(changed):
        each.weight, each.name, each.length = n * 1.7, f"n{n:02}", dt.timedelta(days=n)
    parts.objects.bulk_update(changed, ["weight", "name", "length"])
    assert_kept()
    parts.objects.filter(pk__in=[each.pk for each in changed[::2]]).delete()
    assert_kept()
    parts.objects.all().delete()
    assert_kept()
