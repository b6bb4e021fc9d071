"""Extremes of what is computed: what a row has contributed is compared with what is stored, and
each of the two may have been rounded in another way.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import models
from django.db.models import DecimalField, ExpressionWrapper, F, FloatField, IntegerField, Max, Min
from django.db.models.functions import Cast, Round
from hypothesis import given
from hypothesis import strategies as st

from syncfields import synced
from tests.ownmodels import kept_by, own_apps, rules_of, truth
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db
APPS = own_apps("computed")
kept = kept_by(APPS)


def quotient(field):
    return ExpressionWrapper(F("parts__price") / F("parts__number"), output_field=field)


def decimal(places, **options):
    return DecimalField(max_digits=15, decimal_places=places, **options)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "computed"


class Whole(Own):
    float_quotient = synced(FloatField(null=True), Max(quotient(FloatField())))
    decimal_quotient = synced(decimal(2, null=True), Min(quotient(decimal(2))))
    long_quotient = synced(decimal(9, null=True), Max(quotient(decimal(9))))
    half = synced(
        IntegerField(null=True), Max(ExpressionWrapper(F("parts__number") / 2, IntegerField()))
    )
    third = synced(FloatField(null=True), Min(F("parts__number") / 3.0))
    product = synced(FloatField(null=True), Max(F("parts__ratio") * F("parts__number")))
    shorter = synced(decimal(1, null=True), Max("parts__price"))
    shortest = synced(decimal(0, null=True), Min("parts__price"))
    whole_number = synced(IntegerField(null=True), Max(Cast("parts__price", IntegerField())))
    rounded = synced(decimal(1, null=True), Max(Round("parts__price", precision=1)))
    doubled = synced(decimal(3, null=True), Min(F("parts__price") * 2))
    of_integer = synced(FloatField(null=True), Max("parts__number"))
    of_decimal = synced(FloatField(null=True), Max("parts__price"))


class Part(Own):
    whole = models.ForeignKey(Whole, models.CASCADE, related_name="parts")
    number = IntegerField()
    price = decimal(3, null=True)
    ratio = FloatField(null=True)


NUMBERS = st.sampled_from([-7, -3, -1, 1, 2, 3, 5, 7, 11])
PRICES = st.sampled_from(
    [
        None,
        *map(Decimal, ("-0.050", "0.005", "0.015", "0.045", "0.250", "0.450", "1.5", "2.450")),
    ]
)
RATIOS = st.sampled_from([None, -0.1, 0.1, 1 / 3, 0.7, 1e-7])
PARTS = st.tuples(NUMBERS, PRICES, RATIOS)


SHOWN = Decimal("1e-7")
"""So exactly MariaDB shows a quotient."""


def assert_near():
    """Each field holds what ``annotate()`` says, as near as the column has places for it."""
    rows = {row["id"]: row for row in Whole.objects.values()}
    for rule in rules_of(APPS):
        field = rule.field
        last_place = Decimal(10) ** -getattr(field, "decimal_places", 0)
        for pk, true in truth(Whole, rule.expression).items():
            held = rows[pk][field.name]
            if held is None or true is None:
                assert held is true, (rule.label, held, true)
            elif isinstance(field, FloatField):
                assert held == pytest.approx(float(true), abs=float(SHOWN)), (
                    rule.label,
                    held,
                    true,
                )
            else:
                assert abs(Decimal(held) - Decimal(true)) <= max(last_place, SHOWN), (
                    rule.label,
                    held,
                    true,
                )


@given(st.lists(PARTS, min_size=1, max_size=3), PARTS)
def test_what_has_left_is_gone(parts, then):
    with rolled_back():
        whole, other = Whole.objects.create(), Whole.objects.create()
        made = [
            Part.objects.create(whole=whole, number=number, price=price, ratio=ratio)
            for number, price, ratio in parts
        ]
        made[0].number, made[0].price, made[0].ratio = then
        made[0].save()
        assert_near()
        made[-1].whole = other
        made[-1].save()
        assert_near()
        made[0].delete()
        assert_near()


def test_the_only_quotient_that_has_left():
    whole = Whole.objects.create()
    Part.objects.create(whole=whole, number=3, price=Decimal("-0.050")).delete()

    assert Whole.objects.values_list("float_quotient", "long_quotient").get() == (None, None)


def test_the_only_half_that_has_left():
    whole = Whole.objects.create()
    Part.objects.create(whole=whole, number=5).delete()

    assert Whole.objects.values_list("half", "third").get() == (None, None)
