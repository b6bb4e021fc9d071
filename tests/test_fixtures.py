"""``loaddata`` of what ``dumpdata`` wrote: in any order, with right values at the end."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json

import pytest
from django.core.management import call_command
from django.core.serializers import deserialize
from django.db import connection, transaction

from syncfields import reconcile
from tests.firsts.models import (
    Badge,
    Deed,
    Label,
    Owner,
    Paper,
    Pupil,
    School,
    Stub,
    Thing,
    Ticket,
    Tool,
    Town,
    with_rules,
)

SCHOOLS = (Pupil, Paper, School, Town, Badge)
OWNERS = (Owner, Deed, Stub, Ticket)
MODELS = (*SCHOOLS, *OWNERS)
# A server takes its time to empty all tables after each.
STEP = 1 if connection.vendor == "sqlite" else 9
ORDERS = [*itertools.permutations(SCHOOLS), *itertools.permutations(OWNERS)][::STEP]


@pytest.fixture(scope="module", autouse=True)
def rules():
    with with_rules():
        yield


def fill():
    towns = [Town.objects.create(name=name) for name in ("here", "there")]
    founded = dt.date(1900, 1, 1)
    schools = [School.objects.create(name=t.name[0], town=t, founded=founded) for t in towns]
    for number, school in enumerate((*schools, schools[0])):
        pupil = Pupil.objects.create(name=f"p{number}", school=school, badge=Badge.objects.create())
        Paper.objects.create(pupil=pupil, mark=number + 1)
        school.head = pupil
        school.save()
    since = dt.datetime(2100, 1, 1, tzinfo=dt.timezone.utc)
    for number in range(2):
        owner = Owner.objects.create(name=f"o{number}", since=since)
        Stub.objects.create(owner=owner)
        Ticket.objects.create(owner=owner)
        for w in range(number + 1):
            Deed.objects.create(owner=owner, w=w, f=w)
    # JSON has milliseconds only.
    Ticket.objects.update(changed=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc))


def dumped():
    out = io.StringIO()
    call_command("dumpdata", "firsts", stdout=out)
    return json.loads(out.getvalue())


def state():
    return {model: list(model.objects.order_by("pk").values()) for model in MODELS}


def emptied():
    School.objects.update(head=None)
    for model in (Paper, Pupil, School, Town, Badge, Owner):
        model.objects.all().delete()


def load(rows, tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    call_command("loaddata", path, verbosity=0)


def assert_reconciled():
    assert reconcile(check=True).ok


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(m.__name__ for m in order))
@pytest.mark.django_db(transaction=True)
def test_fixtures_in_any_order(order, tmp_path):
    fill()
    rows, expected = dumped(), state()
    emptied()
    labels = [model._meta.label_lower for model in order]
    rows.sort(key=lambda row: labels.index(row["model"]) if row["model"] in labels else -1)

    load(rows, tmp_path)

    assert state() == expected
    assert_reconciled()


@pytest.mark.parametrize("wrong", [None, "x"])
@pytest.mark.django_db(transaction=True)
def test_fixtures_that_say_something_else(wrong, tmp_path):
    fill()
    rows, expected = dumped(), state()
    emptied()
    for row in rows:
        if row["model"] == "firsts.pupil":
            row["fields"] |= {"school_name": wrong, "town_name": wrong, "is_head": False}
        if row["model"] == "firsts.town":
            row["fields"]["pupil_count"] = 77

    load(sorted(rows, key=lambda row: row["model"]), tmp_path)

    assert state() == expected
    assert_reconciled()


@pytest.mark.django_db(transaction=True)
def test_fixtures_without_the_synced_fields(tmp_path):
    fill()
    rows, expected = dumped(), state()
    emptied()
    for row in rows:
        if row["model"] == "firsts.pupil":
            for name in ("school_name", "town_name", "school_founded", "is_head"):
                del row["fields"][name]

    load(rows, tmp_path)

    assert state() == expected


@pytest.mark.django_db(transaction=True)
def test_fixtures_loaded_over_other_rows(tmp_path):
    fill()
    rows, expected = dumped(), state()
    School.objects.update(name="changed", head=None)
    Pupil.objects.update(school=School.objects.order_by("pk")[0], name="changed")

    load(rows[::-1], tmp_path)

    assert state() == expected
    assert_reconciled()


@pytest.mark.django_db(transaction=True)
def test_a_fixture_of_a_child_in_another_table_before_its_parent(tmp_path):
    tool = Tool.objects.create(f=4, handle="wood")
    Label.objects.create(thing=tool, w=9)
    rows, expected = dumped(), Tool.objects.values().get()
    Label.objects.all().delete()
    Thing.objects.all().delete()

    load(sorted(rows, key=lambda row: row["model"], reverse=True), tmp_path)

    assert Tool.objects.values().get() == expected
    assert_reconciled()


@pytest.mark.django_db(transaction=True)
def test_rows_that_are_deserialized_and_saved_by_hand():
    fill()
    rows, expected = dumped(), state()
    emptied()

    with transaction.atomic(), connection.constraint_checks_disabled():
        for row in deserialize("json", json.dumps(rows)):
            row.save()

    assert state() == expected
    assert_reconciled()
