"""What ``manage.py syncfields --explain`` says that a write sends is what it sends."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import uuid
from collections import Counter
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models

from syncfields import registry
from syncfields.explain import LOCKS, OTHERS, UNCHANGED, explain, source, writable
from tests.statements import sent
from tests.testapp import models as zoo

LOW, MIDDLE, HIGH = 501, 600, 900
DAY = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)

# One model at least for each way of keeping a rule: each write of them changes all values that the
# write can change.
EXACT = [
    zoo.Book,  # counts and sums, in two targets
    zoo.Cup,  # old values from memory
    zoo.DeltaBee,  # a filter that memory cannot decide
    zoo.FolderEntry,  # a maximum
    zoo.RecomputeBee,
    zoo.TallyBee,
    zoo.CopyHive,
    zoo.CopyBee,
    zoo.Passport,  # a copy by a unique key
    zoo.Reaction,  # three relations
    zoo.Follower,  # a sum of two paths
    zoo.City,  # a source and a target
    zoo.Pet,  # text for keys
    zoo.Entry,  # CHECK constraints, floats
]
COUNTS = {"swarm": None, "closed": False}
"""What rows must hold to count, by the name of the field."""
FOLLOWERS = {zoo.CopyHive: (zoo.CopyBee, "hive")}
"""Targets that copy from rows of the model."""


class Nursery:
    """Rows with something in each column, all with the same parents."""

    numbers = itertools.count(1)

    def __init__(self):
        self.parents = {}

    def saved(self, model, level=MIDDLE):
        row = self.new(model, level)
        row.save(force_insert=True)
        return row

    def new(self, model, level=MIDDLE):
        owned = {
            name
            for each in (model, *model._meta.all_parents)
            for name in registry.plan().owned.get(each, ())
        }
        return model(
            **{
                field.name: self.value(field, level)
                for field in model._meta.concrete_fields
                if field.attname not in owned
                and not isinstance(field, (models.AutoField, models.CompositePrimaryKey))
                and not field.generated
            }
        )

    def value(self, field, level):
        if field.name in COUNTS:
            return COUNTS[field.name]
        if field.is_relation:
            return self.related(field)
        if isinstance(field, models.BooleanField):
            return True
        if isinstance(field, models.DateTimeField):
            return DAY + dt.timedelta(days=level)
        if isinstance(field, models.DateField):
            return (DAY + dt.timedelta(days=level)).date()
        if isinstance(field, models.DecimalField):
            return Decimal(level)
        if isinstance(field, (models.IntegerField, models.FloatField)):
            return next(self.numbers) if field.name == "number" else level
        if isinstance(field, models.UUIDField):
            return uuid.uuid4()
        return f"{level} {next(self.numbers)}"[: field.max_length]

    def related(self, field):
        model = field.related_model
        if field.unique:
            return self.stranger(model)
        if model not in self.parents:
            self.parents[model] = None  # For those that refer to themselves.
            self.parents[model] = self.saved(model)
        return self.parents[model]

    def stranger(self, model):
        """A row that shares no parent with the others."""
        before, self.parents = self.parents, {}
        found = self.saved(model)
        self.parents = before
        return found

    def other(self, field):
        """Another value than the rows have."""
        if isinstance(field, models.BooleanField):
            return field.name in COUNTS
        return self.stranger(field.related_model) if field.is_relation else self.value(field, 3)


def the_write(nursery, model, name, column):
    """A function that carries out the write, on rows that are there already."""
    several = "()" in name
    if name == "create":
        row = nursery.new(model)
        return lambda: row.save(force_insert=True)
    if name == "bulk_create()":
        rows = [nursery.new(model) for _ in range(3)]
        return lambda: model.objects.bulk_create(rows)
    rows = [nursery.saved(model) for _ in range(3 if several else 1)]
    for follower, key in [FOLLOWERS[model]] if model in FOLLOWERS else ():
        for row in rows:
            follower.objects.create(**{key: row})
    chosen = models.QuerySet(model).filter(pk__in=[row.pk for row in rows])
    row = chosen.get(pk=rows[0].pk)
    if name == "QuerySet.delete()":
        return chosen.delete
    if name == "delete":
        return row.delete
    if name == UNCHANGED:
        return row.save
    if name == OTHERS:
        watched = registry.plan().columns[model]
        return lambda: row.save(update_fields=[min(writable(model) - watched)])
    field = model._meta.get_field(column)
    value = nursery.other(field)
    if several:
        return lambda: chosen.update(**{field.name: value})
    setattr(row, field.name, value)
    return row.save


def extra(write):
    """What ``write`` sends beside its own statement, of the statements' kinds and tables."""
    with sent() as statements:
        write()
    own = next(each for each in statements if not each.startswith("SELECT"))
    # The row's own statement comes before what is done to targets by the same kind of statement.
    statements.remove(own)
    return sorted(statements)


