"""Makers: values that are not NULL, though there are no rows; copies of unusual types."""

import datetime as dt

from django.db import models
from django.db.models import Avg, Count, F, Max
from django.db.models.functions import Coalesce

from syncfields import synced
from tests.testapp.models.fields import count_field


class Maker(models.Model):
    name = models.CharField(max_length=40, default="")
    founded = models.DateField(default=dt.date(1990, 5, 1))
    specs = models.JSONField(default=dict)
    # A maker without gadgets is joined with a row of NULLs, and that counts.
    mean_weight = synced(models.FloatField(null=True), Avg(Coalesce("gadgets__weight", 7)))
    # The field that another rule touches.
    counted_at = synced(models.DateTimeField(null=True), Max("gadgets__counted_at"))


class Licence(models.Model):
    """Its fields cannot wait for their values: they are unique, or take no placeholder."""

    maker = models.OneToOneField(Maker, models.CASCADE, related_name="licence")
    name = synced(models.CharField(max_length=40, unique=True), F("maker__name"))
    founded = synced(models.DateField(default=dt.date(1900, 1, 1)), F("maker__founded"))


class Gadget(models.Model):
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="gadgets")
    weight = models.IntegerField(null=True)
    made = models.DateField(default=dt.date(2020, 1, 1))
    specs = synced(models.JSONField(null=True), F("maker__specs"))
    # A transform of its own column beside that of another.
    years = synced(models.IntegerField(default=0), F("made__year") - F("maker__founded__year"))
    counted_at = models.DateTimeField(null=True)
    part_count = synced(count_field(), Count("parts"), touch="counted_at")


class Part(models.Model):
    gadget = models.ForeignKey(Gadget, models.CASCADE, related_name="parts")
