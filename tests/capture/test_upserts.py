"""``bulk_create(update_conflicts=True)`` does what it does without the library.

Django's own way is what it does inside ``unsynced()``, on the same rows.
"""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models, transaction
from django.db.models import Value
from django.db.models.functions import Lower

from syncfields import coalesce, unsynced
from syncfields.capture import conflicts
from syncfields.plan import registry
from tests.testapp import models as zoo
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
A, B, C = (uuid.UUID(int=number) for number in (1, 2, 3))
TARGETED = connection.features.supports_update_conflicts_with_target


@pytest.fixture(autouse=True)
def rows():
    for key, code in ((A, "a"), (B, "b")):
        zoo.Customer.objects.create(id=key, code=code)
    for pk, name in enumerate(("ann", "bob", "eve"), 101):
        User.objects.create(pk=pk, username=name, email=f"{name}@x.org")
    zoo.Profile.objects.create(user_id=101, nickname="nan")
    zoo.Order.objects.create(customer_id="a")
    zoo.Beat.objects.create(monitor=zoo.Monitor.objects.create(), level=4)
    zoo.Seat.objects.create(team=zoo.Team.objects.create(pk=1), number=1)
    zoo.Mascot.objects.create(team_id=1)
    city = zoo.City.objects.create(country=zoo.Country.objects.create(code="aa"), size=3)
    zoo.Parcel.objects.create(city=city)


def order(pk, code="b", **values):
    return zoo.Order(pk=pk, customer_id=code, **values)


def first(model):
    return model.objects.earliest("pk").pk


def beats():
    monitor = zoo.Monitor.objects.get()
    last = first(zoo.Beat)
    return [
        zoo.Beat(pk=last, monitor=monitor, level=9),
        zoo.Beat(monitor=monitor, level=2),
        zoo.Beat(pk=last + 100, monitor=monitor, level=3, weight=8),
        zoo.Beat(monitor=monitor, level=5),
    ]


CASES = {
    "new and old": lambda: ([order(first(zoo.Order)), order(900)], ["customer"], ["id"]),
    "by the name pk": lambda: ([order(first(zoo.Order)), order(900)], ["customer"], ["pk"]),
    "key as text": lambda: ([order(str(first(zoo.Order))), order("900")], ["customer"], ["id"]),
    "keys made": lambda: ([order(None), order(900), order(None, "a")], ["customer"], ["id"]),
    "one row twice": lambda: ([order(900), order(900, "a")], ["customer"], ["id"]),
    "an old row twice": lambda: (
        [order(first(zoo.Order)), order(first(zoo.Order), "a")],
        ["customer"],
        ["id"],
    ),
    "no such parent": lambda: ([order(900, "zzz")], ["customer"], ["id"]),
    "generated, defaults": lambda: (beats(), ["level", "at", "monitor"], ["id"]),
    "no value": lambda: ([zoo.Beat(level=1), *beats()], ["level"], ["id"]),
    "unique column": lambda: (
        [zoo.Profile(user_id=pk, nickname="n") for pk in (103, 101)],
        ["nickname"],
        ["user"],
    ),
    "NULL among unique values": lambda: (
        [zoo.Profile(user_id=pk, nickname=str(pk)) for pk in (103, 101, None, None)],
        ["nickname"],
        ["user"],
    ),
    "another unique column": lambda: (
        [zoo.Customer(id=A, code="new"), zoo.Customer(id=C, code="b")],
        ["code"],
        ["code"],
    ),
    "letter case": lambda: (
        [zoo.Customer(id=C, code="A"), zoo.Customer(id=uuid.UUID(int=9), code="z")],
        ["code"],
        ["code"],
    ),
    "letter case twice": lambda: (
        [zoo.Customer(id=C, code="Z"), zoo.Customer(id=uuid.UUID(int=9), code="z")],
        ["code"],
        ["code"],
    ),
    "expression": lambda: (
        [zoo.Customer(id=C, code=Lower(Value("A"))), zoo.Customer(code="c", id=uuid.UUID(int=9))],
        ["code"],
        ["code"],
    ),
    "composite key": lambda: (
        [zoo.Seat(team_id=1, number=number, weight=5) for number in (2, 1, 3)],
        ["weight"],
        ["team", "number"],
    ),
    "key of another model": lambda: (
        [zoo.Mascot(team_id=1, name="bear", height=7)],
        ["name", "height"],
        ["team"],
    ),
    "text as key": lambda: (
        [zoo.Country(code=code, name=code) for code in ("bb", "aa")],
        ["name"],
        ["code"],
    ),
    "columns that do not matter": lambda: (
        [zoo.Comment(pk=pk, note="n", created=NOON) for pk in (1, 2)],
        ["note"],
        ["id"],
    ),
    "table with its schema": lambda: (
        [zoo.Parcel(pk=pk, city_id=first(zoo.City)) for pk in (first(zoo.Parcel), 900)],
        ["city"],
        ["id"],
    ),
    "proxy": lambda: (
        [zoo.PublicComment(pk=pk, post_id=None, created=NOON) for pk in (1, 2)],
        ["post", "is_public"],
        ["id"],
    ),
    "no update_fields": lambda: ([order(900)], None, ["id"]),
    "no unique_fields": lambda: ([order(900)], ["customer"], None),
    "key updated": lambda: ([order(900)], ["id"], ["id"]),
    "unknown column": lambda: ([order(900)], ["nothing"], ["id"]),
}


