"""The UPDATE that adds to targets, compared with plain arithmetic."""

from __future__ import annotations

import uuid
from decimal import Decimal
from random import Random

import pytest
from django.db import models
from django.db.models import Count, QuerySet, Sum
from hypothesis import given
from hypothesis import strategies as st

from syncfields import synced
from syncfields.sql import statements
from syncfields.targets import writing
from syncfields.targets.shapes import kind_of
from syncfields.targets.updates import Update
from tests.ownmodels import assert_kept, kept_by, own_apps
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

APPS = own_apps("additions")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "additions"


class ByNumber(Own):
    count = synced(models.PositiveIntegerField(default=0), Count("parts"))
    balance = synced(models.IntegerField(default=0), Sum("parts__size"))
    money = synced(
        models.DecimalField(max_digits=14, decimal_places=2, default=0), Sum("parts__money")
    )


class ByUuid(Own):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    count = synced(models.PositiveIntegerField(default=0), Count("parts"))
    balance = synced(models.IntegerField(default=0), Sum("parts__size"))
    money = synced(
        models.DecimalField(max_digits=14, decimal_places=2, default=0), Sum("parts__money")
    )


class NumberPart(Own):
    whole = models.ForeignKey(ByNumber, models.CASCADE, related_name="parts")
    size = models.IntegerField(default=0)
    money = models.DecimalField(max_digits=14, decimal_places=2, default=0)


class UuidPart(Own):
    whole = models.ForeignKey(ByUuid, models.CASCADE, related_name="parts")
    size = models.IntegerField(default=0)
    money = models.DecimalField(max_digits=14, decimal_places=2, default=0)


NAMES = ("count", "balance", "money")
FEW = writing.COMPILED_ROWS


def value_of(name, number):
    return Decimal(number) / 4 if name == "money" else number


@given(
    number=st.sampled_from([1, 2, 3, 4, 5, 8, FEW - 1, FEW, FEW + 1, FEW + 6, 2 * FEW, 150]),
    kinds=st.tuples(*[st.sampled_from([0, 1, 2, 3, 4, 7, 8, FEW, FEW + 6])] * len(NAMES)),
    some=st.tuples(*[st.sampled_from([0.03, 0.5, 0.97, 1])] * len(NAMES)),
    random=st.integers(0, 10**6).map(Random),
    target=st.sampled_from([ByNumber, ByUuid]),
)
def test_what_is_added_is_what_was_given(number, kinds, some, random, target):
    with rolled_back():
        QuerySet(target).bulk_create(target() for _ in range(number))
        pks = sorted(QuerySet(target).values_list("pk", flat=True))
        start = {name: value_of(name, 1000) for name in NAMES}
        statements.update(QuerySet(target), start).update()
        deltas = {pk: {} for pk in pks}
        for name, kind, share in zip(NAMES, kinds, some, strict=True):
            amounts = [value_of(name, random.randint(-99, 99)) for _ in range(kind)]
            for pk in pks:
                if amounts and random.random() < share:
                    deltas[pk][name] = random.choice(amounts)
        deltas = {pk: row for pk, row in deltas.items() if any(row.values())}
        if not deltas:
            return

        added = writing.write("default", Update(target, deltas)).number

        assert added == len(deltas)
        for row in QuerySet(target).values("pk", *NAMES):
            given_ = deltas.get(row["pk"], {})
            expected = {name: start[name] + given_.get(name, 0) for name in NAMES}
            assert {name: row[name] for name in NAMES} == expected


@pytest.mark.parametrize("different", [1, 2, 3, 4])
def test_many_targets_of_which_some_lose_nothing_of_one_count(different):
    wholes = ByNumber.objects.bulk_create(ByNumber() for _ in range(FEW + 6))
    NumberPart.objects.bulk_create(
        NumberPart(whole=whole, size=(number > 0) * (number % different + 1))
        for number, whole in enumerate(wholes)
    )
    assert_kept()

    NumberPart.objects.filter(pk__gt=0).delete()

    assert_kept()


def test_a_statement_is_for_as_many_rows_as_it_was_compiled_for():
    """Of a row that is named nothing may be left to write; it is counted all the same."""
    one, two = (
        Update(ByNumber, {pk: {} for pk in pks} | {1: {"total": 2}}) for pks in ([1], [1, 2])
    )

    assert kind_of(one)[0] != kind_of(two)[0]
