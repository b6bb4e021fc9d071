"""Run by tests/test_otherproject.py in a process of its own: the user model is a setting."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from syncfields.declare.rules import Declaration, Rule
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules
from syncfields.testing import assert_in_sync
from tests.otherproject.models import TABLES, Auditor, Card, Ledger, Member, Note, Posting, Shelf

# Checks ask each database what it is.
pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(scope="session", autouse=True)
def old_tables(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in TABLES.split(";"):
            cursor.execute(table.format(LedgerNo=connection.ops.quote_name("LedgerNo")))


def test_nothing_is_compiled_for_the_model_that_was_swapped_out():
    plan = registry.plan()

    assert User._meta.swapped == "otherproject.Member"
    assert get_user_model() is Member
    assert {Member, Card, Note, Shelf} <= plan.sources.keys()
    assert {Member, Card, Shelf} <= plan.targets.keys()
    assert User not in plan.sources.keys() | plan.targets.keys()
    assert registry.errors() == []
    call_command("check", fail_level="WARNING")


def test_values_are_kept():
    ann, bob = (Member.objects.create(username=n, email=f"{n}@example.org") for n in ("ann", "bob"))
    shelf = Shelf.objects.create()
    for member in (ann, bob):
        Card.objects.create(holder=member)
        Note.objects.bulk_create(Note(author=member, shelf=shelf, length=n) for n in (2, 5))
    assert_in_sync()

    ann.email, ann.is_active = "new@example.org", False
    ann.save()
    Member.objects.filter(pk=bob.pk).update(email="bob@example.com")
    Note.objects.get(author=bob, length=5).delete()
    assert_in_sync()
    assert Shelf.objects.get().active_count == 1
    assert Member.objects.values_list("note_count", "longest").get(pk=bob.pk) == (1, 2)
    assert Card.objects.values_list("email", "saves").get(holder=ann) == ("new@example.org", 1)

    bob.delete()
    assert_in_sync()


def test_e009_a_rule_on_the_model_that_was_swapped_out():
    _, (error,) = compile_rules([Rule(User, "is_staff", Declaration(F("profile__is_staff")))])

    assert error.id == "syncfields.E009"
    assert error.message == "auth.User is swapped out for otherproject.Member, and has no rows."


def test_tables_that_django_never_made():
    one, two = (Ledger.objects.create(number=n, title=f"ledger {n}") for n in (1, 2))
    Auditor.objects.create(ledger=one)
    Posting.objects.bulk_create(
        Posting(number=n, ledger=(one, two, None)[n % 3], amount=n) for n in range(9)
    )
    assert_in_sync()
    assert Auditor.objects.get().balance == 0 + 3 + 6

    posting = Posting.objects.get(number=6)
    posting.ledger, posting.amount = two, 60
    posting.save()
    assert_in_sync()
    assert Ledger.objects.values_list("balance", "highest").get(pk=2) == (1 + 4 + 7 + 60, 60)
    Ledger.objects.filter(pk=2).update(title="new")
    Posting.objects.filter(amount__lt=4).update(ledger=two)
    assert_in_sync()
    Posting.objects.get(number=7).delete()
    Posting.objects.filter(ledger=two, amount__gt=50).delete()
    assert_in_sync()
    assert Posting.objects.get(number=4).ledger_title == "new"

    one.delete()
    two.delete()
    assert list(Posting.objects.values_list("ledger", "ledger_title").distinct()) == [(None, None)]
    assert_in_sync()