@pytest.mark.parametrize("batch_size", [None, 1, 0])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_as_without_the_library(case, batch_size):
    with unsynced():
        expected = outcome(case, batch_size)

    assert outcome(case, batch_size, assert_truth) == expected


def outcome(case, batch_size, check=lambda: None):
    """What came of it, in a transaction that is rolled back."""
    objs, update_fields, unique_fields = case()
    options = {"unique_fields": unique_fields} if TARGETED else {}
    found = []
    try:
        with transaction.atomic():
            returned = type(objs[0]).objects.bulk_create(
                objs,
                batch_size=batch_size,
                update_conflicts=True,
                update_fields=update_fields,
                **options,
            )
            assert all(one is other for one, other in zip(returned, objs, strict=True))
            stored = list(models.QuerySet(type(objs[0])).order_by("pk").values())
            found = [told(row, stored) for row in stored], [told(vars(obj), stored) for obj in objs]
            if connection.features.can_defer_constraint_checks:
                connection.check_constraints()
            check()
            transaction.set_rollback(True)
    except Exception as error:  # noqa: BLE001 - it is to be the same one
        return type(error), str(error).partition("DETAIL")[0]
    return found


def told(row, stored):
    """What does not depend on the time, on how often a sequence was asked, or on the rules."""
    numbers = {each.get("id"): number for number, each in enumerate(stored)}
    names = {name for owned in registry.plan().owned.values() for name in owned}
    held = {name: value for name, value in row.items() if name not in {"_state", "at", *names}}
    if "id" in held:
        held["id"] = numbers.get(held["id"], held["id"])
    return {name: value for name, value in held.items() if not hasattr(value, "get_lookup")}


def test_what_is_in_the_way_by_an_index_that_django_does_not_know(monkeypatch):
    """Which only MariaDB asks for: the others are told which columns."""
    monkeypatch.setattr(conflicts, "unique_sets", lambda model: [("id",)])

    zoo.Customer.objects.bulk_create(
        [zoo.Customer(id=C, code="a"), zoo.Customer(code="c"), zoo.Customer(code="c")],
        update_conflicts=True,
        update_fields=["code"],
        **({"unique_fields": ["code"]} if TARGETED else {}),
        batch_size=1,
    )

    assert sorted(zoo.Customer.objects.values_list("code", flat=True)) == ["a", "b", "c"]
    assert_truth()


def test_nulls_that_are_equal(monkeypatch):
    if not connection.features.supports_nulls_distinct_unique_constraints:
        pytest.skip("no such constraint")
    constraint = models.UniqueConstraint(
        fields=["customer", "total"], name="order_of_nobody", nulls_distinct=False
    )
    zoo.Order.objects.create(customer_id=None)
    zoo.Line.objects.create(order=zoo.Order.objects.create(customer_id="b"), price=5)
    connection.check_constraints()  # Or the table could not be altered in this transaction.
    with connection.schema_editor() as editor:
        editor.add_constraint(zoo.Order, constraint)
    monkeypatch.setattr(zoo.Order._meta, "constraints", [constraint])

    zoo.Order.objects.bulk_create(
        [zoo.Order(customer_id=None, date="2026-01-01"), zoo.Order(customer_id="a")],
        update_conflicts=True,
        update_fields=["customer"],
        unique_fields=["customer", "total"],
    )

    assert zoo.Order.objects.count() == 3
    assert_truth()


def test_an_instance_of_a_row_that_was_there_shows_what_it_holds():
    options = {"unique_fields": ["id"]} if TARGETED else {}
    there, new = zoo.Customer(id=A, code="a"), zoo.Customer(id=C, code="c")

    zoo.Customer.objects.bulk_create(
        [there, new], update_conflicts=True, update_fields=["code"], **options
    )

    assert (there.order_count, new.order_count) == (1, 0)
    assert_truth()


def test_more_rows_than_are_looked_for_together(monkeypatch):
    monkeypatch.setattr(conflicts, "BATCH", 2)
    known = [first(zoo.Order)]
    known += [zoo.Order.objects.create(customer_id=code).pk for code in "aab"]
    options = {"unique_fields": ["id"]} if TARGETED else {}

    rows = [order(pk) for pk in (*known, 900, 901, 902)]
    zoo.Order.objects.bulk_create(
        rows, update_conflicts=True, update_fields=["customer"], **options
    )

    assert zoo.Customer.objects.get(code="b").order_count == 7
    assert_truth()


def test_inside_coalesce():
    with coalesce():
        zoo.Order.objects.create(customer_id="b")
        rows = [order(first(zoo.Order)), order(900), order(901, "a")]
        options = {"unique_fields": ["id"]} if TARGETED else {}
        zoo.Order.objects.bulk_create(
            rows, update_conflicts=True, update_fields=["customer"], **options
        )

    assert zoo.Customer.objects.get(code="b").order_count == 3
    assert_truth()


def test_noted_where_rules_are_suspended():
    with unsynced(reconcile=True):
        rows = [order(first(zoo.Order)), order(900), order(901, "a")]
        options = {"unique_fields": ["id"]} if TARGETED else {}
        zoo.Order.objects.bulk_create(
            rows, update_conflicts=True, update_fields=["customer"], **options
        )

    assert zoo.Customer.objects.get(code="b").order_count == 2
    assert_truth()
