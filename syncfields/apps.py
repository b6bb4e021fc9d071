"""Start-up: the only file that knows everyone."""

from django.apps import AppConfig
from django.core.checks import Tags
from django.core.checks import register as register_check
from django.db.models.signals import class_prepared

from syncfields import capture
from syncfields.checks import alarm, declarations
from syncfields.declare import rules
from syncfields.explain import labels
from syncfields.management import progress
from syncfields.memory import tracking
from syncfields.plan import registry
from syncfields.sql import printing
from syncfields.transactions import pending


class SyncFieldsConfig(AppConfig):
    name = "syncfields"
    verbose_name = "Synced fields"

    def ready(self) -> None:
        capture.connect()
        progress.connect()
        labels.connect()
        rules.before_changes.append(pending.flush_all)
        rules.printers.append(printing.shown)
        class_prepared.connect(registry.outdate)
        registry.on_rebuild(tracking.attach)
        registry.on_rebuild(alarm.say)
        register_check(declarations.check_rules)
        register_check(declarations.check_settings)
        register_check(declarations.check_sqlite, deploy=True)
        register_check(declarations.check_views, Tags.database)
        register_check(declarations.check_hidden_writes)
        register_check(declarations.check_own_writes)
        register_check(declarations.check_indexes)
        register_check(declarations.check_editable)
