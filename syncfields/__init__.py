"""Stored fields whose value is a Django expression, kept true by the library."""

from syncfields.contexts import unsynced
from syncfields.drift import Drift
from syncfields.exceptions import SyncedFieldError
from syncfields.expressions import Tally
from syncfields.reconcile import Report, RuleReport, reconcile
from syncfields.rules import register, synced

__all__ = [
    "Drift",
    "Report",
    "RuleReport",
    "SyncedFieldError",
    "Tally",
    "reconcile",
    "register",
    "synced",
    "unsynced",
]
