"""``"syncfields.admin"`` in ``INSTALLED_APPS``: the page "Synced fields"."""

from django.apps import AppConfig


class SyncedFieldsConfig(AppConfig):
    name = "syncfields.admin"
    label = "syncfields_admin"
    verbose_name = "Denormalization"
