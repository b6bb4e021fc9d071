"""Stored fields whose value is a Django expression, kept true by the library."""

from syncfields.contexts import aflush, coalesce, flush, unsynced
from syncfields.declare.expressions import Tally
from syncfields.declare.rules import register, synced
from syncfields.exceptions import SyncedFieldError
from syncfields.managers import SyncManager, SyncQuerySet
from syncfields.reconcile.repair import areconcile, reconcile
from syncfields.reconcile.reports import Interrupted, Report, RuleReport
from syncfields.targets.drift import Drift

__version__ = "0.1.0"
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
