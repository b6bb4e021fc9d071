"""What is proven is proven of Django's own classes, one by one; all else goes the slow way."""

from __future__ import annotations

import inspect
import json as plain_json

import pytest
from django.db import models
from django.db.models import Case, Count, F, Func, Max, Q, Value, When, lookups
from django.db.models import functions as django_functions
from django.db.models.expressions import CombinedExpression
from django.db.models.fields import json, related_lookups, tuple_lookups
from django.db.models.functions import Coalesce, Concat, Length, Lower, Trim, Upper
from django.db.models.lookups import GreaterThan

from syncfields import reconcile
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan import newborn
from syncfields.plan.compiler import compile_rules
from syncfields.sql.proven import LOOKUPS, OTHER_FUNCTIONS, STRICT_FUNCTIONS, is_one_of
from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables

APPS = own_apps("proven")
# They look at the time, at chance, or at other rows.
NOT_LISTED = {"Now", "Random", "UUID4", "UUID7"} | {
    name
    for name in django_functions.__all__
    if getattr(getattr(django_functions, name), "window_compatible", False)
}
ABSTRACT = {
    lookups.BuiltinLookup,
    lookups.FieldGetDbPrepValueMixin,
    lookups.PatternLookup,
    lookups.PostgresOperatorLookup,
    lookups.YearLookup,
    json.HasKeyLookup,
}


def test_each_function_of_django_is_listed_or_known_to_be_missing():
    listed = {each.__name__ for each in STRICT_FUNCTIONS | OTHER_FUNCTIONS}

    assert listed - {"KeyTransform", "KeyTextTransform"} == (
        set(django_functions.__all__) - NOT_LISTED
    )


def test_each_lookup_of_django_is_listed():
    found = {
        each
        for module in (lookups, json, related_lookups, tuple_lookups)
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, lookups.Lookup)
        and each.__module__ == module.__name__
    }

    assert found - ABSTRACT - {lookups.Lookup} == LOOKUPS


class Doubled(models.Transform):
    """NULL is 2, which no operator of SQL makes of it."""

    template = "COALESCE(%(expressions)s, 1) * 2"
    output_field = models.IntegerField()


class Inverted(CombinedExpression):
    """Says that it adds, and subtracts."""

    def __init__(self, lhs, connector, rhs, output_field=None):
        super().__init__(lhs, "-", rhs, output_field)


class Largest(Max):
    """As an aggregate of somebody else."""


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "proven"


class Decoder(plain_json.JSONDecoder):
    """Gives other documents than are stored."""

    def __init__(self, **options):
        super().__init__(object_pairs_hook=lambda pairs: {"read": dict(pairs)}, **options)


class Parent(Own):
    name = models.CharField(max_length=20, default="")
    data = models.JSONField(default=dict)
    coded = models.JSONField(default=dict, decoder=Decoder)
    n = models.IntegerField(null=True)
    m = models.IntegerField(default=0)


class Kid(Own):
    parent = models.ForeignKey(Parent, models.CASCADE, null=True, related_name="kids")
    w = models.IntegerField(null=True)
    text = models.CharField(max_length=60, null=True)
    data = models.JSONField(null=True)
    coded = models.JSONField(null=True, decoder=Decoder)


@pytest.fixture(scope="module", autouse=True)
def made(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def test_a_subclass_and_what_is_given_a_template_are_not_proven():
    assert is_one_of(Lower("text"), STRICT_FUNCTIONS)
    for each in (
        Lower("text", function="MINE"),
        Lower("text", template="(SELECT 1)"),
        type("Mine", (Lower,), {})("text"),
        Func("text", function="LOWER"),
    ):
        assert not is_one_of(each, STRICT_FUNCTIONS)


UNPROVEN = {
    "a transform over kids": (Parent, "n", Largest(Doubled("kids__w"))),
    "an aggregate": (Parent, "n", Largest("kids__w")),
    "an operator": (Parent, "n", Max(Inverted(F("kids__w"), "+", F("kids__id")))),
    "a transform in an aggregate": (Parent, "n", Max(Doubled("kids__w"))),
    "a condition": (Parent, "m", Count("kids", filter=GreaterThan(Doubled("kids__w"), 4))),
    "a function": (
        Parent,
        "m",
        Count("kids", filter=Q(GreaterThan(Func("kids__w", Value(9), function="COALESCE"), 4))),
    ),
    "a template": (
        Parent,
        "m",
        Count("kids", filter=Q(GreaterThan(Length("kids__text", template="7"), 4))),
    ),
    "a function in a copy": (Kid, "text", Func("parent__name", function="UPPER")),
    "another name of a function": (Kid, "text", Lower("parent__name", function="UPPER")),
    "a subclass in a copy": (Kid, "text", type("Mine", (Upper,), {})("parent__name")),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", UNPROVEN)
def test_what_is_not_proven_is_evaluated(case):
    model, name, expression = UNPROVEN[case]
    plan, errors = compile_rules([Rule(model, name, Declaration(expression))])
    assert errors == []
    (maintenance,) = plan.maintenances
    assert maintenance.kind in ("recompute", "copy")
    # An aggregate that ignores NULL is certainly empty, whatever its filter says.
    assert newborn.start(maintenance).certain is (name == "m")

    with kept([(model, name, expression)]):
        one, two = Parent.objects.create(name="a"), Parent.objects.create(name="b")
        assert_kept()
        for parent in (one, two, one):
            kid = Kid.objects.create(parent=parent, w=parent.pk)
            assert_kept()
        Kid.objects.create(parent=two)
        assert_kept()
        kid.w, kid.parent = 7, two
        kid.save()
        assert_kept()
        Kid.objects.bulk_create([Kid(parent=one), Kid(parent=two, w=3), Kid()])
        assert_kept()
        Kid.objects.filter(w=None).update(w=5)
        assert_kept()
        Parent.objects.update(name="c")
        assert_kept()
        kid.delete()
        Kid.objects.filter(parent=one).delete()
        assert_kept()


PROVEN = {
    "a function": Upper("parent__name"),
    "functions": Concat(Trim("parent__name"), Value("-"), Lower("parent__name")),
    "a condition": Case(When(parent__m__gt=1, then=F("parent__name")), default=Value("")),
    "a fallback": Coalesce("parent__name", Value("")),
}


@pytest.mark.parametrize("case", PROVEN)
def test_what_is_proven_starts_with_its_value(case):
    plan, errors = compile_rules([Rule(Kid, "text", Declaration(PROVEN[case]))])

    assert errors == []
    assert [newborn.start(each).certain for each in plan.maintenances] == [True]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "source"),
    [("data", "data"), ("coded", "coded"), ("data", "coded"), ("coded", "data")],
)
def test_json_that_code_of_the_user_reads_is_copied_as_it_is_stored(name, source):
    with kept([(Kid, name, F(f"parent__{source}"))]):
        parent = Parent.objects.create(**{source: {"a": {"b": 1}}})

        Kid.objects.create(parent=parent)
        Kid.objects.bulk_create([Kid(parent=parent)])

        assert reconcile(Kid, check=True).drifted == 0
        parent.save()
        assert reconcile(Kid, check=True).drifted == 0