def counted(sending, write, said):
    """What was sent; without the locks of which it is said that there are more."""
    if write.more == LOCKS:
        locks = Counter(sending) - Counter(said)
        assert all(each.startswith("SELECT") for each in locks), (write, sending)
        sending = list((Counter(sending) - locks).elements())
    return sorted(sending)


@pytest.mark.django_db
@pytest.mark.parametrize("model", EXACT, ids=lambda model: model.__name__)
@pytest.mark.parametrize("extreme", [False, True], ids=["usual", "extreme"])
def test_just_what_is_said_is_sent(model, extreme):
    said, found = [], []
    for write in source(model, "default").writes:
        statements = write.where_extreme if extreme else write.statements
        if statements is None or write.more not in ("", LOCKS):
            continue
        for column in write.changed or [None]:
            nursery = Nursery()
            for level in () if extreme or "()" in write.name else (LOW, HIGH):
                nursery.saved(model, level)
            carry_out = the_write(nursery, model, write.name, column)
            said.append((write.name, column, sorted(statements)))
            found.append((write.name, column, counted(extra(carry_out), write, statements)))
            models.QuerySet(model).delete()

    assert found == said


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["create", "delete", "bulk_create()", "QuerySet.delete()"])
def test_a_chain_is_counted_to_its_end(name):
    (write,) = [each for each in source(zoo.Line, "default").writes if each.name == name]
    carry_out = the_write(Nursery(), zoo.Line, name, None)

    said = write.where_extreme or write.statements
    assert counted(extra(carry_out), write, said) == sorted(said)
    assert "UPDATE testapp_customer" in said


@pytest.mark.django_db
def test_many_to_many():
    through = zoo.Playlist.tracks.through
    adding, removing = source(through, "default").writes
    tracks = [zoo.Track.objects.create(minutes=number) for number in range(20, 23)]
    playlist = zoo.Playlist.objects.create()

    for write, carry_out in ((adding, playlist.tracks.add), (removing, playlist.tracks.remove)):
        sending = extra(lambda carry_out=carry_out: carry_out(*tracks))
        assert counted(sending, write, write.statements) == sorted(write.statements)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "model",
    [each for each in registry.plan().sources if not each._meta.auto_created],
    ids=lambda model: model.__name__,
)
def test_never_more_than_is_said(model):
    for write in source(model, "default").writes:
        if write.more:
            continue
        carry_out = the_write(Nursery(), model, write.name, next(iter(write.changed), None))
        with sent() as statements:
            carry_out()

        most = max(len(write.statements), len(write.where_extreme or ()))
        assert len(statements) - 1 <= most, (write, list(statements))


@pytest.mark.django_db
def test_the_numbers_are_those_of_the_promise():
    """As ``test_statement_counts.py`` asserts them, for a book with a shelf and a publisher."""
    product = connection.vendor
    returned = 0 if product == "sqlite" else 1
    referred = 1 if product == "mysql" else 0

    numbers = {
        (write.name, each): len(write.statements)
        for write in source(zoo.Book, "default").writes
        for each in write.changed or [""]
    }

    assert numbers == {
        ("create", ""): 2 + 2 * referred,
        ("save, changed", "pages"): 3,
        ("save, moved", "shelf_id"): 2 + referred,
        ("save, moved", "publisher_id"): 2 + referred,
        (UNCHANGED, ""): 1,
        (OTHERS, ""): 0,
        ("delete", ""): 2,
        ("bulk_create()", ""): 2 + 2 * referred,
        ("update(), changed", "pages"): 3,
        ("update(), moved", "shelf_id"): 2 + referred,
        ("update(), moved", "publisher_id"): 2 + referred,
        ("QuerySet.delete()", ""): 3 - returned,
    }


