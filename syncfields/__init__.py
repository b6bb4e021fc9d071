"""Stored fields whose value is a Django expression, kept true by the library."""

from syncfields.contexts import aflush, coalesce, flush, unsynced
from syncfields.drift import Drift
from syncfields.exceptions import SyncedFieldError
from syncfields.expressions import Tally
from syncfields.managers import SyncManager, SyncQuerySet
from syncfields.reconcile import Interrupted, Report, RuleReport, areconcile, reconcile
from syncfields.rules import register, synced

__all__ = [
    "Drift",
    "Interrupted",
    "Report",
    "RuleReport",
    "SyncManager",
    "SyncQuerySet",
    "SyncedFieldError",
    "Tally",
    "aflush",
    "areconcile",
    "coalesce",
    "flush",
    "reconcile",
    "register",
    "synced",
    "unsynced",
]
