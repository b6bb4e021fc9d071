"""Fields that read or store values in a way of their own, as sources and as targets."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection, models
from django.db.models import Count, F, Max, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Upper
from django.test.utils import isolate_apps

from syncfields import register
from syncfields.declare.rules import Declaration, Rule, registered
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules


class Reversed(models.CharField):
    """Stores its text backwards."""

    def from_db_value(self, value, expression, connection):
        return value and value[::-1]

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value and value[::-1]


class Lowered(models.CharField):
    """Stores its text in small letters."""

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value and value.lower()


class Named(models.CharField):
    """Does nothing of its own."""


@pytest.fixture
def people():
    """A model that is copied from, and one that copies, of every kind."""
    with isolate_apps("tests.firsts"):

        class Person(models.Model):
            plain = models.CharField(max_length=20)
            reversed = Reversed(max_length=20)
            lowered = Lowered(max_length=20)
            named = Named(max_length=20)
            data = models.JSONField(default=dict)
            code = models.UUIDField(null=True)
            length = models.DurationField(default=dt.timedelta(1))
            born = models.DateField(null=True)
            size = models.IntegerField(default=1)

            class Meta:
                app_label = "firsts"

        class Account(models.Model):
            person = models.ForeignKey(Person, models.CASCADE, related_name="accounts")
            plain = models.CharField(max_length=20, null=True)
            reversed = Reversed(max_length=20, null=True)
            lowered = Lowered(max_length=20, null=True)
            named = Named(max_length=20, null=True)
            length = models.DurationField(default=dt.timedelta(1))
            long = models.IntegerField(default=0)
            seen = models.DateField(auto_now=True)

            class Meta:
                app_label = "firsts"

        yield Person, Account


def errors(model, name, expression):
    rule = Rule(model, name, Declaration(expression))
    return [(error.id, error.message, error.hint) for error in compile_rules([rule])[1]]


FORMS = {
    # What is copied, to where, and the method in which they differ.
    ("plain", "plain"): None,
    ("named", "plain"): None,
    ("plain", "named"): None,
    ("reversed", "reversed"): None,
    ("lowered", "lowered"): None,
    ("lowered", "plain"): None,
    ("reversed", "plain"): "from_db_value",
    ("plain", "reversed"): "from_db_value",
    ("plain", "lowered"): "get_prep_value",
    ("reversed", "lowered"): "from_db_value",
}


@pytest.mark.parametrize(("source", "target"), FORMS)
def test_e017_another_way_to_store_a_value(people, source, target):
    person, account = people
    method = FORMS[source, target]

    found = errors(account, target, F(f"person__{source}"))

    if method is None:
        assert found == []
        return
    kinds = [type(m._meta.get_field(n)).__name__ for m, n in ((account, target), (person, source))]
    assert found == [
        (
            "syncfields.E017",
            (
                f"firsts.Account.{target} is a {kinds[0]}, and its expression gives a {kinds[1]}: "
                f"they do not have the same {method}(), so that what one stores is something else "
                "to the other."
            ),
            "Use the same class for both fields, or one without such methods.",
        )
    ]


def test_e017_is_not_said_of_what_a_function_makes_of_a_value(people):
    _, account = people

    assert errors(account, "plain", Upper("person__plain")) == []


def test_e017_a_field_that_sets_itself(people):
    _, account = people

    assert errors(account, "seen", Max("person__born")) == [
        (
            "syncfields.E003",
            "firsts.Account.seen cannot be NULL, but its expression can.",
            (
                "Set null=True on the field, or give the expression a default: "
                "Max(..., default=...), Coalesce(..., ...)."
            ),
        )
    ]
    assert errors(account, "seen", Coalesce("person__born", Value(dt.date(2026, 1, 1)))) == [
        (
            "syncfields.E017",
            "firsts.Account.seen has auto_now or auto_now_add, which would store another value.",
            "Leave it out: the rule says what the field holds.",
        )
    ]


@pytest.mark.parametrize("source", ["data", "code"])
def test_e004_a_value_that_is_stored_in_another_form(people, source):
    person, account = people

    ((id, message, _),) = errors(account, "plain", F(f"person__{source}"))

    assert id == "syncfields.E004"
    given = type(person._meta.get_field(source)).__name__
    assert message == (f"firsts.Account.plain is a CharField, but its expression gives a {given}.")


@pytest.mark.parametrize("default", [0, Value(0), "", dt.date(2026, 1, 1)])
def test_e004_a_default_of_another_type(people, default):
    _person, account = people
    expression = Sum("person__length", default=default)

    ((id, message, hint),) = errors(account, "length", expression)

    plain = getattr(default, "value", default)
    assert (id, message, hint) == (
        "syncfields.E004",
        (
            f"The default of Sum in firsts.Account.length is {plain!r}, but its values are of a "
            "DurationField."
        ),
        "Give a default of the same type, for instance timedelta(0).",
    )


@pytest.mark.parametrize(
    "expression", [Sum("person__length"), Sum("person__length", default=dt.timedelta(0))]
)
def test_a_sum_of_durations_starts_at_no_time(people, expression):
    _, account = people

    assert errors(account, "length", expression) == []


def test_e004_types_that_do_not_go_together(people):
    _, account = people

    ((id, message, hint),) = errors(account, "length", Coalesce(Sum("person__length"), 0))

    assert id == "syncfields.E004"
    assert message == (
        "It is not known which type the expression of firsts.Account.length gives: Expression "
        "contains mixed types: DurationField, IntegerField. You must set output_field."
    )
    assert hint == "Let its parts have the same type, or set output_field."


@pytest.fixture
def tables(people):
    """The tables of both, for rules between fields of the same kind."""
    person, account = people
    before = len(registered)
    for name in ("reversed", "lowered", "named"):
        register(account, **{name: F(f"person__{name}")})
    register(account, plain=F("person__lowered"), long=Count("person__accounts"))
    with connection.schema_editor() as editor:
        editor.create_model(person)
        editor.create_model(account)
    yield person, account
    del registered[before:]
    registry.rebuild()
    with connection.schema_editor() as editor:
        editor.delete_model(account)
        editor.delete_model(person)


def stored(model, *names):
    """What is in the columns, as it is."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM {table}")
        return list(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_what_is_copied_at_the_insert_is_what_is_copied_later(tables):
    person, account = tables
    names = ("reversed", "lowered", "named", "plain")
    expected = [("cba", "abc", "Abc", "abc")]
    ann = person.objects.create(reversed="abc", lowered="ABC", named="Abc")

    made = account.objects.create(person=ann)
    assert stored(account, *names) == expected
    assert [getattr(made, name) for name in names] == ["abc", "abc", "Abc", "abc"]
    ann.save()
    assert stored(account, *names) == expected
    ann.reversed = ann.lowered = ann.named = "XYz"
    ann.save()
    assert stored(account, *names) == [("zYX", "xyz", "XYz", "xyz")]
    QuerySet(account).delete()
    account.objects.bulk_create([account(person=ann), account(person=ann)])
    assert stored(account, *names) == [("zYX", "xyz", "XYz", "xyz")] * 2
    assert [each.long for each in account.objects.all()] == [2, 2]