@pytest.mark.django_db
def test_a_copy_that_must_be_there_at_the_insert_is_read_for_each_row():
    (write,) = [each for each in source(zoo.Licence, "default").writes if "bulk" in each.name]

    assert write.statements == ("SELECT testapp_maker",)
    assert write.more


@pytest.mark.django_db
def test_locks_on_the_way_are_said_but_not_counted():
    near, far = (next(iter(source(model, "default").writes)) for model in (zoo.Book, zoo.Reaction))

    assert near.more == ""
    assert far.more == (LOCKS if connection.features.has_select_for_update else "")


@pytest.mark.django_db
def test_what_cascades_has_no_certain_number():
    writes = {each.name: each for each in source(zoo.Post, "default").writes}

    assert writes["delete"].more
    assert writes["QuerySet.delete()"].more
    assert not writes["create"].more


# Rules, indexes, the command -------------------------------------------------------------------


@pytest.mark.django_db
def test_a_rule_is_explained():
    (rule,) = explain("testapp.Post.public_score").rules

    assert rule.label == "testapp.Post.public_score"
    assert rule.expression.startswith("Sum(F(comments__score), filter=")
    assert rule.maintenance == "delta"
    assert [(each.path, each.model, each.columns) for each in rule.reads] == [
        ("comments", "testapp.Comment", ("is_public", "post_id", "score"))
    ]
    assert [(each.model, each.columns, each.there) for each in rule.indexes] == [
        ("testapp.Comment", ("post_id",), True)
    ]


@pytest.mark.django_db
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
def test_each_maintenance_is_named(label, maintenance):
    (rule,) = explain(label).rules

    assert rule.maintenance == maintenance


@pytest.mark.django_db
def test_an_index_of_key_and_column_is_advised_for_an_extreme():
    (rule,) = explain("testapp.Box.entry_size").rules

    assert [(each.columns, each.there, each.only_advised) for each in rule.indexes] == [
        (("box_id",), True, False),
        (("box_id", "size"), False, True),
    ]


def command(*labels, **options):
    out = io.StringIO()
    call_command("syncfields", *labels, stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_prints_rules_and_writes():
    out = command("testapp.Shelf", explain=True)

    assert "testapp.Shelf.page_sum = Sum(F(books__pages))\n  kept by: delta\n" in out
    assert "  reads books: pages, shelf_id of testapp.Book\n" in out
    assert "  index on testapp.Book (shelf_id): there\n" in out
    line = next(each for each in out.splitlines() if "save, changed: pages" in each)
    assert line.split() == [
        *["save,", "changed:", "pages", "3", "SELECT", "testapp_book,"],
        *["UPDATE", "testapp_shelf,", "UPDATE", "testapp_publisher"],
    ]
    assert out.endswith("2 rule(s) that read 1 model(s).\n")


@pytest.mark.django_db
def test_the_command_explains_all_rules():
    out = command(explain=True)

    assert f"{len(registry.plan().rules)} rule(s)" in out


@pytest.mark.django_db
def test_the_command_as_json():
    found = json.loads(command("testapp.Shelf.book_count", explain=True, format="json"))

    (rule,) = found["rules"]
    assert rule["label"] == "testapp.Shelf.book_count"
    (book,) = found["sources"]
    assert (book["model"], book["database"]) == ("testapp.Book", "default")
    assert {each["name"] for each in book["writes"]} >= {"create", "delete", UNCHANGED}


@pytest.mark.django_db(databases=["default", "other"])
def test_the_command_for_another_database():
    found = json.loads(command("testapp.Shelf", explain=True, format="json", database="other"))

    assert {each["database"] for each in found["sources"]} == {"other"}


@pytest.mark.parametrize(
    ("labels", "options", "culprit"),
    [
        ([], {}, "--explain"),
        (["testapp.Nothing"], {"explain": True}, "testapp.Nothing"),
        ([], {"explain": True, "database": "nowhere"}, "nowhere"),
    ],
)
def test_the_command_says_what_is_wrong(labels, options, culprit):
    with pytest.raises(CommandError, match=culprit):
        command(*labels, **options)
