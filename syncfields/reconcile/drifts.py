"""What has drifted among a few rows that somebody looks at: nothing is locked, nothing written."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from syncfields.reconcile.selection import plan_tasks
from syncfields.sql.scans import Rows
from syncfields.targets import drift
from syncfields.targets.drift import Drift


def drifted_rows(queryset: QuerySet[Any]) -> dict[Any, dict[str, Drift]]:
    """``{pk: {attname: Drift}}`` of the rows that have drifted, for as many as a page shows.

    Raises as ``reconcile()`` does.
    """
    found: dict[Any, dict[str, Drift]] = {}
    for task in plan_tasks([queryset], None):
        pks = list(task.queryset.values_list("pk", flat=True))
        chosen = Rows(task.model, task.queryset.db, pks)
        for scan in task.scans:
            for pk, drifts in drift.differing(scan, chosen):
                found.setdefault(pk, {}).update(drifts)
    return found
