"""django-auditlog: a log entry for each change that a save makes."""

from __future__ import annotations

import pytest

pytest.importorskip("auditlog", reason="django-auditlog is not installed")

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.db import models
from django.db.models import Count, F, Max, Q, Sum

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Ledger(models.Model):
    name = models.CharField(max_length=20)
    posting_count = synced(models.IntegerField(default=0), Count("postings"))
    big_count = synced(
        models.IntegerField(default=0), Count("postings", filter=Q(postings__amount__gt=9))
    )
    balance = synced(models.IntegerField(default=0), Sum("postings__amount"))
    largest = synced(models.IntegerField(null=True), Max("postings__amount"))


class Posting(models.Model):
    ledger = models.ForeignKey(Ledger, models.CASCADE, related_name="postings")
    amount = models.IntegerField(default=1)
    ledger_name = synced(models.CharField(max_length=20), F("ledger__name"))
    seen_by = models.ManyToManyField("auth.User")


auditlog.register(Ledger)
auditlog.register(Posting, m2m_fields={"seen_by"})


def changed(instance):
    """The names in the last entry about the instance."""
    return set(LogEntry.objects.get_for_object(instance).first().changes_dict)


@pytest.fixture
def ledger(db):
    ledger = Ledger.objects.create(name="cash")
    for amount in (5, 10):
        Posting.objects.create(ledger=ledger, amount=amount)
    assert_true()
    return ledger


def test_a_stale_instance_logs_no_change_that_never_was(ledger):
    fresh = Ledger.objects.get(pk=ledger.pk)
    Posting.objects.create(ledger=ledger, amount=20)

    fresh.name = "bank"
    fresh.save()
    assert_true()
    assert changed(ledger) == {"name"}


def test_a_value_that_is_not_written_is_not_logged(ledger):
    fresh = Ledger.objects.get(pk=ledger.pk)
    fresh.name, fresh.balance = "bank", 999
    fresh.save()
    assert_true()

    assert "999" not in str(LogEntry.objects.get_for_object(ledger).first().changes_dict)


def test_postings_are_moved_and_deleted(ledger):
    other = Ledger.objects.create(name="bank")
    posting = ledger.postings.get(amount=5)
    posting.ledger, posting.amount = other, 50
    posting.save()
    assert_true()
    assert {"ledger", "amount"} <= changed(posting)
    posting.delete()
    assert_true()
    ledger.delete()
    assert_true()
    assert LogEntry.objects.filter(action=LogEntry.Action.DELETE).count() == 3


def test_what_the_page_shows(ledger):
    stale = Ledger.objects.get()
    Posting.objects.create(ledger=ledger, amount=20)
    stale.name = "bank"

    shown("django-auditlog", globals(), stale=stale)
    assert_true()
