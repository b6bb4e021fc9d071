"""What the admin lists on its first page, and gives permissions for. There is no such table."""

from __future__ import annotations

from typing import Any

from django.db.models import Manager, Model, QuerySet


class NoRows(Manager["SyncedField"]):
    """So that ``dumpdata`` and others that go through all models find nothing, and ask nothing."""

    def get_queryset(self) -> QuerySet[SyncedField, Any]:
        return super().get_queryset().none()


class SyncedField(Model):  # noqa: DJ008 - there are no rows to be shown
    """Permissions: to view the page and to check is "view", to repair is "change"."""

    objects = NoRows()

    class Meta:
        managed = False
        base_manager_name = "objects"
        default_permissions = ("view", "change")
        verbose_name = "synced field"
