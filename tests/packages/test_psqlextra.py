"""django-postgres-extra: a back end and a manager whose upserts are INSERTs of their own."""

from __future__ import annotations

import pytest

pytest.importorskip("psqlextra", reason="django-postgres-extra is not installed")

import django
from django.conf import settings
from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from psqlextra.models import PostgresModel
from psqlextra.query import ConflictAction

from syncfields import reconcile, synced
from syncfields.checks import declarations
from tests.packages.truth import assert_true, shown

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        settings.DATABASES["default"]["ENGINE"] != "psqlextra.backend", reason="not PostgreSQL"
    ),
]


class Reader(PostgresModel):
    name = models.CharField(max_length=20, unique=True)
    loan_count = synced(models.IntegerField(default=0), Count("loans"))
    long_count = synced(models.IntegerField(default=0), Count("loans", filter=Q(loans__days__gt=9)))
    days = synced(models.IntegerField(default=0), Sum("loans__days"))
    longest = synced(models.IntegerField(null=True), Max("loans__days"))


class Loan(PostgresModel):
    reader = models.ForeignKey(Reader, models.CASCADE, related_name="loans")
    code = models.CharField(max_length=20, unique=True)
    days = models.IntegerField(default=1)
    reader_name = synced(models.CharField(max_length=20, null=True), F("reader__name"))


@pytest.fixture
def readers(db):
    readers = [Reader.objects.create(name=name) for name in ("ann", "bob")]
    for number in range(3):
        Loan.objects.create(reader=readers[0], code=f"c{number}", days=5 * number)
    assert_true()
    return readers


def test_what_django_has_too(readers):
    ann, bob = readers
    Loan.objects.filter(days__gt=4).update(reader=bob, days=F("days") + 1)
    assert_true()
    Loan.objects.bulk_create([Loan(reader=ann, code=c) for c in "xy"])
    assert_true()
    Loan.objects.bulk_create(
        [Loan(reader=bob, code="x", days=30)],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["reader", "days"],
    )
    assert_true()
    Loan.objects.insert(reader=ann, code="plain", days=3)
    assert_true()
    Loan.objects.bulk_insert([{"reader": bob, "code": "rows", "days": 3}])
    assert_true()
    Loan.objects.filter(reader=bob).delete()
    assert_true()
    ann.delete()
    assert_true()


@pytest.mark.skipif(
    django.VERSION >= (6,), reason="the release that pip takes with Django 6 cannot upsert there"
)
def test_its_upserts_are_not_seen_and_a_check_says_so(readers):
    _ann, bob = readers
    Loan.objects.upsert(conflict_target=["code"], fields={"reader": bob, "code": "c1", "days": 9})
    Loan.objects.on_conflict(["code"], ConflictAction.UPDATE).insert(reader=bob, code="new")

    assert not reconcile(check=True).ok
    reconcile()
    assert_true()
    warned = {each.obj: each for each in declarations.check_own_writes()}
    assert warned.keys() == {Reader, Loan}
    assert warned[Loan].msg.startswith(
        "PostgresQuerySet writes packages.Loan by queries of its own, which are not seen: "
        "bulk_insert(), bulk_upsert(), insert(), insert_and_get(), upsert(), upsert_and_get()."
    )


@pytest.mark.skipif(
    django.VERSION >= (6,), reason="the release that pip takes with Django 6 cannot upsert there"
)
def test_what_the_page_shows(readers):
    rows = [Loan(reader=readers[0], code=f"c{number}") for number in range(3)]

    shown("django-postgres-extra", globals(), bob=readers[1], rows=rows)
    assert Loan.objects.get(code="c1").reader == readers[0]
    reconcile()
    assert_true()
