"""Start-up: the only file that knows everyone."""

from django.apps import AppConfig
from django.core.checks import Tags
from django.core.checks import register as register_check
from django.db.models.signals import class_prepared

from syncfields import alarm, capture, checks, registry, tracking


class SyncFieldsConfig(AppConfig):
    name = "syncfields"
    verbose_name = "Synced fields"

    def ready(self) -> None:
        capture.connect()
        class_prepared.connect(registry.outdate)
        registry.on_rebuild(tracking.attach)
        registry.on_rebuild(alarm.say)
        register_check(checks.check_rules)
        register_check(checks.check_settings)
        register_check(checks.check_sqlite, deploy=True)
        register_check(checks.check_views, Tags.database)
        register_check(checks.check_hidden_writes)
        register_check(checks.check_own_writes)
        register_check(checks.check_indexes)
