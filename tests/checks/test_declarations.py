"""Each system check: its id, the culprit it names and a hint. None of them needs a database."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
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
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import (
    Cast,
    Coalesce,
    Concat,
    Greatest,
    Length,
    Lower,
    Now,
    NullIf,
    Random,
    Substr,
    Upper,
)
from django.test.utils import isolate_apps

from syncfields import Tally
from syncfields.checks import declarations
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules
from syncfields.plan.indexes import unindexed
from syncfields.plan.plan import Plan
from tests.testapp.models import Book, Profile, Restaurant, Shelf


def errors(*rules):
    found = compile_rules([Rule(model, name, given) for model, name, given in rules])[1]
    return [(error.id, error.message, error.hint) for error in found]


def declared(expression, **options):
    return Declaration(expression, **options)


NEWER = Count("books", filter=Q(books__title__lt=Now()))
ANY_BOOK = Q(pk__in=Subquery(Book.objects.order_by("?").values("shelf")[:1]))


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
        ("E009", Shelf, "missing", declared(Count("books")), "is no field of its model"),
        ("E009", Book, "shelf", declared(F("shelf__pk")), "cannot be a synced field"),
        ("E009", Restaurant, "name", declared(F("zone__pk")), "from which testapp.Restaurant"),
        ("E011", Shelf, "book_count", declared(F("books__pages")), "books leads to many rows"),
        ("E013", Shelf, "book_count", declared(Count("books"), touch="page_sum"), "page_sum"),
        ("E013", Shelf, "book_count", declared(Count("books"), touch="nothing"), "'nothing'"),
        ("E013", Shelf, "book_count", declared(Count("books"), tracking="disk"), "'disk'"),
        ("E013", Shelf, "book_count", declared(Count("books"), depends_on=("x",)), "'x'"),
        ("E013", Profile, "points", declared(Tally("user", on={"login"})), "login"),
        ("E015", Shelf, "book_count", declared(NEWER), "holds Now()"),
        ("E015", Shelf, "book_count", declared(Sum("books__pages") * Random()), "holds Random()"),
        ("E015", Shelf, "book_count", declared(Case(When(ANY_BOOK, then=1))), 'order_by("?")'),
        ("E016", Shelf, "book_count", declared(Window(Count("books"))), "holds Window"),
    ],
)
def test_a_rule_that_cannot_be_kept(id, model, name, declaration, culprit):
    ((found, message, hint),) = errors((model, name, declaration))

    assert found == f"syncfields.{id}"
    assert f"{model._meta.label}.{name}" in message
    assert culprit in message
    assert hint.endswith((".", ")"))


BOOKS = Book.objects.filter(shelf=OuterRef("pk"))


@pytest.mark.parametrize(
    "books",
    [
        BOOKS.extra(tables=["auth_user"]),
        BOOKS.extra(select={"one": "1"}),
        BOOKS.extra(order_by=["pages"]),
        Book.objects.exclude(shelf=OuterRef("pk")),
        Book.objects.filter(Q(shelf=OuterRef("pk")) | Q(pages=1)),
        Book.objects.filter(shelf__gt=OuterRef("pk")),
        Book.objects.filter(pages=OuterRef("pk")),
        Book.objects.filter(shelf=OuterRef("page_sum")),
    ],
    ids=lambda books: str(books.query.where),
)
def test_e007_a_subquery_that_is_not_tied_to_the_row_by_a_key(books):
    declaration = declared(Coalesce(Subquery(books.values("pages")[:1]), 0))

    ((id, message, _),) = errors((Shelf, "book_count", declaration))

    assert id == "syncfields.E007"
    assert "holds Query" in message


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


def generated(expression, field):
    return models.GeneratedField(expression=expression, output_field=field, db_persist=True)


@pytest.fixture
def owners():
    """A model with columns that can be NULL, or not, and two keys to it, of which one can be."""
    with isolate_apps("tests.testapp"):

        class Owner(models.Model):
            nick = models.CharField(max_length=9, null=True)
            name = models.CharField(max_length=9)
            size = models.IntegerField(default=0)
            born = models.DateField(null=True)
            double = generated(F("size") * 2, models.IntegerField())
            brief = generated(Substr("nick", 1, 3), models.CharField(max_length=3))

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
    ("number", F("owner__double"), False),
    ("text", F("owner__brief"), True),
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


def test_e006_is_an_error_of_each_rule_of_the_circle(loop):
    rules = [
        Rule(loop[0], "size", declared(Coalesce(Max("rights__size"), 0))),
        Rule(loop[1], "size", declared(F("left__size"))),
    ]

    _, (error,) = compile_rules(rules)

    assert {rule.label for rule in error.rules} == {"testapp.Left.size", "testapp.Right.size"}


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

    found = [each for each in declarations.check_databases() if each.obj is Shelf]

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

    (error,) = declarations.check_settings()

    assert error.id == "syncfields.E014"
    assert culprit in error.msg


@pytest.fixture
def reader(monkeypatch):
    """A SQLite file that starts its transactions as readers, in which a model of a rule lives."""
    connection = connections["default"]
    if connection.vendor != "sqlite":
        pytest.skip("A matter of SQLite")
    monkeypatch.setattr(declarations, "in_memory", lambda connection: False)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"timeout": 5})
    return connection


def test_w001_sqlite_that_starts_as_a_reader(reader):
    (warning,) = declarations.check_sqlite()

    assert warning.id == "syncfields.W001"
    assert warning.msg == "The SQLite database 'default' starts transactions as readers."


@pytest.mark.parametrize("mode", ["IMMEDIATE", "immediate", "EXCLUSIVE"])
def test_w001_is_not_said_of_what_starts_as_a_writer(reader, monkeypatch, mode):
    monkeypatch.setitem(reader.settings_dict, "OPTIONS", {"transaction_mode": mode})

    assert declarations.check_sqlite() == []


def test_w001_is_not_said_of_memory_nor_where_no_model_of_a_rule_lives(reader, monkeypatch):
    monkeypatch.setitem(connections["other"].settings_dict, "OPTIONS", {"timeout": 5})
    assert len(declarations.check_sqlite()) == 1

    monkeypatch.setattr(declarations, "in_memory", lambda connection: True)
    assert declarations.check_sqlite() == []


def test_w001_is_not_said_without_rules(reader, monkeypatch):
    monkeypatch.setattr(registry, "plan", Plan)

    assert declarations.check_sqlite() == []


def test_w001_is_said_where_routers_write_the_models_of_rules(reader, settings):
    class Router:
        def db_for_write(self, model, **hints):
            return "other"

    settings.DATABASE_ROUTERS = [Router()]

    assert declarations.check_sqlite() == []


@pytest.mark.django_db(databases=["default", "other"])
def test_w001_is_asked_for_by_a_deployment_only(reader):
    assert "syncfields.W001" not in {each.id for each in django_checks.run_checks()}
    found = django_checks.run_checks(include_deployment_checks=True)
    assert "syncfields.W001" in {each.id for each in found}


def by_hand(queryset):
    with connections[queryset.db].cursor() as cursor:
        cursor.execute("UPDATE testapp_child SET size = 0")
    return 1


class Raw(models.QuerySet):
    """None of what these write is seen."""

    def update(self, **kwargs):
        return self._update(list(kwargs.items()))

    def delete(self):
        return self.clean()

    def clean(self):
        return by_hand(self)

    def bulk_create(self, objs, **kwargs):
        self._batched_insert(objs, self.model._meta.concrete_fields, None)
        return objs


class Foreign:
    """What a manager may return that is no QuerySet at all."""

    db = "default"

    def delete(self):
        return by_hand(self)


class Seen(models.QuerySet):
    """What these write is seen, or they write nothing."""

    def update(self, **kwargs):
        return 0

    def bulk_create(self, objs, **kwargs):
        return super().bulk_create(objs, **kwargs)

    def delete(self):
        """As packages do that mark rows as deleted."""
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT 1")
        return self.update(deleted=True)

    def _raw_delete(self, using):
        return sum(row.delete()[0] for row in self.copy())

    def copy(self):
        return list(self)


class Other:
    def delete(self):
        return 0


def returning(queryset):
    class Manager(models.Manager):
        def get_queryset(self):
            return (
                queryset(self.model, using=self._db)
                if issubclass(queryset, models.QuerySet)
                else queryset()
            )

    return Manager()


class RawManager(models.Manager):
    """Its SQL is seen by nobody, and no check can say so."""

    def update_by_hand(self):
        return by_hand(self)


@pytest.fixture
def hiding(monkeypatch):
    with isolate_apps("tests.testapp"):

        class Parent(models.Model):
            size = models.IntegerField(default=0)

            class Meta:
                app_label = "testapp"

        def child(methods=(), **managers):
            meta = type("Meta", (), {"app_label": "testapp"})
            fields = {
                "__module__": __name__,
                "Meta": meta,
                "parent": models.ForeignKey(Parent, models.CASCADE, related_name="children"),
                "size": models.IntegerField(default=0),
                **managers,
                **dict(methods),
            }
            model = type("Child", (models.Model,), fields)
            plan, _ = compile_rules([Rule(Parent, "size", declared(Sum("children__size")))])
            monkeypatch.setattr(registry, "plan", lambda: plan)
            return model

        yield child


def save_by_hand(self, *args, **kwargs):
    by_hand(type(self).objects)


def insert_by_hand(self, manager, using, fields, returning_fields, raw):
    return manager._insert([self], fields=fields, using=using, raw=raw)


def test_w002_writes_below_the_methods_of_django(hiding):
    model = hiding(
        {"save_base": save_by_hand, "_do_insert": insert_by_hand},
        objects=models.Manager(),
        raw=returning(Raw),
        built=Raw.as_manager(),
        foreign=returning(Foreign),
    )

    found = declarations.check_hidden_writes()

    assert [(each.id, each.obj, each.level) for each in found] == [
        ("syncfields.W002", model, django_checks.WARNING)
    ] * 6
    assert [each.msg for each in found] == [
        f"{name}() writes past Django's own methods, so that its writes of testapp.Child are not "
        "seen."
        for name in (
            "Child.save_base",
            "Child._do_insert",
            "Raw.update",
            "Raw.bulk_create",
            "Raw.delete",
            "Foreign.delete",
        )
    ]
    assert "run manage.py reconcile" in found[1].hint


def nothing(self, *args, **kwargs):
    """Neither writes nor calls ``super()``."""


def save_again(self, *args, **kwargs):
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    type(self).objects.filter(pk=self.pk).update(size=self.size)


def test_w002_is_not_said_of_what_is_seen_or_writes_nothing(hiding):
    hiding(
        {"save_base": save_again, "_do_update": nothing, "delete": save_by_hand},
        objects=models.Manager(),
        seen=returning(Seen),
        other=returning(Other),
        raw_sql=RawManager(),
    )

    assert declarations.check_hidden_writes() == []


def test_w002_is_not_said_of_the_zoo():
    assert declarations.check_hidden_writes() == []


VIEW = "testapp_visible"


@pytest.fixture
def visible(monkeypatch):
    """A view over the books, a model of it, and a rule that reads it."""
    with isolate_apps("tests.testapp"):

        class Room(models.Model):
            size = models.IntegerField(default=0)

            class Meta:
                app_label = "testapp"

        class Visible(models.Model):
            shelf = models.ForeignKey(Room, models.DO_NOTHING, related_name="visible")

            class Meta:
                app_label = "testapp"
                managed = False
                db_table = VIEW

        plan, _ = compile_rules([Rule(Room, "size", declared(Count("visible")))])
        monkeypatch.setattr(registry, "plan", lambda: plan)
        yield Visible


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_w004_a_source_that_is_a_view(visible):
    with connections["default"].cursor() as cursor:
        cursor.execute(f"CREATE VIEW {VIEW} AS SELECT id, shelf_id FROM testapp_book")
    try:
        (warning,) = declarations.check_views(databases=["default", "other"])
        others = declarations.check_views(databases=["other"])
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute(f"DROP VIEW {VIEW}")

    assert others == []
    assert warning.id == "syncfields.W004"
    assert warning.obj is visible
    assert warning.msg == (
        "testapp.Room.size reads testapp.Visible, which is a view: writes of the tables behind it "
        "are not seen."
    )


@pytest.mark.django_db(transaction=True)
def test_w004_is_not_said_of_an_unmanaged_model_over_a_table(visible):
    with connections["default"].cursor() as cursor:
        cursor.execute(f"CREATE TABLE {VIEW} (id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL)")
    try:
        assert declarations.check_views(databases=["default"]) == []
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute(f"DROP TABLE {VIEW}")


def test_w004_asks_no_database_without_being_allowed_to(visible):
    assert declarations.check_views() == []
    assert declarations.check_views(databases=None) == []


def missing(*rules):
    """What W003 says of the rules."""
    plan, errors = compile_rules([Rule(*rule) for rule in rules])
    assert errors == []
    found = unindexed(plan.maintenances)
    return [declarations.unindexed(lookup, labels) for lookup, labels in found.items()]


@pytest.fixture
def library():
    """A relation without an index, which one model after the other provides with one."""
    with isolate_apps("tests.testapp"):

        class Room(models.Model):
            size = models.IntegerField()
            name = models.CharField(max_length=9)

            class Meta:
                app_label = "testapp"

        def chair(meta=None, key=models.ForeignKey, **options):
            key = key(Room, models.CASCADE, related_name="chairs", **options)
            names = {
                "__module__": __name__,
                "room": key,
                "number": models.IntegerField(),
                "room_name": models.CharField(max_length=9),
                "Meta": type("Meta", (), {"app_label": "testapp", **(meta or {})}),
            }
            return type("Chair", (models.Model,), names)

        yield Room, chair


UNTOLD = {"db_index": False, "db_constraint": False}


def test_w003_a_key_without_an_index(library):
    room, chair = library
    chair(**UNTOLD)

    (warning,) = missing(
        (room, "size", declared(Count("chairs"))),
        (room, "name", declared(Max("chairs__room_name", default=""))),
    )

    assert warning.id == "syncfields.W003"
    assert warning.level == django_checks.WARNING
    assert warning.msg == (
        "testapp.Room.size, testapp.Room.name: rows of testapp.Chair are looked up by room_id, "
        "and no index begins so."
    )
    assert "set db_index=True on testapp.Chair.room." in warning.hint


def test_w003_a_copy_is_looked_up_by_its_own_key(library):
    _, chair = library
    model = chair(**UNTOLD)
    model._meta.get_field("room_name").null = True

    (warning,) = missing((model, "room_name", declared(F("room__name"))))

    assert "testapp.Chair are looked up by room_id" in warning.msg


@pytest.mark.parametrize(
    ("options", "meta"),
    [
        ({"db_constraint": False}, {}),
        ({**UNTOLD, "unique": True}, {}),
        ({**UNTOLD, "primary_key": True}, {}),
        (UNTOLD, {"indexes": [models.Index(fields=["-room", "number"], name="a")]}),
        (UNTOLD, {"unique_together": [("room", "number")]}),
        (
            UNTOLD,
            {"constraints": [models.UniqueConstraint(fields=["room", "number"], name="b")]},
        ),
    ],
    ids=["foreign key", "unique", "primary key", "index", "unique together", "constraint"],
)
def test_w003_an_index_of_any_kind_will_do(library, options, meta):
    room, chair = library
    chair(meta, **options)

    assert missing((room, "size", declared(Count("chairs")))) == []


@pytest.mark.parametrize(
    "meta",
    [
        {"indexes": [models.Index(fields=["number", "room"], name="a")]},
        {"indexes": [models.Index(fields=["room"], condition=Q(number=1), name="b")]},
        {"indexes": [models.Index(Upper("room"), name="c")]},
        {
            "constraints": [
                models.UniqueConstraint(fields=["room"], condition=Q(number=1), name="d")
            ]
        },
    ],
    ids=["second column", "some rows", "expression", "unique among some rows"],
)
def test_w003_an_index_that_does_not_find_the_rows(library, meta):
    room, chair = library
    chair(meta, **UNTOLD)

    assert len(missing((room, "size", declared(Count("chairs"))))) == 1


def test_w003_innodb_indexes_what_it_constrains(library):
    room, chair = library
    chair(db_index=False)

    found = missing((room, "size", declared(Count("chairs"))))

    assert len(found) == (0 if connections["default"].vendor == "mysql" else 1)


def test_w003_a_tally_looks_up_no_children(library):
    room, chair = library
    chair(**UNTOLD)

    assert missing((room, "size", declared(Tally("chairs")))) == []


def test_w003_a_generic_relation_without_an_index():
    with isolate_apps("tests.testapp", "django.contrib.contenttypes"):

        class Label(models.Model):
            content_type = models.ForeignKey(ContentType, models.CASCADE)
            object_id = models.PositiveIntegerField()
            content_object = GenericForeignKey()

            class Meta:
                app_label = "testapp"

        class Parcel(models.Model):
            labels = GenericRelation(Label)
            count = models.IntegerField()

            class Meta:
                app_label = "testapp"

        (warning,) = missing((Parcel, "count", declared(Count("labels"))))

        assert "looked up by object_id and content_type_id" in warning.msg
        assert (
            "add models.Index(fields=['object_id', 'content_type']) to Meta.indexes" in warning.hint
        )
        Label._meta.indexes = [models.Index(fields=["content_type", "object_id"])]
        assert missing((Parcel, "count", declared(Count("labels")))) == []


def test_w003_the_zoo_has_all_its_indexes():
    assert declarations.check_indexes() == []
