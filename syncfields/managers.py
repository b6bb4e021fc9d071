"""For models that prefer to say that their rows are kept right.

Every queryset is sync-aware, whatever its class: ``capture`` wraps Django's own methods. These say
so where the model is read, and reconcile the rows they select.
"""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from syncfields.reconcile.repair import areconcile, reconcile
from syncfields.reconcile.reports import Report

Row = TypeVar("Row", bound=models.Model)


class SyncQuerySet(models.QuerySet[Row]):
    """A queryset of targets that can put itself right."""

    def reconcile(self, *, check: bool = False) -> Report:
        """Recompute the synced fields of these rows, and repair those that drifted.

        ``check`` only looks. Raises ``LookupError`` for a model without rules.
        """
        return reconcile(self, check=check)

    async def areconcile(self, *, check: bool = False) -> Report:
        """``reconcile()`` for async code."""
        return await areconcile(self, check=check)


class SyncManager(models.Manager.from_queryset(SyncQuerySet)[Row]):  # type: ignore[misc]
    """The manager of ``SyncQuerySet``."""
