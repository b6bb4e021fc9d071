"""Shapes of rules that no model of the zoo has, each with all ways of writing."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import models
from django.db.models import Avg, Count, F, Max, Min, Q, Sum, Value
from django.db.models.functions import Coalesce, Concat

from syncfields import coalesce, reconcile, unsynced
from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables

pytestmark = pytest.mark.django_db
APPS = own_apps("shapes")
DAY = dt.date(2024, 2, 3)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "shapes"


class Place(Own):
    name = models.CharField(max_length=20, default="")


class Owner(Own):
    """Each column that keys refer to is only unique, by itself or by a constraint."""

    name = models.CharField(max_length=20, default="")
    number = models.IntegerField(unique=True)
    code = models.UUIDField(unique=True)
    born = models.DateField(unique=True)
    constrained = models.IntegerField()
    rate = models.IntegerField(default=0)
    some = models.IntegerField(default=0)
    n = models.IntegerField(default=0)
    maybe = models.IntegerField(null=True)
    narrow = models.DecimalField(max_digits=8, decimal_places=1, default=0)
    wide = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    share = models.FloatField(null=True)

    class Meta(Own.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["constrained"], name="shapes_constrained")]


def key(**options):
    return models.ForeignKey(Owner, models.CASCADE, null=True, **options)


class Kid(Own):
    owner = key(related_name="kids")
    by_number = key(to_field="number", related_name="by_number")
    by_code = key(to_field="code", related_name="by_code")
    by_born = key(to_field="born", related_name="by_born")
    loose = key(db_constraint=False, related_name="loose")
    loose_number = key(db_constraint=False, to_field="number", related_name="loose_number")
    constrained = key(to_field="constrained", related_name="constrained_kids")
    place = models.ForeignKey(Place, models.CASCADE, null=True, related_name="kids")
    w = models.IntegerField(null=True)
    v = models.IntegerField(default=1)
    price = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    full_name = models.CharField(max_length=50, default="")
    owners_name = models.CharField(max_length=20, null=True)


KEYS = ("owner", "by_number", "by_code", "by_born", "loose", "loose_number", "constrained")
RELATIONS = {
    "owner": "kids",
    "constrained": "constrained_kids",
    **{name: name for name in KEYS[1:-1]},
}


@pytest.fixture(scope="module", autouse=True)
def made(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def owner(number, **values):
    return Owner.objects.create(
        number=number,
        code=uuid.UUID(int=number),
        born=DAY + dt.timedelta(number),
        constrained=number,
        **{"name": f"o{number}", "rate": number, **values},
    )


def play(key="owner", prices=("1.125", "2.250", "0.045")):
    """Every way of writing; says each time what was done."""
    one, two, three = (owner(number) for number in (1, 2, 3))
    here, there = (Place.objects.create(name=name) for name in ("x", "y"))
    yield "owners"
    kids = [
        Kid.objects.create(**{key: parent, "place": place, "w": w, "price": Decimal(price)})
        for parent, place, w, price in zip(
            (one, one, two), (here, None, there), (4, None, 7), prices, strict=True
        )
    ]
    yield "create()"
    Kid(**{key: None, "place": there, "w": 5}).save()
    yield "save() of one without owner"
    Kid.objects.bulk_create(
        Kid(**{key: parent, "place": here, "w": w, "v": 3, "price": Decimal(prices[0])})
        for parent, w in ((one, 1), (two, None), (None, 2), (three, 9))
    )
    yield "bulk_create()"
    for changes in ({"w": 40}, {key: two}, {key: None, "w": None}, {key: three, "v": 8}, {"w": 0}):
        for name, value in changes.items():
            setattr(kids[0], name, value)
        kids[0].price += Decimal("0.111")
        kids[0].save()
        yield f"save() of {changes}"
    kids[1].place = here
    kids[1].save(update_fields=["place"])
    yield "save() of one field"
    Kid.objects.filter(w__gt=4).update(w=F("w") + 1, v=2)
    yield "update()"
    Kid.objects.filter(place=here).update(**{f"{key}_id": getattr(two, KEY_OF.get(key, "pk"))})
    yield "update() of the key"
    changed = list(Kid.objects.order_by("pk"))
    for kid, parent in zip(changed, (one, three, None, two) * 2, strict=False):
        setattr(kid, key, parent)
        kid.price += 1
        kid.w = 6
    Kid.objects.bulk_update(changed, [key, "price", "w"])
    yield "bulk_update()"
    getattr(one, RELATIONS[key]).set(changed[:3])
    yield "set()"
    one.rate, one.name, there.name = 50, "new", "z"
    one.save()
    there.save()
    yield "save() of what is referred to"
    Owner.objects.update(rate=F("rate") * 2, name=Concat("name", Value("!")))
    Place.objects.update(name=Concat("name", Value("?")))
    yield "update() of what is referred to"
    with coalesce():
        Kid.objects.create(**{key: one, "w": 3})
        changed[0].w = 99
        changed[0].save()
        changed[1].delete()
    yield "coalesce()"
    with unsynced(reconcile=True):
        Kid.objects.create(**{key: two, "w": 5, "place": here})
        Kid.objects.filter(**{key: three}).update(w=8)
    yield "unsynced(reconcile=True)"
    Kid.objects.update_or_create(w=99, defaults={"v": 11, key: three})
    Kid.objects.get_or_create(w=98, **{key: three})
    yield "update_or_create()"
    Kid.objects.filter(**{key: three})[0].delete()
    yield "delete()"
    Kid.objects.filter(w__lt=6).delete()
    yield "delete() of a queryset"
    two.delete()
    here.delete()
    yield "cascades"
    Owner.objects.all().delete()
    yield "delete() of all"


KEY_OF = {
    "by_number": "number",
    "by_code": "code",
    "by_born": "born",
    "loose_number": "number",
    "constrained": "constrained",
}


def assert_played(rules, check=assert_kept, **options):
    with kept(rules):
        for done in play(**options):
            try:
                check()
            except AssertionError as wrong:
                raise AssertionError(f"after {done}: {wrong}") from None
            assert reconcile(check=True).drifted == 0, done


def assert_rounded(name, expression):
    """The truth to the decimal places of the field, as the database rounds."""
    places = Owner._meta.get_field(name).decimal_places
    half = Decimal(1).scaleb(-places) / 2 + Decimal("1e-9")
    for pk, held, true in Owner.objects.annotate(_true=expression).values_list("pk", name, "_true"):
        assert abs(held - (true or 0)) <= half, (pk, held, true)


COUNT, SUM = Count("kids"), Sum("kids__v", default=0)
FILTERED = Count("kids", filter=Q(kids__w__gt=3))
SHAPES = {
    "a - (b - c)": ("n", COUNT - (SUM - FILTERED)),
    "(a - b) - c": ("n", (COUNT - SUM) - FILTERED),
    "a - (b - (a - c))": ("n", COUNT - (SUM - (COUNT - FILTERED))),
    "a - (b + c)": ("n", COUNT - (SUM + FILTERED)),
    "Sum(default=5)": ("n", Sum("kids__w", default=5)),
    "Sum(default=5) that can be NULL": ("maybe", Sum("kids__w", default=5)),
    "Sum() that can be NULL": ("maybe", Sum("kids__w")),
    "a sum of such": ("n", Sum("kids__w", default=5) + Sum("kids__v", default=-1)),
    "Coalesce(Sum(), 5)": ("n", Coalesce(Sum("kids__w"), 5)),
    "Max(default=-1)": ("n", Max("kids__w", default=-1)),
    "Min() that can be NULL": ("maybe", Min("kids__w")),
    "an own column and a count": ("n", F("rate") + COUNT),
    "a count and an own column": ("n", COUNT - F("rate")),
    "an own column times a sum": ("n", F("rate") * SUM),
    "an own column and an extreme": ("n", Coalesce(Max("kids__w"), F("rate"))),
    "an own column in a filter": ("n", Count("kids", filter=Q(kids__w__gt=F("rate")))),
    "times a number": ("n", COUNT * 2 - 1),
    "an average beside a count": ("share", Coalesce(Avg("kids__w"), 0.0) - COUNT),
}
DECIMALS = {
    "a sum of wider ones": ("narrow", Sum("kids__price")),
    "a sum of wider ones that are multiplied": ("narrow", Sum(F("kids__price") * F("kids__v"))),
    "the largest of wider ones": ("narrow", Max("kids__price", default=Decimal(0))),
    "a sum of narrower ones": ("wide", Sum("kids__price")),
    "an average": ("narrow", Coalesce(Avg("kids__price"), Decimal(0))),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_aggregates(shape):
    name, expression = SHAPES[shape]

    assert_played([(Owner, name, expression)])


@pytest.mark.parametrize("prices", [("1.125", "2.250", "0.045"), ("-0.050", "0.149", "99.951")])
@pytest.mark.parametrize("case", DECIMALS)
def test_decimals_with_other_places_than_the_field(case, prices):
    name, expression = DECIMALS[case]

    assert_played(
        [(Owner, name, expression)], lambda: assert_rounded(name, expression), prices=prices
    )


COPIES = {
    "two keys": Concat("owner__name", Value(" "), "place__name"),
    "two keys, with a fallback": Concat(
        Coalesce("owner__name", Value("-")), Coalesce("place__name", Value("-"))
    ),
    "two keys to one model": Concat("owner__name", "loose__name"),
}


@pytest.mark.parametrize("case", COPIES)
def test_a_copy_along_two_keys(case):
    assert_played([(Kid, "full_name", COPIES[case])])


@pytest.mark.parametrize("name", KEYS)
def test_a_key_to_what_is_only_unique_or_without_a_constraint(name):
    relation = RELATIONS[name]
    rules = [
        (Owner, "n", Count(relation)),
        (Owner, "maybe", Max(f"{relation}__w")),
        (Owner, "some", Count(relation, filter=Q(**{f"{relation}__v__gt": 2}))),
        (Kid, "owners_name", F(f"{name}__name")),
    ]
    assert_played(rules, key=name)
