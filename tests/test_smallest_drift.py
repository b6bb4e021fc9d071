"""Drift, as small as each kind of target can store it: it is found, and it is repaired; and what is
the same value in another form is no drift.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField, IntegerRangeField
from django.db import connection, models
from django.db.models import F, Max, QuerySet, Sum
from django.db.models.lookups import IsNull

from syncfields import reconcile, unsynced
from tests.ownmodels import kept, own_apps, tables

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2024, 2, 3, 12, tzinfo=dt.timezone.utc)
TICK = dt.timedelta(microseconds=1)
TENTH = dt.datetime(2024, 2, 3, 12, 0, 0, 100_000, tzinfo=dt.timezone.utc)
ANY = ("sqlite", "postgresql", "mysql")


@dataclass(frozen=True)
class Kind:
    """A kind of target, and pairs of values that are next to one another, or one is NULL."""

    name: str
    field: models.Field[Any, Any]
    apart: tuple[tuple[Any, Any], ...]
    same: tuple[tuple[Any, Any], ...] = ()
    """Two forms of one value."""
    ordered: bool = True
    """Whether every database knows the greatest."""
    vendors: tuple[str, ...] = ANY

    def __str__(self) -> str:
        return self.name


def decimal(digits: int, places: int) -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=digits, decimal_places=places, null=True)


LEAST = math.ulp(0.5)
KINDS = [
    Kind("integer", models.IntegerField(null=True), ((5, 6), (0, None), (None, 0))),
    Kind(
        "bigint",
        models.BigIntegerField(null=True),
        ((2**63 - 1, 2**63 - 2), (-(2**63), 1 - 2**63), (2**53 + 1, 2**53)),
    ),
    Kind("boolean", models.BooleanField(null=True), ((True, False), (False, None)), (), False),
    Kind(
        "decimal",
        decimal(6, 2),
        ((Decimal("1.20"), Decimal("1.21")), (Decimal(0), None), (None, Decimal(0))),
        ((Decimal("1.20"), Decimal("1.2")), (Decimal(0), Decimal("-0.00"))),
    ),
    Kind(
        "decimal(15,6)", decimal(15, 6), ((Decimal("99999999.999999"), Decimal("99999999.999998")),)
    ),
    Kind(
        "decimal(30,10)",
        decimal(30, 10),
        ((Decimal("12345678901234567890.1234567891"), Decimal("12345678901234567890.1234567892")),),
        vendors=("postgresql", "mysql"),
    ),
    Kind(
        "float",
        models.FloatField(null=True),
        (
            (0.5, 0.5 + LEAST),
            (0.1, 0.30000000000000004 - 0.2),
            (5e-300, 6e-300),
            (0.0, 1e-300),
            (0.0, None),
            (None, 0.0),
        ),
        ((0.0, -0.0),),
    ),
    Kind(
        "infinite float",
        models.FloatField(null=True),
        ((math.inf, 1.0), (1.0, math.inf), (math.inf, -math.inf), (math.inf, None)),
        ((math.inf, math.inf),),
        vendors=("sqlite", "postgresql"),
    ),
    Kind(
        "no number",
        models.FloatField(null=True),
        ((math.nan, 1.0), (1.0, math.nan), (math.nan, math.inf), (math.nan, None)),
        ((math.nan, math.nan),),
        vendors=("postgresql",),
    ),
    *(
        Kind(
            name,
            field,
            (
                ("a", "A"),
                ("a", "a "),
                ("a", "ä"),
                ("ss", "ß"),
                ("", None),
                (None, ""),
                ("a\n", "a"),
            ),
        )
        for name, field in (
            ("char", models.CharField(max_length=20, null=True)),
            ("text", models.TextField(null=True)),
        )
    ),
    Kind(
        "binary",
        models.BinaryField(null=True),
        ((b"a", b"A"), (b"a\0", b"a"), (b"", None)),
        (),
        False,
    ),
    Kind("date", models.DateField(null=True), ((NOON.date(), dt.date(2024, 2, 4)),)),
    Kind(
        "datetime",
        models.DateTimeField(null=True),
        ((NOON, NOON + TICK), (NOON + TICK, NOON), (TENTH, TENTH + TICK), (NOON, None)),
    ),
    Kind(
        "time",
        models.TimeField(null=True),
        ((dt.time(9), dt.time(9, 0, 0, 1)), (dt.time(9, 0, 0, 1), dt.time(9)), (dt.time(0), None)),
    ),
    Kind(
        "duration",
        models.DurationField(null=True),
        (
            (dt.timedelta(0), TICK),
            (dt.timedelta(0), None),
            (dt.timedelta(40_000) + TICK, dt.timedelta(40_000)),
        ),
    ),
    Kind("uuid", models.UUIDField(null=True), ((uuid.UUID(int=1), uuid.UUID(int=2)),), (), False),
    Kind(
        "address",
        models.GenericIPAddressField(null=True),
        (("10.0.0.1", "10.0.0.2"), ("::1", "::2"), ("::1", None)),
        (("::1", "0:0:0:0:0:0:0:1"),),
    ),
    Kind(
        "json",
        models.JSONField(null=True),
        (
            ({"a": 1}, {"a": 2}),
            ({"a": 1}, {"A": 1}),
            ({"a": "x"}, {"a": "X"}),
            ({"a": "x"}, {"a": "x "}),
            ({"a": None}, {}),
            ([1, 2], [2, 1]),
            ("", None),
            (models.Value(None, models.JSONField()), None),
            (None, models.Value(None, models.JSONField())),
            ({"a": True}, {"a": 1}),
            ({"a": "1"}, {"a": 1}),
        ),
        (),
        False,
    ),
    Kind(
        "jsonb",
        models.JSONField(null=True),
        (({"a": 1, "b": 2}, {"a": 2, "b": 1}),),
        (({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}})),
        False,
        vendors=("postgresql",),
    ),
    Kind(
        "array",
        ArrayField(models.CharField(max_length=5), null=True),
        ((["a"], ["A"]), (["a", "b"], ["b", "a"]), ([], None), (["a"], ["a", None])),
        vendors=("postgresql",),
    ),
    Kind(
        "range",
        IntegerRangeField(null=True),
        (((1, 3), (1, 4)), ((1, None), (1, 4)), ((1, 3), None)),
        (),
        False,
        vendors=("postgresql",),
    ),
]
FLOAT = next(kind for kind in KINDS if kind.name == "float")


@dataclass(frozen=True)
class World:
    source: Any
    target: Any
    """Copies from a source, and has the greatest and the least of those that refer to it."""


def world_of(number: int, kind: Kind) -> World:
    apps = own_apps("drift")

    def model(name: str, **attributes: Any) -> Any:
        table = f"drift_{name}_{number}".lower()
        meta = type("Meta", (), {"app_label": "drift", "apps": apps, "db_table": table})
        return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **attributes})

    source = model("Source", value=kind.field.clone())
    target = model(
        "Target",
        source=models.ForeignKey(source, models.CASCADE, related_name="targets"),
        copy=kind.field.clone(),
        high=kind.field.clone(),
    )
    return World(source, target)


@pytest.fixture(scope="module")
def worlds(django_db_setup, django_db_blocker):
    made = {
        kind.name: world_of(number, kind)
        for number, kind in enumerate(KINDS)
        if connection.vendor in kind.vendors
    }
    with tables(django_db_blocker, [m for w in made.values() for m in (w.source, w.target)]):
        yield made


def rules_of(kind, world):
    """The copy, and the greatest of one row, which is that row's."""
    rules = [(world.target, "copy", F("source__value"))]
    return [*rules, (world.target, "high", Max("source__value"))] if kind.ordered else rules


