"""What is known of a new row before it is there: a table, and no database."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import (
    Aggregate,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Concat, Length, Lower
from django.db.models.lookups import Exact
from django.test.utils import isolate_apps

from syncfields.declare.rules import Declaration, Rule
from syncfields.plan import newborn
from syncfields.plan.compiler import compile_rules


@pytest.fixture(scope="module")
def world():
    """A box of a room, with toys; and a crate, which is a box."""
    with isolate_apps("django.contrib.contenttypes", "tests.firsts"):

        class Room(models.Model):
            name = models.CharField(max_length=9)
            size = models.IntegerField(default=0)

            class Meta:
                app_label = "firsts"

        class Box(models.Model):
            room = models.ForeignKey(Room, models.CASCADE, related_name="boxes")
            size = models.IntegerField(default=0)
            code = models.CharField(max_length=9, unique=True)
            number = models.IntegerField(null=True)
            text = models.TextField(null=True)

            class Meta:
                app_label = "firsts"

        class Crate(Box):
            n = models.IntegerField(null=True)

            class Meta:
                app_label = "firsts"

        class Toy(models.Model):
            box = models.ForeignKey(Box, models.CASCADE, related_name="toys")
            loose = models.ForeignKey(
                Box, models.CASCADE, db_constraint=False, related_name="loose_toys"
            )
            coded = models.ForeignKey(
                Box, models.CASCADE, to_field="code", related_name="coded_toys"
            )
            kinds = models.ManyToManyField(Box, related_name="kinds")
            w = models.IntegerField(null=True)

            class Meta:
                app_label = "firsts"

        class Row(models.Model):
            box = models.ForeignKey(Box, models.DO_NOTHING, related_name="rows")

            class Meta:
                app_label = "firsts"
                managed = False

        yield {"Room": Room, "Box": Box, "Crate": Crate, "Toy": Toy, "Row": Row}


def start(world, expression, model="Box", name="number", inserted=(), **options):
    rule = Rule(world[model], name, Declaration(expression, **options))
    plan, errors = compile_rules([rule])
    assert errors == []
    found = [newborn.find_start(each, inserted) for each in plan.maintenances]
    certain = all(each.certain for each in found)
    ((constants, rows),) = {
        (tuple(map(repr, each.constants.values())), tuple(map(repr, each.rows.values())))
        for each in found
    }
    return (*constants, *rows), certain


class Other(Aggregate):
    function = "MAX"
    output_field = IntegerField()


ZERO, NULL = "Value(0)", "Value(None)"
KNOWN = {
    # Aggregates over rows that must refer to the new one.
    "a count": (Count("toys"), ZERO),
    "over two relations": (Count("toys__kinds"), ZERO),
    "many-to-many": (Count("kinds"), ZERO),
    "what differs": (Count("toys__w", distinct=True), ZERO),
    "a maximum": (Max("toys__w"), NULL),
    "with a default": (Max("toys__w", default=5), "Value(5)"),
    "with a default that is a Value": (Max("toys__w", default=Value(5)), "Value(5)"),
    "arithmetic": (Max(F("toys__w") * F("size")), NULL),
    "with any filter": (Max("toys__w", filter=~Q(room__size=F("size"))), NULL),
    # What is left is made of the row, and of rows next to it.
    "with an own column": (
        Coalesce(Max("toys__w"), 0) - F("size"),
        "<CombinedExpression: Coalesce(Value(None), Value(0)) - F(size)>",
    ),
    "a copy": (F("room__size"), "F(room__size)"),
    "with a condition": (
        Case(When(room__size=1, then=F("size")), default=0),
        "<Case: CASE WHEN <Q: (AND: ('room__size', 1))> THEN F(size), ELSE Value(0)>",
    ),
    "a function": (Length(Lower("room__name")), "Length(Lower(F(room__name)))"),
}


@pytest.mark.parametrize("case", KNOWN)
def test_what_is_certain(world, case):
    expression, expected = KNOWN[case]

    assert start(world, expression) == ((expected,), True)


UNCERTAIN = {
    "no constraint": (Count("loose_toys"), ZERO),
    "a key that is not the primary one": (Count("coded_toys"), None),
    "a table of somebody else": (Count("rows"), ZERO),
    "a relation forwards": (Count("room__boxes"), None),
    "there and back": (Max("room__boxes__size"), None),
    "not NULL without rows": (Sum(Coalesce("toys__w", 1)), None),
    "a default that is not constant": (Max("toys__w", default=F("size")), None),
    "another aggregate": (Other("toys__w"), None),
}


@pytest.mark.parametrize("case", UNCERTAIN)
def test_what_is_not_certain(world, case):
    expression, presumed = UNCERTAIN[case]

    assert start(world, expression) == (() if presumed is None else (presumed,), False)


OPAQUE = {
    "raw SQL": RawSQL("(SELECT size FROM firsts_room WHERE id = room_id)", (), IntegerField()),
    "a template": Func(
        "room__size", template="size + %(expressions)s", output_field=IntegerField()
    ),
    "a negated condition": Case(When(~Q(room__name="x"), then=F("size")), default=0),
    "a condition in a list": Case(When(room__size__in=[F("size")], then=1), default=0),
}


@pytest.mark.parametrize("case", OPAQUE)
def test_what_cannot_be_looked_into(world, case):
    expression = ExpressionWrapper(OPAQUE[case], output_field=IntegerField())

    assert start(world, expression, depends_on=("room",)) == ((), False)


CASE = "<Case: CASE WHEN {} THEN Value(1), ELSE Value(0)>"
SUBQUERIES = {
    "exists": (lambda toys: Exists(toys.filter(box=OuterRef("pk"))), "Value(False)"),
    "not exists": (lambda toys: ~Exists(toys.filter(box=OuterRef("pk"))), "Value(True)"),
    "with more": (lambda toys: Exists(toys.filter(box=OuterRef("id"), w__gt=1)), "Value(False)"),
    "turned": (lambda toys: Exists(toys.filter(Exact(OuterRef("pk"), F("box")))), "Value(False)"),
    "by another key": (lambda toys: Exists(toys.filter(coded=OuterRef("code"))), None),
    "with a table of its own": (
        lambda toys: Exists(toys.filter(box=OuterRef("pk")).extra(tables=["firsts_room"])),
        None,
    ),
    "either": (
        lambda toys: Exists(toys.filter(Q(box=OuterRef("pk")) | Q(w=OuterRef("size")))),
        None,
    ),
    "not those": (lambda toys: Exists(toys.exclude(box=OuterRef("pk"))), None),
    "greater": (lambda toys: Exists(toys.filter(box__gt=OuterRef("pk"))), None),
    "no key": (lambda toys: Exists(toys.filter(w=OuterRef("pk"))), None),
    "of the row alone": (lambda toys: Exists(toys.filter(Exact(OuterRef("size"), 5))), None),
    "of the room": (lambda toys: Exists(toys.filter(box__room=OuterRef("room"))), None),
}


@pytest.mark.parametrize("case", SUBQUERIES)
def test_subqueries(world, case):
    make, expected = SUBQUERIES[case]
    expression = Case(When(make(world["Toy"].objects.all()), then=1), default=0)
    known, certain = start(world, expression, depends_on=("toys", "loose_toys"))

    assert certain is (expected is not None)
    assert known == (() if expected is None else (CASE.format(expected),))


@pytest.mark.parametrize(("model", "name"), [("Toy", "loose"), ("Row", "box")])
def test_a_subquery_by_a_key_that_may_dangle(world, model, name):
    rows = world[model].objects.filter(**{name: OuterRef("pk")})
    expression = Case(When(Exists(rows), then=1), default=0)

    known, certain = start(world, expression, depends_on=("loose_toys", "rows"))

    assert (known, certain) == ((CASE.format("Value(False)"),), False)


def test_a_subquery_of_one_value(world):
    toys = world["Toy"].objects.filter(box=OuterRef("pk"))
    counted = toys.annotate(n=Func(F("pk"), function="COUNT", output_field=IntegerField()))

    grouped = toys.values("box").annotate(n=Count("pk")).values("n")
    for query in (toys.order_by("w").values("w")[:1], grouped):
        assert start(world, Subquery(query), depends_on=("toys",)) == ((NULL,), True)
    assert start(world, Subquery(counted.values("n")), depends_on=("toys",)) == ((), False)


def test_a_parent_that_was_inserted_with_the_row(world):
    parent = {world["Box"]}

    assert start(world, Count("toys"), "Crate", "n") == ((), False)
    assert start(world, Count("toys"), "Crate", "n", parent) == ((ZERO,), True)


def test_text_of_the_row_itself(world):
    together = Concat("room__name", Value(" "), "code", output_field=TextField())

    ((known,), certain) = start(world, together, name="text")

    assert certain
    assert known.startswith("Concat(")
