"""What ``manage.py syncfields --explain`` prints is what writes send, and nothing stays behind."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections, models, transaction
from django.db.models import Count, Max, Q
from django.db.models.signals import post_delete, post_save, pre_save

from syncfields.checks.hints import page
from syncfields.explain.recording import quiet
from syncfields.explain.rules import explain_rules, source
from syncfields.explain.sample_rows import Samples
from syncfields.explain.writes import OTHERS, UNCHANGED
from syncfields.plan import registry
from syncfields.testing import assert_in_sync
from tests.ownmodels import kept, models_of, own_apps, tables
from tests.statements import sent
from tests.testapp import models as zoo

APPS = own_apps("explained")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "explained"


class Parcel(Own):
    item_count = models.IntegerField(default=0)
    best = models.IntegerField(null=True)
    note = models.CharField(max_length=40, default="")


class Item(Own):
    """With what makes rows hard to make up."""

    parcel = models.ForeignKey(Parcel, models.CASCADE, related_name="items", db_constraint=False)
    code = models.CharField(max_length=4, unique=True)
    size = models.CharField(max_length=1, choices=[("s", "small"), ("l", "large")])
    rate = models.DecimalField(max_digits=3, decimal_places=3)
    number = models.SmallIntegerField()
    above = models.ForeignKey("self", models.CASCADE, null=True)

    class Meta(Own.Meta):
        constraints = [models.UniqueConstraint(fields=["parcel", "number"], name="own_number")]

    def save(self, *args, **kwargs):
        raise AssertionError("What a model does of its own accord is not carried out.")


class Refused(Own):
    """No sample row satisfies it."""

    parcel = models.ForeignKey(Parcel, models.CASCADE, related_name="refused", db_constraint=False)

    class Meta(Own.Meta):
        constraints = [models.CheckConstraint(condition=Q(parcel__lt=0), name="own_never")]


class Odd(models.Field):
    def db_type(self, connection):
        return "integer"


class Strange(Own):
    """Nobody knows a value of it."""

    parcel = models.ForeignKey(Parcel, models.CASCADE, related_name="strange", db_constraint=False)
    odd = Odd()


RULES = [
    (Parcel, "item_count", Count("items", filter=Q(items__size="l"))),
    (Parcel, "best", Max("items__number")),
]


@pytest.fixture(scope="module")
def own_tables(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def written(model, using=None):
    """What is said of each kind of write, and each column that it changes."""
    found = source(model, using).writes
    return {(each.name, column): each for each in found for column in each.changed or [""]}


def command(*labels, **options):
    out = io.StringIO()
    call_command("syncfields", *labels, stdout=out, explain=True, **options)
    return out.getvalue()


# What is printed is what is sent ---------------------------------------------------------------


def shelf_and_publisher():
    return {"shelf": zoo.Shelf.objects.create(), "publisher": zoo.Publisher.objects.create()}


def books(number=3):
    found = shelf_and_publisher()
    return [zoo.Book(**found, pages=600) for _ in range(number)]


def saved_books(number=3):
    found = books(number)
    for each in found:
        each.save()
    return zoo.Book.objects.filter(pk__in=[each.pk for each in found])


def edited(row, **values):
    for name, value in values.items():
        setattr(row, name, value)
    return row.save


def entries(size):
    """One that is neither the least nor the greatest of three, or is both."""
    folder = zoo.Folder.objects.create()
    for each in (size - 1, size + 1) if size else ():
        zoo.FolderEntry.objects.create(folder=folder, size=each)
    return zoo.FolderEntry.objects.create(folder=folder, size=size)


def hive_with_bee():
    hive = zoo.CopyHive.objects.create(name="old")
    zoo.CopyBee.objects.create(hive=hive)
    return hive


def playlist():
    found = zoo.Playlist.objects.create()
    found.tracks.add(*(zoo.Track.objects.create(minutes=number) for number in (1, 9, 5, 5, 5)))
    return found


def stored(row):
    return type(row).objects.get(pk=row.pk)


def inserting(rows):
    return lambda: type(rows[0]).objects.bulk_create(rows)


def updating(queryset, **values):
    return lambda: queryset.update(**values)


WRITES = {
    (zoo.Book, "create", ""): lambda: books(1)[0].save,
    (zoo.Book, "save, changed", "pages"): lambda: edited(saved_books(1).get(), pages=3),
    (zoo.Book, "save, moved", "shelf_id"): lambda: edited(
        saved_books(1).get(), shelf=zoo.Shelf.objects.create()
    ),
    (zoo.Book, UNCHANGED, ""): lambda: saved_books(1).get().save,
    (zoo.Book, "delete", ""): lambda: saved_books(1).get().delete,
    (zoo.Book, "bulk_create()", ""): lambda: inserting(books()),
    (zoo.Book, "update(), changed", "pages"): lambda: updating(saved_books(), pages=3),
    (zoo.Book, "QuerySet.delete()", ""): lambda: saved_books().delete,
    (zoo.Cup, "create", ""): lambda: zoo.Cup(tray=zoo.Tray.objects.create(), volume=4).save,
    (zoo.FolderEntry, "delete", ""): lambda: stored(entries(4)).delete,
    (zoo.FolderEntry, "save, changed", "size"): lambda: edited(stored(entries(4)), size=1),
    (zoo.CopyHive, "save, changed", "name"): lambda: edited(stored(hive_with_bee()), name="new"),
    (zoo.Playlist.tracks.through, "clear()", ""): lambda: playlist().tracks.clear,
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", WRITES, ids=lambda case: f"{case[0].__name__}-{case[1]}{case[2]}")
def test_what_is_said_is_what_a_write_sends(case):
    model, name, column = case
    act = WRITES[case]()

    with sent() as statements:
        act()

    said = written(model)[name, column]
    assert [each.what for each in said.sent] == statements
    assert len(said.sent) - len(said.extra) == 1


@pytest.mark.django_db
def test_what_is_said_of_the_row_that_held_the_extreme_is_what_its_delete_sends():
    said = written(zoo.FolderEntry)["delete", ""]
    act = stored(entries(0)).delete

    with sent() as statements:
        act()

    # A second number is there only where it is another.
    found = said.sent if said.where_extreme is None else said.where_extreme
    assert len(found) == len(statements)
    assert said.where_extreme is None or len(said.where_extreme) != len(said.sent)


@pytest.mark.django_db
@pytest.mark.parametrize("model", [zoo.Book, zoo.Comment, zoo.Line])
def test_what_waits_for_commit_is_said(model, settings):
    at_once = written(model)["create", ""]

    settings.SYNCFIELDS = {"APPLY": "commit"}
    with transaction.atomic():
        at_commit = written(model)["create", ""]

    assert {each.what for each in at_commit.sent} >= {each.what for each in at_once.sent}


@pytest.mark.django_db
def test_what_memory_knows_is_not_read():
    said = written(zoo.Cup)

    assert not any(each.startswith("SELECT") for each in said["save, changed", "volume"].extra)
    assert said[UNCHANGED, ""].extra == said[OTHERS, ""].extra == ()


@pytest.mark.django_db
def test_a_write_that_grows_with_its_rows_is_said_to():
    assert written(zoo.Licence)["bulk_create()", ""].more
    assert not written(zoo.Book)["bulk_create()", ""].more


@pytest.mark.django_db
def test_a_delete_may_take_rows_of_other_models_along():
    said = written(zoo.Post)

    assert said["delete", ""].more
    assert said["QuerySet.delete()", ""].more
    assert not said["create", ""].more


@pytest.mark.django_db
def test_the_chain_is_followed_to_its_end():
    assert "UPDATE testapp_customer" in written(zoo.Line)["create", ""].extra


# Sample rows -----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "model",
    sorted(
        {*registry.plan().sources, *registry.plan().targets},
        key=lambda model: model._meta.label,
    ),
    ids=lambda model: model._meta.label,
)
def test_each_model_of_the_zoo_has_sample_rows(model):
    samples = Samples("default")

    rows = [samples.saved(model, level) for level in (2, 4, 4, 8)]
    if not model._meta.auto_created:
        for row in rows:
            samples.surround(row)

    assert len({row.pk for row in rows}) == 4
    assert models.QuerySet(model).filter(pk__in=[row.pk for row in rows]).count() == 4
    assert_in_sync()


@pytest.mark.django_db
@pytest.mark.usefixtures("own_tables")
def test_rows_that_are_hard_to_make_up():
    with kept(RULES):
        samples = Samples("default")
        rows = [samples.saved(Item) for _ in range(3)]

    assert {row.size for row in rows} == {"l"}  # The filter asks for it.
    assert len({row.code for row in rows}) == len({row.number for row in rows}) == 3
    assert len({row.parcel_id for row in rows}) == 1
    assert {row.above_id for row in rows} == {None}  # No rule reads it.


@pytest.mark.django_db
@pytest.mark.usefixtures("own_tables")
@pytest.mark.parametrize(
    ("relation", "reason"), [("refused", "own_never"), ("strange", "Strange.odd is a Odd")]
)
def test_why_a_row_cannot_be_made_is_said_and_the_others_are_recorded(relation, reason):
    rules = [(Parcel, "best", Max("items__number")), (Parcel, "item_count", Count(relation))]
    with kept(rules):
        out = command(format="json")

    found = {each["model"]: each["writes"] for each in json.loads(out)["sources"]}
    failing = next(writes for model, writes in found.items() if relation in model.lower())
    assert all(reason in each["failed"] for each in failing)
    assert not any(each["failed"] for each in found["explained.Item"])


# Without a trace -------------------------------------------------------------------------------


def row_counts(using="default"):
    with connections[using].cursor() as cursor:
        tables = sorted(
            model._meta.db_table.replace('"public".', "")
            for model in apps.get_models(include_auto_created=True)
            if model._meta.managed and not model._meta.proxy
        )
        found = {}
        for table in tables:
            quoted = connections[using].ops.quote_name(table)
            cursor.execute(f"SELECT COUNT(*) FROM {quoted}")
            found[table] = cursor.fetchone()[0]
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [zoo.Comment, zoo.Tag, zoo.Playlist.tracks.through])
def test_nothing_stays_behind(model):
    zoo.Book.objects.create(**shelf_and_publisher(), pages=7)
    before = row_counts()

    found = source(model, None)

    assert not any(each.failed for each in found.writes)
    assert row_counts() == before
    assert not connection.in_atomic_block
    assert not connection.run_on_commit
    assert_in_sync()


@pytest.mark.django_db(transaction=True)
def test_receivers_are_not_called_and_count_as_ever():
    called = []

    def receive(sender, **named):
        called.append(sender)
        transaction.on_commit(lambda: called.append("committed"))

    for signal in (pre_save, post_save, post_delete):
        signal.connect(receive)
    try:
        found = written(zoo.Book)
        row = zoo.Shelf.objects.create()
    finally:
        for signal in (pre_save, post_save, post_delete):
            signal.disconnect(receive)

    assert called == [zoo.Shelf, "committed", zoo.Shelf, "committed"]
    assert row.pk
    # With a receiver of post_delete Django loads the rows, and deletes them by their keys.
    own = [each.what for each in found["QuerySet.delete()", ""].sent if each.own]
    assert own == ["SELECT testapp_book", "DELETE testapp_book"]


def test_signals_are_as_before():
    with quiet():
        assert "send" in vars(post_save)

    assert "send" not in vars(post_save)


@pytest.mark.django_db(databases=["default", "other"])
def test_the_database_that_is_named():
    found = source(zoo.Book, "other")

    assert found.database == "other"
    assert not any(each.failed for each in found.writes)
    assert not zoo.Book.objects.using("other").exists()


class Elsewhere:
    """What goes by an automatic through model is written to the other database."""

    def db_for_write(self, model, **hints):
        return "other" if model._meta.auto_created and "instance" in hints else None


@pytest.mark.django_db(databases=["default", "other"])
def test_a_router_cannot_take_sample_rows_elsewhere(settings):
    settings.DATABASE_ROUTERS = [Elsewhere()]

    found = source(zoo.Playlist.tracks.through, "default")

    assert all("elsewhere" in each.failed for each in found.writes)


# Refused ---------------------------------------------------------------------------------------


@contextmanager
def altered(table, there, back):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} {there}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} {back}")


@pytest.mark.django_db(transaction=True)
def test_tables_that_are_not_migrated():
    there, back = "RENAME COLUMN page_sum TO gone", "RENAME COLUMN gone TO page_sum"
    with altered("testapp_shelf", there, back), pytest.raises(CommandError) as error:
        command("testapp.Shelf")

    assert "lacks the column testapp_shelf.page_sum. Run manage.py migrate" in str(error.value)


@pytest.mark.django_db(transaction=True)
def test_tables_that_take_nothing_back():
    if connection.vendor != "mysql":
        pytest.skip("all tables have transactions")
    there, back = "ENGINE=MyISAM", "ENGINE=InnoDB"
    with altered("testapp_unwatched", there, back), pytest.raises(CommandError) as error:
        command("testapp.Shelf")

    assert "does not take back what is written to testapp_unwatched" in str(error.value)


@pytest.mark.parametrize(
    ("labels", "options", "culprit"),
    [
        (["testapp.Nothing"], {}, "testapp.Nothing"),
        ([], {"database": "nowhere"}, "nowhere"),
    ],
)
def test_the_command_says_what_is_wrong(labels, options, culprit):
    with pytest.raises(CommandError, match=culprit):
        call_command("syncfields", *labels, **{"explain": True, **options})


# Rules, indexes, the command -------------------------------------------------------------------


@pytest.mark.django_db
def test_a_rule_is_explained():
    (rule,) = explain_rules("testapp.Post.public_score")

    assert rule.label == "testapp.Post.public_score"
    assert rule.expression.startswith("Sum(F(comments__score), filter=")
    assert rule.maintenance == "delta"
    assert [(each.path, each.model, each.columns) for each in rule.reads] == [
        ("comments", "testapp.Comment", ("is_public", "post_id", "score"))
    ]
    assert [(each.model, each.columns, each.there) for each in rule.indexes] == [
        ("testapp.Comment", ("post_id",), True)
    ]


@pytest.mark.parametrize(
    ("label", "maintenance"),
    [
        ("testapp.DeltaHive.total", "delta"),
        ("testapp.ExtremeHive.total", "extreme"),
        ("testapp.RecomputeHive.total", "recompute"),
        ("testapp.CopyBee.hive_name", "copy"),
        ("testapp.TallyHive.total", "tally"),
    ],
)
@pytest.mark.django_db
def test_each_maintenance_is_named(label, maintenance):
    (rule,) = explain_rules(label)

    assert rule.maintenance == maintenance


@pytest.mark.django_db
def test_an_index_of_key_and_column_is_advised_for_an_extreme():
    (rule,) = explain_rules("testapp.Box.entry_size")

    assert [(each.columns, each.there, each.only_advised) for each in rule.indexes] == [
        (("box_id",), True, False),
        (("box_id", "size"), False, True),
    ]


@pytest.mark.django_db
def test_the_command_prints_rules_and_writes():
    out = command("testapp.Shelf")

    assert "testapp.Shelf.page_sum = Sum(F(books__pages))\n  kept by: delta\n" in out
    assert "  reads books: pages, shelf_id of testapp.Book\n" in out
    assert "  index on testapp.Book (shelf_id): there\n" in out
    line = next(each for each in out.splitlines() if "save, changed: pages" in each)
    said = written(zoo.Book)["save, changed", "pages"].extra
    assert line.split() == ["save,", "changed:", "pages", str(len(said)), *", ".join(said).split()]
    assert out.endswith("2 rule(s) that read 1 model(s).\n")


@pytest.mark.django_db
def test_a_source_is_explained_by_the_rules_that_read_it():
    out = command("testapp.Dish")

    assert "testapp.Restaurant.dish_count = Count(F(dishes))" in out
    assert "testapp.Dish.place_name = F(restaurant__name)" in out
    assert "testapp.Dish, in the database 'default'" in out

    out = command("testapp.Book")

    named = {rule.label for rule in explain_rules("testapp.Book")}
    assert {"testapp.Shelf.page_sum", "testapp.Publisher.thick_count"} <= named
    assert out.endswith(f"{len(named)} rule(s) that read 1 model(s).\n")


@pytest.mark.django_db
def test_lines_fit_the_terminal(monkeypatch):
    monkeypatch.setattr("syncfields.management.commands.syncfields.width", lambda stream: 60)

    out = command("testapp.Shelf")

    assert page("costs") in out
    # Labels are not broken, and statements stand where they stand.
    assert [line for line in out.splitlines() if len(line) > 75] == []


@pytest.mark.django_db
def test_the_sql_itself():
    assert "SET " not in command("testapp.Shelf")

    lines = [each.strip() for each in command("testapp.Shelf", verbosity=2).splitlines()]

    said = written(zoo.Book)["save, changed", "pages"]
    first = next(number for number, each in enumerate(lines) if "save, changed: pages" in each)
    assert lines[first + 1 : first + 1 + len(said.sent)] == [
        ("its own: " if each.own else "") + each.sql for each in said.sent
    ]


@pytest.mark.django_db
def test_the_command_as_json():
    found = json.loads(command("testapp.Shelf.book_count", format="json"))

    (rule,) = found["rules"]
    assert rule["label"] == "testapp.Shelf.book_count"
    (book,) = found["sources"]
    assert (book["model"], book["database"]) == ("testapp.Book", "default")
    assert {each["name"] for each in book["writes"]} >= {"create", "delete", UNCHANGED}
    (create,) = [each for each in book["writes"] if each["name"] == "create"]
    assert [each["what"] for each in create["sent"] if each["own"]] == ["INSERT testapp_book"]