def chosen(kind, worlds):
    if kind.name not in worlds:
        pytest.skip(f"not on {connection.vendor}")
    return worlds[kind.name]


def read(targets, name):
    """As the database gives them, with NULL and the JSON null apart."""
    found = QuerySet(targets.model).annotate(_is_null=IsNull(F(name), True))
    return set(map(repr, found.values_list(name, "_is_null")))


@contextmanager
def rows_with(world, value, number):
    """So many targets of one source, while the test looks at them."""
    source = world.source.objects.create(value=value)
    world.target.objects.bulk_create(world.target(source=source) for _ in range(number))
    yield world.target.objects.all()
    QuerySet(world.target).delete()


def drift_of(targets, name, value):
    """What is wrong with how a wrong value is found and repaired."""
    right = read(targets, name)
    with unsynced():
        targets.update(**{name: value})
    if read(targets, name) == right:
        yield "the database does not tell them apart"
    number = targets.count()
    looked, done, again = (reconcile(targets.model, check=check) for check in (True, False, True))
    found = looked.drifted, done.repaired, again.drifted
    if found != (number, number, 0):
        yield found
    if read(targets, name) != right:
        yield f"{read(targets, name)} is left"


ONE_BY_ONE, TOGETHER = 1, 30
"""So many rows are given values, or evaluated by the UPDATE."""


