"""Stored fields whose value is a Django expression, kept true by the library."""

from syncfields.contexts import coalesce, flush, unsynced
from syncfields.drift import Drift
from syncfields.exceptions import SyncedFieldError
from syncfields.expressions import Tally
from syncfields.managers import SyncManager, SyncQuerySet
from syncfields.reconcile import Report, RuleReport, reconcile
from syncfields.rules import register, synced

__all__ = [
    "Drift",
    "Report",
    "RuleReport",
    "SyncManager",
    "SyncQuerySet",
    "SyncedFieldError",
    "Tally",
    "coalesce",
    "flush",
    "reconcile",
    "register",
    "synced",
    "unsynced",
]
