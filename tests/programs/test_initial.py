"""With which values a new row starts: however it comes into the table, those of ``annotate()``."""

from __future__ import annotations

import datetime as dt
from threading import Event, Thread
from time import sleep

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from syncfields.plan import registry
from tests.firsts.models import (
    Area,
    Deed,
    Job,
    Label,
    Owner,
    Plot,
    Shift,
    Stub,
    Thing,
    Ticket,
    Tool,
    with_rules,
)
from tests.statements import sent

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def rules():
    with with_rules():
        yield


def assert_annotated(*models):
    """Each stored value is what ``annotate()`` says, rule by rule."""
    for model in models:
        for rule in registry.plan().owned[model].values():
            truth = QuerySet(model).annotate(truth=rule.expression)
            for pk, stored, value in truth.values_list("pk", rule.field_name, "truth"):
                no_rows = value is None and not rule.field.null  # A sum of them.
                expected = type(stored)() if no_rows else value
                assert stored == expected, f"{rule.label} of {pk}"


WAYS = {
    "save": lambda row: row.save(),
    "create": lambda row: type(row).objects.create(**given(row)),
    "get_or_create": lambda row: type(row).objects.get_or_create(**given(row)),
    "update_or_create": lambda row: type(row).objects.update_or_create(**given(row)),
    "bulk_create": lambda row: type(row).objects.bulk_create([row]),
    "bulk_create of some": lambda row: type(row).objects.bulk_create([row], ignore_conflicts=True),
    "bulk_create or update": lambda row: type(row).objects.bulk_create(
        [row],
        update_conflicts=True,
        update_fields=[next(iter(given(row)))],
        **({} if row._meta.db_table in upserted_by_any_key() else {"unique_fields": ["pk"]}),
    ),
    "raw save": lambda row: row.save_base(raw=True),
}


def upserted_by_any_key():
    unnamed = not connection.features.supports_update_conflicts_with_target
    return connection.introspection.table_names() if unnamed else []


def given(row):
    owned = registry.plan().owned.get(type(row), {})
    return {
        field.name: getattr(row, field.name)
        for field in row._meta.local_concrete_fields
        if field.attname not in owned and not (field.primary_key and row.pk is None)
    }


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


@pytest.fixture
def owner():
    owner = Owner.objects.create(name="ann", since=dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc))
    Deed.objects.create(owner=owner, w=2, f=0.5)
    Deed.objects.create(owner=owner, w=1, f=2.0)
    return owner


@pytest.mark.parametrize("way", WAYS)
def test_a_path_that_begins_forwards_finds_rows(owner, way):
    WAYS[way](Stub(owner=owner))

    assert_annotated(Stub)
    assert Stub.objects.values("n", "total", "heaviest", "average", "heavy").get() == {
        "n": 2,
        "total": 3,
        "heaviest": 2,
        "average": 1.25,
        "heavy": 1,
    }


def test_a_path_that_begins_forwards_is_kept(owner):
    other = Owner.objects.create()
    stub = Stub.objects.create(owner=owner)

    stub.owner = other
    stub.save()
    assert_annotated(Stub)
    Deed.objects.update(owner=other)
    assert_annotated(Stub)


def together(first, second):
    """Both in transactions of their own; the second begins before the first is committed."""
    written, errors = Event(), []

    def attempt(write):
        try:
            write()
        except Exception as error:  # noqa: BLE001 - any
            errors.append(error)
        finally:
            written.set()
            connection.close()

    def hold():
        with transaction.atomic():
            first()
            written.set()
            sleep(0.5)

    def follow():
        written.wait()
        second()

    threads = [Thread(target=attempt, args=(write,)) for write in (hold, follow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="One writer at a time")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("model", [Stub, Ticket])
def test_what_the_row_leads_to_is_written_at_the_same_time(model, turned):
    owner = Owner.objects.create(name="ann")

    def change():
        Deed.objects.create(owner=owner, w=5)
        Owner(pk=owner.pk, name="bob").save()

    writes = [lambda: model.objects.create(owner=owner), change]
    together(*(writes[::-1] if turned else writes))

    assert_annotated(model)


def test_many_paths_that_begin_forwards(owner):
    Stub.objects.bulk_create([Stub(owner=owner), Stub(owner=Owner.objects.create())])

    assert_annotated(Stub)


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_looked_into_is_evaluated_after_the_insert(owner, way):
    WAYS[way](Ticket(owner=owner, changed=NOON))

    assert_annotated(Ticket)
    Owner.objects.update(name="bob")
    assert_annotated(Ticket)


def test_what_is_evaluated_afterwards_where_the_database_does_not_return_the_keys(
    monkeypatch, owner
):
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    taken = Ticket.objects.create(owner=owner, changed=NOON)

    Ticket.objects.bulk_create(
        [Ticket(pk=pk, owner=owner, changed=NOON) for pk in (taken.pk, taken.pk + 10)],
        ignore_conflicts=True,
    )

    assert Ticket.objects.count() == 2
    assert_annotated(Ticket)


@pytest.mark.parametrize("way", WAYS)
def test_values_over_no_rows(way):
    WAYS[way](Job(started=5))
    WAYS[way](Area(name="x"))

    assert_annotated(Job, Area)
    job = Job.objects.get()
    assert (job.spent, job.left, job.grade) == (dt.timedelta(0), 5, "none")
    Shift.objects.create(job=job, number=2)
    Plot.objects.create(area=Area.objects.get())
    assert_annotated(Job, Area)
    Shift.objects.all().delete()
    Plot.objects.all().delete()
    assert_annotated(Job, Area)


def test_an_exists_rule_costs_nothing_on_a_new_target():
    Area.objects.create()  # What is evaluated once.

    with sent() as statements:
        area = Area.objects.create()

    assert statements == ["INSERT firsts_area"]
    assert (area.is_taken, area.is_free) == (False, True)


def test_a_child_in_a_table_of_its_own():
    with sent() as statements:
        tool = Tool.objects.create(f=4)

    assert not statements.updates(Tool)
    assert_annotated(Tool)
    Label.objects.create(thing=tool, w=7)
    assert_annotated(Tool)


@pytest.mark.parametrize("raw", [False, True])
def test_a_child_for_a_parent_that_has_rows(raw):
    thing = Thing.objects.create(f=4)
    Label.objects.create(thing=thing, w=7)

    Tool(thing_ptr=thing, f=3).save_base(raw=raw)

    assert_annotated(Tool)
    assert Tool.objects.get().label_count == 1
