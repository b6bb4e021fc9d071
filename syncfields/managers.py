"""For models that prefer to say that their rows are kept right.

Every queryset is sync-aware, whatever its class: ``capture`` wraps Django's own methods. These say
so where the model is read, and reconcile the rows they select.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

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


if TYPE_CHECKING:
    # from_queryset() makes a class that no type checker knows.
    class SyncManager(models.Manager[Row]):
        """The manager of ``SyncQuerySet``."""

        def get_queryset(self) -> SyncQuerySet[Row]: ...
        def all(self) -> SyncQuerySet[Row]: ...
        def filter(self, *args: Any, **kwargs: Any) -> SyncQuerySet[Row]: ...
        def exclude(self, *args: Any, **kwargs: Any) -> SyncQuerySet[Row]: ...
        def using(self, alias: str | None) -> SyncQuerySet[Row]: ...
        def reconcile(self, *, check: bool = False) -> Report: ...
        async def areconcile(self, *, check: bool = False) -> Report: ...

else:

    class SyncManager(models.Manager.from_queryset(SyncQuerySet)):
        """The manager of ``SyncQuerySet``."""
