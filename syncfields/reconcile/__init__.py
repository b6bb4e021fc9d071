"""Find drift and repair it, under live traffic, from the same plan that the writes use."""

from syncfields.reconcile.repair import areconcile, reconcile
from syncfields.reconcile.reports import Interrupted, Report, RuleReport

__all__ = ["Interrupted", "Report", "RuleReport", "areconcile", "reconcile"]
