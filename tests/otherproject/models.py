"""What the zoo cannot have: a user model of its own, and tables that Django never made."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Count, F, Max, Q, Sum

from syncfields import Tally, synced


class Member(AbstractUser):
    note_count = models.IntegerField(default=0)
    longest = models.IntegerField(null=True)


class Card(models.Model):
    holder = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="card")
    email = synced(models.EmailField(default=""), F("holder__email"))
    saves = synced(models.IntegerField(default=0), Tally("holder"))


class Note(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notes")
    shelf = models.ForeignKey("Shelf", models.CASCADE, related_name="notes")
    length = models.IntegerField(default=1)


class Shelf(models.Model):
    active_count = synced(
        models.IntegerField(default=0),
        Count("notes", filter=Q(notes__author__is_active=True)),
    )


class Ledger(models.Model):
    """Its table is made by the SQL below, as is that of the postings."""

    number = models.IntegerField(primary_key=True)
    title = models.CharField(max_length=40, default="")
    balance = synced(models.IntegerField(default=0), Sum("postings__amount"))
    highest = synced(models.IntegerField(null=True), Max("postings__amount"))

    class Meta:
        managed = False
        db_table = "old_ledger"


class Posting(models.Model):
    number = models.IntegerField(primary_key=True)
    ledger = models.ForeignKey(
        Ledger, models.CASCADE, null=True, related_name="postings", db_column="LedgerNo"
    )
    amount = models.IntegerField(default=0)
    ledger_title = synced(models.CharField(max_length=40, null=True), F("ledger__title"))

    class Meta:
        managed = False
        db_table = "old_posting"


class Auditor(models.Model):
    """A managed target of an unmanaged source."""

    ledger = models.ForeignKey(Ledger, models.CASCADE, related_name="auditors", db_constraint=False)
    balance = synced(models.IntegerField(null=True), F("ledger__balance"))


TABLES = """
CREATE TABLE old_ledger (
    number INTEGER PRIMARY KEY,
    title VARCHAR(40) NOT NULL,
    balance INTEGER NOT NULL,
    highest INTEGER NULL
);
CREATE TABLE old_posting (
    number INTEGER PRIMARY KEY,
    {LedgerNo} INTEGER NULL,
    amount INTEGER NOT NULL,
    ledger_title VARCHAR(40) NULL
)
"""
