"""Each system check: its id, the culprit it names and a hint. None of them needs a database."""

from __future__ import annotations

import pytest
from django.core import checks as django_checks
from django.db import connections, models
from django.db.models import (
    Avg,
    Case,
    Count,
    ExpressionWrapper,
    F,
    Max,
    Min,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import (
    Cast,
    Coalesce,
    Concat,
    Greatest,
    Length,
    Lower,
    NullIf,
    Substr,
    Upper,
)
from django.test.utils import isolate_apps

from syncfields import Tally, checks, registry
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


@pytest.fixture
def owners():
    """A model with columns that can be NULL, or not, and two keys to it, of which one can be."""
    with isolate_apps("tests.testapp"):

        class Owner(models.Model):
            nick = models.CharField(max_length=9, null=True)
            name = models.CharField(max_length=9)
            size = models.IntegerField(default=0)
            born = models.DateField(null=True)

            class Meta:
                app_label = "testapp"

        class Car(models.Model):
            owner = models.ForeignKey(Owner, models.CASCADE, related_name="cars")
            driver = models.ForeignKey(Owner, models.CASCADE, related_name="drives", null=True)
            plate = models.CharField(max_length=9)
            speed = models.IntegerField(default=0)
            text = models.CharField(max_length=40)
            number = models.IntegerField()
            real = models.FloatField()

            class Meta:
                app_label = "testapp"

        yield Owner, Car


NULL_OR_NOT = [
    # (field, expression, whether it can be NULL)
    ("text", F("owner__nick"), True),
    ("text", F("owner__name"), False),
    ("text", F("driver__name"), True),
    ("text", Upper("owner__nick"), True),
    ("text", Upper("driver__name"), True),
    ("text", Upper("owner__name"), False),
    ("text", Lower(Substr(Upper("driver__name"), 1, 2)), True),
    ("text", Coalesce(Upper("owner__nick"), Value("")), False),
    ("text", Coalesce("owner__nick", "owner__name"), False),
    ("text", Coalesce("owner__nick", "driver__name"), True),
    ("text", Coalesce("driver__nick", "plate"), False),
    ("text", Concat("owner__nick", "plate"), False),
    ("text", NullIf("owner__name", Value("")), False),
    ("text", Case(When(owner__nick=None, then=Value("")), default=F("owner__nick")), False),
    ("text", Case(When(owner__size=1, then=F("owner__nick"))), False),
    ("number", F("owner__size") + F("speed"), False),
    ("number", F("driver__size") + F("speed"), True),
    ("number", Length("owner__nick") * 2, True),
    ("number", Cast("driver__size", models.IntegerField()), True),
    ("number", ExpressionWrapper(F("driver__size") + 1, models.IntegerField()), True),
    ("number", F("owner__born__year"), True),
    ("number", Greatest("driver__size", "speed"), False),
]
NULL_OR_NOT_OVER_ROWS = [
    (Max("cars__speed"), True),
    (Max("cars__speed", default=0), False),
    (Coalesce(Max("cars__speed"), 0), False),
    (Max(Coalesce("cars__speed", 0)), False),
    (Max(Coalesce("cars__speed", 0), filter=Q(cars__number=1)), True),
    (Max("cars__speed") - Min("cars__speed"), True),
    (Max("cars__speed", default=0) - Min("cars__speed", default=0), False),
    (Max("cars__speed") + Count("cars"), True),
    (Count("cars") * 2, False),
    (F("size") * Max("cars__speed"), True),
]


@pytest.mark.parametrize(("name", "expression", "can_be_null"), NULL_OR_NOT)
def test_e003_follows_the_expression(owners, name, expression, can_be_null):
    found = errors((owners[1], name, declared(expression)))

    assert [id for id, *_ in found] == ["syncfields.E003"] * can_be_null


@pytest.mark.parametrize(("expression", "can_be_null"), NULL_OR_NOT_OVER_ROWS)
def test_e003_follows_what_is_made_of_aggregates(owners, expression, can_be_null):
    found = errors((owners[0], "size", declared(expression)))

    assert [id for id, *_ in found] == ["syncfields.E003"] * can_be_null


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


class Silent(models.QuerySet):
    def update(self, **kwargs):
        return 0

    def bulk_create(self, objs, **kwargs):
        return super().bulk_create(objs, **kwargs)


class SilentManager(models.Manager):
    def get_queryset(self):
        return Silent(self.model, using=self._db)


class Foreign:
    """What a manager may return that is no QuerySet at all."""

    def delete(self):
        return 0


class ForeignManager(models.Manager):
    def get_queryset(self):
        return Foreign()


class RawManager(models.Manager):
    """Its SQL is seen by nobody, and no check can say so."""

    def update_by_hand(self):
        with connections[self.db].cursor() as cursor:
            cursor.execute("UPDATE testapp_book SET pages = 0")


@pytest.fixture
def hiding(monkeypatch):
    with isolate_apps("tests.testapp"):

        class Parent(models.Model):
            size = models.IntegerField(default=0)

            class Meta:
                app_label = "testapp"

        class Child(models.Model):
            parent = models.ForeignKey(Parent, models.CASCADE, related_name="children")
            size = models.IntegerField(default=0)
            objects = models.Manager()
            silent = SilentManager()
            built = Silent.as_manager()
            foreign = ForeignManager()
            raw_sql = RawManager()

            class Meta:
                app_label = "testapp"

            def save_base(self, *args, **kwargs):
                """Writes in a way of its own."""

            def delete(self, *args, **kwargs):
                """Is no override of what is wrapped: what it does is seen, or is nothing."""

        plan, _ = compile_rules([Rule(Parent, "size", declared(Sum("children__size")))])
        monkeypatch.setattr(registry, "plan", lambda: plan)
        yield Child


def test_w002_methods_that_do_not_call_super(hiding):
    found = checks.check_hidden_writes()

    assert [(each.id, each.obj, each.level) for each in found] == [
        ("syncfields.W002", hiding, django_checks.WARNING)
    ] * 3
    assert [each.msg for each in found] == [
        f"{name}() does not call super(), so that its writes of testapp.Child are not seen."
        for name in ("Child.save_base", "Silent.update", "Foreign.delete")
    ]
    assert "Call super().update(), or run manage.py reconcile" in found[1].hint


def test_w002_is_not_said_of_the_zoo():
    assert checks.check_hidden_writes() == []
