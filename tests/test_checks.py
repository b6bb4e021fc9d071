"""Each system check: its id, the culprit it names and a hint. None of them needs a database."""

from __future__ import annotations

import pytest
from django.core import checks as django_checks
from django.db import connections, models
from django.db.models import Avg, Count, F, Max, Q, Sum
from django.db.models.expressions import RawSQL
from django.test.utils import isolate_apps

from syncfields import Tally, checks
from syncfields.compiler import compile_rules
from syncfields.rules import Declaration, Rule
from tests.testapp.models import Book, Profile, Shelf


def errors(*rules):
    found = compile_rules([Rule(model, name, given) for model, name, given in rules])[1]
    return [(error.id, error.message, error.hint) for error in found]


def declared(expression, **options):
    return Declaration(expression, **options)


@pytest.mark.parametrize(
    ("id", "model", "name", "declaration", "culprit"),
    [
        ("E001", Shelf, "book_count", declared(Count("nothing")), "'nothing'"),
        ("E001", Shelf, "book_count", declared("books"), "no expression"),
        ("E001", Profile, "points", declared(Tally("nothing")), "'nothing'"),
        ("E002", Shelf, "book_count", declared(F("page_sum") + 1), "reads no relation"),
        ("E003", Shelf, "book_count", declared(Max("books__pages")), "cannot be NULL"),
        ("E004", Shelf, "book_count", declared(Avg("books__pages", default=0)), "FloatField"),
        ("E007", Shelf, "book_count", declared(RawSQL("SELECT 1", ())), "RawSQL"),
        (
            "E008",
            Profile,
            "points",
            declared(Tally("user", when=Q(profile__points__lt=9))),
            "own target",
        ),
        ("E009", Shelf, "id", declared(Count("books")), "cannot be a synced field"),
        ("E009", Shelf, "missing", declared(Count("books")), "cannot be a synced field"),
        ("E009", Book, "shelf", declared(F("shelf__pk")), "cannot be a synced field"),
        ("E011", Shelf, "book_count", declared(F("books__pages")), "books leads to many rows"),
        ("E013", Shelf, "book_count", declared(Count("books"), touch="page_sum"), "page_sum"),
        ("E013", Shelf, "book_count", declared(Count("books"), tracking="disk"), "'disk'"),
        ("E013", Shelf, "book_count", declared(Count("books"), depends_on=("x",)), "'x'"),
        ("E013", Profile, "points", declared(Tally("user", on={"login"})), "login"),
    ],
)
def test_a_rule_that_cannot_be_kept(id, model, name, declaration, culprit):
    ((found, message, hint),) = errors((model, name, declaration))

    assert found == f"syncfields.{id}"
    assert f"{model._meta.label}.{name}" in message
    assert culprit in message
    assert hint.endswith((".", ")"))


@pytest.fixture
def loop():
    """Two models, of which each could copy from the other."""
    with isolate_apps("tests.testapp"):

        class Left(models.Model):
            short = models.CharField(max_length=5)
            size = models.IntegerField()

            class Meta:
                app_label = "testapp"

        class Right(models.Model):
            left = models.ForeignKey(Left, models.CASCADE, related_name="rights")
            long = models.CharField(max_length=9)
            short = models.CharField(max_length=4)
            size = models.IntegerField()

            class Meta:
                app_label = "testapp"

        yield Left, Right


def test_e005_a_copy_that_is_longer_than_its_field(loop):
    ((id, message, _),) = errors((loop[1], "short", declared(F("left__short"))))

    assert id == "syncfields.E005"
    assert message == (
        "testapp.Right.short holds 4 characters, but it copies testapp.Left.short with 5."
    )
    assert errors((loop[1], "long", declared(F("left__short")))) == []


def test_e006_names_the_whole_circle(loop):
    left, right = loop
    ((id, message, _),) = errors(
        (left, "size", declared(Sum("rights__size"))), (right, "size", declared(F("left__size")))
    )

    assert id == "syncfields.E006"
    circle = message.removeprefix("Rules go in a circle: ").removesuffix(".").split(" -> ")
    assert circle[0] == circle[-1]
    assert set(circle) == {"testapp.Left.size", "testapp.Right.size"}


def test_a_circle_leaves_the_other_rules(loop):
    left, right = loop
    plan, _ = compile_rules(
        [
            Rule(left, "size", declared(Sum("rights__size"))),
            Rule(right, "size", declared(F("left__size"))),
            Rule(Shelf, "book_count", declared(Count("books"))),
        ]
    )

    assert [rule.field_name for rule in plan.rules] == ["book_count"]


def test_e010_a_source_in_another_database(settings):
    class Router:
        def db_for_write(self, model, **hints):
            return "other" if model is Book else "default"

    settings.DATABASE_ROUTERS = [Router()]

    found = [each for each in checks.check_databases() if each.obj is Shelf]

    assert {each.id for each in found} == {"syncfields.E010"}
    assert "testapp.Book in 'other'" in found[0].msg


def test_e012_two_rules_for_one_field():
    ((id, message, _),) = errors(
        (Shelf, "book_count", declared(Count("books"))),
        (Shelf, "book_count", declared(Sum("books__pages"))),
    )

    assert (id, message) == ("syncfields.E012", "testapp.Shelf.book_count has two rules.")


@pytest.mark.parametrize(
    ("value", "culprit"),
    [
        ({"TRACKING": "disk"}, "'disk'"),
        ({"APPLY": "later"}, "'later'"),
        ({"TRACK": "database"}, "'TRACK'"),
        ("database", "'database'"),
    ],
)
def test_e014_a_bad_setting(settings, value, culprit):
    settings.SYNCFIELDS = value

    (error,) = checks.check_settings()

    assert error.id == "syncfields.E014"
    assert culprit in error.msg


def test_w001_sqlite_that_starts_as_a_reader(monkeypatch):
    connection = connections["default"]
    if connection.vendor != "sqlite":
        assert not any("'default'" in each.msg for each in checks.check_sqlite())
        return
    monkeypatch.setattr(checks, "in_memory", lambda connection: False)
    assert checks.check_sqlite() == []

    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"timeout": 5})

    (warning,) = checks.check_sqlite()
    assert warning.id == "syncfields.W001"
    assert "'default'" in warning.msg


def test_w002_methods_that_do_not_call_super():
    class Hiding(models.QuerySet):
        def update(self, **kwargs):
            return 0

        def bulk_create(self, objs, **kwargs):
            return super().bulk_create(objs, **kwargs)

    assert list(checks.overridden(Hiding, models.QuerySet, checks.BULK)) == ["update"]
    warning = checks.hidden(Shelf, Hiding, "update")
    assert warning.id == "syncfields.W002"
    assert "Hiding.update() does not call super()" in warning.msg
    assert warning.level == django_checks.WARNING
