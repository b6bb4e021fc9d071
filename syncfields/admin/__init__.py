"""What the admin shows of synced fields. The admin imports it where it is installed."""

from syncfields.admin.mixins import SyncedAdminMixin

__all__ = ["SyncedAdminMixin"]