@pytest.mark.parametrize("number", [ONE_BY_ONE, TOGETHER])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_smallest_drift_is_found_and_repaired(kind, number, worlds):
    world = chosen(kind, worlds)
    rules = rules_of(kind, world)
    wrong = []
    with kept(rules):
        for true, other in kind.apart:
            with rows_with(world, true, number) as targets:
                if drifted := reconcile(world.target, check=True).drifted:
                    wrong.append((true, f"{drifted} have drifted"))
                for _, name, _ in rules:
                    wrong += [(name, true, other, each) for each in drift_of(targets, name, other)]

    assert wrong == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.same], ids=str)
def test_another_form_of_the_same_value_is_no_drift(kind, worlds):
    world = chosen(kind, worlds)
    rules = rules_of(kind, world)
    wrong = []
    with kept(rules):
        for true, other in kind.same:
            with rows_with(world, true, 1) as targets:
                with unsynced():
                    targets.update(**{name: other for _, name, _ in rules})
                if reconcile(world.target, check=True).drifted:
                    wrong.append((true, other))

    assert wrong == []


def test_floats_are_added_up_with_a_tolerance(worlds):
    world = chosen(FLOAT, worlds)
    with kept([(world.source, "value", Sum("targets__copy"))]):
        source = world.source.objects.create()
        world.target.objects.create(source=source, copy=0.1)
        world.target.objects.create(source=source, copy=0.2)
        for wrong, drifted in ((0.3, 0), (0.3000001, 1), (0.0, 1), (None, 1)):
            with unsynced():
                world.source.objects.update(value=wrong)

            assert reconcile(world.source).repaired == drifted, wrong


@pytest.mark.parametrize("total", [1e-320, 1e308])
def test_the_smallest_and_the_largest_sum_can_be_compared(worlds, total):
    world = chosen(FLOAT, worlds)
    with kept([(world.source, "value", Sum("targets__copy"))]):
        source = world.source.objects.create()
        world.target.objects.create(source=source, copy=total)

        assert reconcile(world.source, check=True).drifted == 0


@pytest.mark.parametrize("total", [math.inf, -math.inf, math.nan])
def test_a_sum_that_is_no_finite_number(worlds, total):
    world = chosen(FLOAT, worlds)
    if connection.vendor == "mysql" or (math.isnan(total) and connection.vendor == "sqlite"):
        pytest.skip(f"{connection.vendor} does not store it")
    with kept([(world.source, "value", Sum("targets__copy"))]):
        source = world.source.objects.create()
        world.target.objects.create(source=source, copy=total)
        assert reconcile(world.source, check=True).drifted == 0
        with unsynced():
            world.source.objects.update(value=1.0)

        assert reconcile(world.source).repaired == 1
        assert reconcile(world.source, check=True).drifted == 0
