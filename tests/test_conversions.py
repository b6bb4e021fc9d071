"""The checks of values that are stored as something else than annotate() says: E019 and E023."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import models
from django.db.models import Count, F, Max, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import TruncDate, TruncMonth
from django.test import override_settings

from syncfields.declare.rules import Declaration, Rule
from syncfields.maintenance.recompute import Recompute
from syncfields.plan.compiler import compile_rules
from tests.fieldtypes import Presaved, Reversed
from tests.ownmodels import own_apps


class Unhooked(models.CharField):
    """A class of its own, and nothing else."""


class Scaled(models.IntegerField):
    """Stores cents, and gives units."""

    def from_db_value(self, value, expression, connection):
        return value and value / 100

    def get_prep_value(self, value):
        return value and int(value * 100)


@pytest.fixture(scope="module")
def garage():
    own = own_apps("garage")

    class Car(models.Model):
        specs = models.JSONField(default=dict)
        secret = Reversed(max_length=9)
        paper = models.FileField(max_length=9)
        at = models.DateTimeField()
        first = Reversed(max_length=9, null=True)
        total = Scaled(default=0)

        class Meta:
            app_label = "garage"
            apps = own

    class Ride(models.Model):
        car = models.ForeignKey(Car, models.CASCADE, related_name="rides")
        price = Scaled()
        text = models.CharField(max_length=9, null=True)
        unhooked = Unhooked(max_length=9, null=True)
        secret = Reversed(max_length=9, null=True)
        presaved = Presaved(max_length=9, null=True)
        paper = models.FileField(max_length=9, null=True)
        month = models.DateTimeField(null=True)
        day = models.DateField(null=True)
        specs = models.JSONField(null=True)

        class Meta:
            app_label = "garage"
            apps = own

    class Owner(models.Model):
        car = models.ForeignKey(Car, models.CASCADE, related_name="owners")

        class Meta:
            app_label = "garage"
            apps = own

    return Car, Ride, Owner


def compiled(model, name, expression):
    plan, errors = compile_rules([Rule(model, name, Declaration(expression))])
    return plan, [(error.id, error.message, error.hint) for error in errors]


@pytest.mark.parametrize(
    ("name", "kind", "hook"),
    [
        ("presaved", "Presaved", "pre_save"),
        ("paper", "FileField", "FileDescriptor"),
    ],
)
def test_a_field_that_decides_what_is_stored_is_no_target(garage, name, kind, hook):
    _, errors = compiled(garage[1], name, F("car__secret"))

    assert errors == [
        (
            "syncfields.E019",
            (
                f"garage.Ride.{name} is a {kind}, which decides by itself what is stored when a "
                f"row is saved: {hook}."
            ),
            (
                "Give the rule a field that stores what it is given, without hooks for saving of "
                "its own; for the name of a file, a CharField."
            ),
        )
    ]


def test_a_local_time_is_not_stored(garage):
    month = TruncMonth("car__at")
    with override_settings(TIME_ZONE="Europe/Berlin"):
        _, errors = compiled(garage[1], "month", month)

    assert errors == [
        (
            "syncfields.E023",
            (
                "The expression of garage.Ride.month truncates to a time in Europe/Berlin, which "
                "the database cannot store: Django makes it of what the database gives."
            ),
            "Truncate in UTC, by tzinfo=datetime.timezone.utc, or to a date, by TruncDate().",
        )
    ]


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("text", F("car__paper")),
        ("unhooked", F("car__paper")),
        ("secret", F("car__secret")),
        ("text", KeyTextTransform("colour", "car__specs")),
        ("specs", F("car__specs__colour")),
        ("day", TruncDate("car__at")),
        ("month", TruncMonth("car__at", tzinfo=dt.timezone.utc)),
    ],
    ids=str,
)
def test_near_misses(garage, name, expression):
    with override_settings(TIME_ZONE="Europe/Berlin"):
        assert compiled(garage[1], name, expression)[1] == []


def test_what_is_converted_in_python_is_not_added_up_or_compared_there(garage):
    rules = [
        ("first", Max("rides__secret")),
        ("total", Sum("rides__price", default=0)),
        ("total", Count("rides", output_field=Scaled())),
    ]
    for name, expression in rules:
        plan, errors = compiled(garage[0], name, expression)

        assert errors == []
        assert [type(each) for each in plan.maintenances] == [Recompute]
