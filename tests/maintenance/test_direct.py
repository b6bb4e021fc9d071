"""The short way for rows that lead to their target by a key: what they count for is right, where
memory says it and where it does not.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection, models
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, Sum, Value
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThan

from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables

pytestmark = pytest.mark.django_db
APPS = own_apps("direct")


WITHOUT_CASE = {"sqlite": "NOCASE", "mysql": "utf8mb4_general_ci"}.get(connection.vendor)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "direct"


class Forum(Own):
    number = models.IntegerField(default=0)
    extreme = models.IntegerField(null=True)


class Talk(Own):
    forum = models.ForeignKey(Forum, models.CASCADE, null=True, related_name="talks")
    w = models.IntegerField(default=0)
    v = models.IntegerField(null=True)
    price = models.DecimalField(max_digits=9, decimal_places=2, default=0)
    text = models.CharField(max_length=9, default="")
    code = models.CharField(max_length=9, default="X", db_collation=WITHOUT_CASE)
    double = models.GeneratedField(
        expression=F("w") * 2, output_field=models.IntegerField(), db_persist=True
    )


class Answer(Own):
    talk = models.ForeignKey(Talk, models.CASCADE, related_name="answers")


@pytest.fixture(scope="module", autouse=True)
def made(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


ANSWERED = Exists(Answer.objects.filter(talk=OuterRef("talks__pk")))
COUNTED = {
    "a column that may be NULL": Count("talks__v"),
    "some of a column that may be NULL": Count("talks__v", filter=Q(talks__w__gt=2)),
    "text that is compared without case": Count("talks", filter=Q(talks__code="x")),
    "a generated column": Sum("talks__double", filter=Q(talks__double__gt=5)),
    "what is computed": Count(F("talks__w") + F("talks__v")),
    "a constant": Sum(Value(3), filter=Q(talks__w__gt=2)),
    "twice": Sum(F("talks__w") * 2),
    "a column with NULLs": Sum("talks__v"),
    "a condition that memory cannot tell": Sum("talks__w", filter=Q(talks__text__icontains="X")),
    "a condition between columns": Count("talks", filter=Q(talks__w__gt=F("talks__v"))),
    "a function in a condition": Count("talks", filter=GreaterThan(Length("talks__text"), 1)),
    "a lookup": Count("talks", filter=GreaterThan(F("talks__w"), 3)),
    "rows beyond": Count("talks", filter=ANSWERED),
    "more places than the column": Count("talks", filter=Q(talks__price__gte=Decimal("1.255"))),
    "keys": Sum("talks__pk"),
    "some keys": Count("talks", filter=Q(talks__pk__gt=1, talks__forum__gt=0)),
    "either": Count("talks", filter=Q(talks__w=3) | Q(talks__v=None)),
    "not": Count("talks", filter=~Q(talks__v=3)),
    "a difference of differences": Sum("talks__w", default=0)
    - (Count("talks") - Sum("talks__v", default=0)),
}
EXTREMES = {
    "the greatest": Max("talks__v"),
    "the greatest key": Max("talks__id"),
    "the least of some": Min("talks__v", filter=Q(talks__w__gt=2)),
    "the greatest that is computed": Max(F("talks__w") - F("talks__v")),
    "the least of some that memory cannot tell": Min("talks__w", filter=Q(talks__text__iexact="X")),
}
CASES = [("number", each) for each in COUNTED.values()] + [
    ("extreme", each) for each in EXTREMES.values()
]


def talks(**values):
    return Talk.objects.filter(**values)


def write(here, there):
    """A write in each of the ways, one after the other."""
    one = Talk.objects.create(forum=here, w=3, v=1, text="x")
    yield
    two = Talk.objects.create(forum=here, w=2, v=4, price="1.26")
    yield
    Talk.objects.bulk_create(
        [
            Talk(forum=forum, w=w, v=v, price=Decimal(w), text="xX"[: w - 1])
            for forum in (here, there, None)
            for w, v in ((1, None), (2, 3), (3, 3))
        ]
    )
    yield
    Talk.objects.bulk_create([Talk(forum=here, w=w, v=3) for w in (1, Value(2), 3)])
    yield
    for name, value in (("w", 5), ("v", None), ("text", "X"), ("forum", there), ("v", 3)):
        setattr(one, name, value)
        one.save()
        yield
    two.w, two.v, two.forum = 1, 2, there
    two.save()
    yield
    for values in (
        {"w": 4},
        {"v": 3},
        {"text": "xx"},
        {"price": 2},
        {"w": F("w") + 1},
        {"v": None},
    ):
        talks(forum=there, w__gt=1).update(**values)
        yield
    talks(forum=here, w__lt=3).update(forum=there, w=3)
    yield
    talks(forum=there).update(forum=None)
    yield
    talks(forum=None, v=None).update(forum=here, v=2)
    yield
    one.delete()
    yield
    talks(w__gte=3).delete()
    yield
    talks().delete()
    yield


@pytest.mark.parametrize(("name", "expression"), CASES, ids=[*COUNTED, *EXTREMES])
def test_all_ways_of_writing(name, expression):
    with kept([(Forum, name, expression)]):
        here, there = Forum.objects.create(), Forum.objects.create()

        for _ in write(here, there):
            assert_kept()


@pytest.mark.parametrize("way", ["create", "bulk_create", "save"])
def test_a_target_that_no_rule_reads_starts_right(way):
    with kept([(Forum, "number", Count("talks"))]):
        given = Forum(number=5)
        if way == "bulk_create":
            Forum.objects.bulk_create([given])
        elif way == "save":
            given.save()
        else:
            given = Forum.objects.create(number=5)

        assert_kept()
        assert given.number == 0
