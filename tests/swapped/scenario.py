"""Run by tests/test_swapped_user.py in a process of its own: the user model is a setting."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import F

from syncfields import registry
from syncfields.compiler import compile_rules
from syncfields.rules import Declaration, Rule
from syncfields.testing import assert_in_sync
from tests.swapped.models import Card, Member, Note, Shelf

pytestmark = pytest.mark.django_db


def test_nothing_is_compiled_for_the_model_that_was_swapped_out():
    plan = registry.plan()

    assert User._meta.swapped == "swapped.Member"
    assert get_user_model() is Member
    assert plan.sources.keys() == {Member, Card, Note, Shelf}
    assert plan.targets.keys() == {Member, Card, Shelf}
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
    assert error.message == "auth.User is swapped out for swapped.Member, and has no rows."
