"""Targets in the admin: synced fields to read, a mark on what has drifted, an action to repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from syncfields.declare.rules import Rule
from syncfields.plan import registry
from syncfields.reconcile.drifts import drifted_rows
from syncfields.reconcile.repair import reconcile
from syncfields.reconcile.reports import Interrupted, in_short
from syncfields.targets.drift import Drift

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object

UNKNOWN = "?"
BASES = (admin.ModelAdmin, InlineModelAdmin)


def rules_of(model: type[Model]) -> list[Rule]:
    """The rules of a model and of its parents, those with errors too."""
    return [rule for _, owned in registry.plan().guarded_by(model) for rule in owned.values()]


class SyncedAdminMixin(Base):
    """For a ``ModelAdmin`` of targets, before it in the bases; and for inlines.

    Synced fields are shown and cannot be edited. The list marks rows that have drifted, which costs
    it one query for each group of rules, and offers to reconcile those that are selected.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        order = cls.__mro__
        if any(each in order[: order.index(SyncedAdminMixin)] for each in BASES):
            # Their methods would be found first, and nothing would be shown.
            raise TypeError(
                f"{cls.__qualname__}: name SyncedAdminMixin before the class of the admin, as in "
                f"class {cls.__name__}(SyncedAdminMixin, admin.ModelAdmin)."
            )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if (given := getattr(self, "actions", None)) is not None:  # Nor has an inline any.
            self.actions = [*given, "reconcile_selected"]

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        given = super().get_readonly_fields(request, obj)
        known = {*given, *(self.get_exclude(request, obj) or ())}
        names = [rule.field_name for rule in rules_of(self.model)]
        return [*given, *(name for name in names if name not in known)]

    def get_list_display(self, request: Any) -> Any:
        given = super().get_list_display(request)
        return [*given, "drift"] if rules_of(self.model) else given

    def get_changelist_instance(self, request: Any) -> Any:
        changelist = super().get_changelist_instance(request)
        shown = list(changelist.result_list)
        drifts = SimpleLazyObject(lambda: self.drifts_of([row.pk for row in shown]))
        for row in shown:
            row._syncfields_drifts = drifts
        return changelist

    def drifts_of(self, pks: list[Any]) -> dict[Any, dict[str, Drift]] | None:
        """What has drifted of the rows that a page shows; None where nobody can tell."""
        try:
            return drifted_rows(QuerySet(self.model).filter(pk__in=pks))
        except ImproperlyConfigured:
            return None

    @admin.display(description="drift", empty_value="")
    def drift(self, row: Any) -> str | SafeString | None:
        drifts = row._syncfields_drifts
        # The lazy object stands for None too, but is not it.
        if drifts == None:  # noqa: E711
            return UNKNOWN
        return format_html_join(
            ", ",
            '<span class="syncfields-drift" title="{}">&#9888; {}</span>',
            ((in_short(each), name) for name, each in drifts.get(row.pk, {}).items()),
        )

    def has_reconcile_permission(self, request: Any) -> bool:
        return bool(rules_of(self.model)) and self.has_change_permission(request)

    @admin.action(description="Reconcile selected rows", permissions=["reconcile"])
    def reconcile_selected(self, request: Any, queryset: QuerySet[Any]) -> None:
        try:
            report = reconcile(queryset)
        except ImproperlyConfigured as error:
            self.message_user(request, str(error), messages.ERROR)
        except Interrupted as stop:
            reason = f"Stopped after {stop.report.repaired} repaired value(s): {stop.__cause__}"
            self.message_user(request, reason, messages.ERROR)
        else:
            outcome = f"{report.scanned} value(s) looked at: {report.repaired} value(s) repaired."
            self.message_user(request, outcome, messages.SUCCESS)
