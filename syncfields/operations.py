"""For the migrations of projects that use syncfields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps.registry import Apps
from django.db import router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

from syncfields.declare.expressions import Tally
from syncfields.management.progress import of_migrate
from syncfields.reconcile.chunks import BATCH_SIZE
from syncfields.reconcile.historical import fill


class Backfill(Operation):
    """Write the values of expressions to rows that are there already.

    ``Backfill("shop.Order", total=Sum("lines__price"))``: a model, with the app's label or without
    it for one of the migration's app, and for each field what ``annotate()`` takes; or a function
    that is called with the apps of the migration, as ``RunPython`` calls one, and returns it. Where
    a field has the name of another argument give them as one mapping, ``values={...}``.

    It sees models as they are at that place of the history, so that no later migration and no later
    code can break it. It goes in chunks of ``batch_size`` rows by primary key: the rows of a chunk
    that differ are locked, evaluated by the database and written. To run it once more writes only
    what is not right yet. In a migration with ``atomic = False`` each chunk is a transaction.
    Backwards it does nothing.
    """

    reduces_to_sql = False
    reversible = True
    category = OperationCategory.PYTHON
    serialization_expand_args = ["values"]

    def __init__(
        self,
        model: str,
        values: Mapping[str, Any] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        elidable: bool = False,
        **fields: Any,
    ) -> None:
        self.model = model
        self.values = {**(values or {}), **fields}
        self.batch_size = batch_size
        self.elidable = elidable  # type: ignore[misc]
        self.refuse_nonsense()

    def refuse_nonsense(self) -> None:
        if not self.values:
            raise ValueError(f"Backfill of {self.model} names no field.")
        if self.batch_size < 1:
            raise ValueError("The batch_size of a Backfill must be at least 1.")
        for name, value in self.values.items():
            if isinstance(value, Tally) or not (
                callable(value) or hasattr(value, "resolve_expression")
            ):
                raise ValueError(
                    f"Backfill of {self.model}.{name}: {value!r} has no value. Give what "
                    "annotate() takes."
                )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        options: dict[str, Any] = {}
        if self.batch_size != BATCH_SIZE:
            options["batch_size"] = self.batch_size
        if self.elidable:
            options["elidable"] = True
        return type(self).__name__, [], {"model": self.model, "values": self.values, **options}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        using = schema_editor.connection.alias
        from_state.clear_delayed_apps_cache()
        apps: Apps = from_state.apps
        label = self.model if "." in self.model else f"{app_label}.{self.model}"
        model = apps.get_model(label)
        model = model._meta.concrete_model or model
        if not router.allow_migrate_model(using, model):
            return
        progress = of_migrate(schema_editor)
        try:
            fill(model, using, self.expressions(apps), self.batch_size, progress)
        finally:
            if progress is not None:
                progress.close()

    def expressions(self, apps: Apps) -> dict[str, Any]:
        return {
            name: value if hasattr(value, "resolve_expression") else value(apps)
            for name, value in self.values.items()
        }

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        pass

    def describe(self) -> str:
        return f"Backfill {', '.join(self.values)} of {self.model}"

    @property
    def migration_name_fragment(self) -> str:
        model = self.model.rpartition(".")[2].lower()
        return "_".join(["backfill", model, *self.values])
