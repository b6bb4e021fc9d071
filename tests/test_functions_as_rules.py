"""Rules given as a function that makes the expression: some cannot be made while models load."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count, Value
from django.db.models.functions import Coalesce
from django.test.utils import isolate_apps

from syncfields import Tally, register, synced
from syncfields.checks import declarations
from syncfields.declare.rules import Declaration, Rule, collect, registered
from syncfields.explain.rules import explain_rules
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules
from tests.testapp.models import Book, Profile, Shelf


@pytest.fixture
def made():
    """How often each function was called, for an abstract model that two inherit."""
    calls = []
    with isolate_apps("tests.testapp") as known:

        class Counted(models.Model):
            n = synced(models.IntegerField(default=0), lambda: calls.append(1) or Count("votes"))

            class Meta:
                abstract = True
                app_label = "testapp"

        class One(Counted):
            class Meta:
                app_label = "testapp"

        class Two(Counted):
            class Meta:
                app_label = "testapp"

        class Vote(models.Model):
            one = models.ForeignKey(One, models.CASCADE, related_name="votes")
            two = models.ForeignKey(Two, models.CASCADE, related_name="votes")

            class Meta:
                app_label = "testapp"

        yield [rule for rule in collect(known) if rule.model in (One, Two)], calls


def test_a_function_is_called_once_for_each_model_when_the_plan_is_made(made):
    rules, calls = made
    assert calls == []

    plan, errors = compile_rules(rules)

    assert errors == []
    assert len(calls) == 2
    assert [repr(rule) for rule in plan.rules] == [
        "register(One, n=Count(F(votes)))",
        "register(Two, n=Count(F(votes)))",
    ]


@pytest.fixture
def registering():
    before = len(registered)
    yield
    del registered[before:]
    registry.rebuild()


@pytest.mark.django_db
def test_a_function_given_to_register(registering):
    register(Profile, nickname=lambda: Coalesce("user__username", Value("")))

    (rule,) = [each for each in registry.plan().rules if each.label == "testapp.Profile.nickname"]

    assert rule.expression == Coalesce("user__username", Value(""))
    (explained,) = explain_rules(rule.label)
    assert explained.expression == "Coalesce(F(user__username), Value(''))"


def errors(make):
    return [
        (error.id, error.message, error.hint)
        for error in compile_rules([Rule(Shelf, "book_count", Declaration(make))])[1]
    ]


def test_e018_a_function_that_raises():
    def make():
        raise LookupError("no such model")

    assert errors(make) == [
        (
            "syncfields.E018",
            (
                "The function that is to make the expression of testapp.Shelf.book_count raised "
                "LookupError: no such model"
            ),
            (
                "It is called without arguments, when all models are loaded, and returns what "
                "annotate() takes; it must not query the database."
            ),
        )
    ]


def test_e018_a_function_of_a_row():
    """As other libraries take it."""

    def count(self, more=1, *rest, **others):
        raise AssertionError

    assert errors(count) == [
        (
            "syncfields.E018",
            "The rule of testapp.Shelf.book_count is a function of self, and no expression.",
            (
                "The database evaluates a rule, for many rows at once: say it by F(), Count(), "
                "Case() and their like. A function may be given that makes such an expression; it "
                "is called without arguments."
            ),
        )
    ]


@pytest.mark.parametrize("make", [lambda *args: Count("books"), lambda n="books": Count(n)])
def test_a_function_may_have_arguments_that_it_does_not_need(make):
    assert errors(make) == []


def test_e018_is_a_check(registering):
    register(Book, pages=lambda: 1 // 0)

    (error,) = [each for each in declarations.check_rules() if each.id == "syncfields.E018"]

    assert "testapp.Book.pages raised ZeroDivisionError" in error.msg


@pytest.mark.parametrize("value", [None, "books"])
def test_e001_a_function_that_makes_no_expression(value):
    ((id, message, _),) = errors(lambda: value)

    assert id == "syncfields.E001"
    assert message == (
        f"The rule of testapp.Shelf.book_count is {value!r}, which is no expression."
    )


def test_a_function_may_make_a_tally():
    assert errors(lambda: Tally("books")) == []
