"""Find drift and repair it, under live traffic, from the same plan that the writes use."""

from syncfields.reconcile.repair import Interrupted, Report, RuleReport, areconcile, reconcile

__all__ = ["Interrupted", "Report", "RuleReport", "areconcile", "reconcile"]
