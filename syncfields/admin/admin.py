"""The page "Synced fields": each rule, what feeds it and when it was last right.

A check or a repair goes on as long as the page is open: see ``steps.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import mark_safe

from syncfields.admin import steps
from syncfields.admin.models import SyncedField
from syncfields.admin.steps import Outcome
from syncfields.admin.words import WAYS, in_words
from syncfields.declare.rules import Rule
from syncfields.exceptions import NoRollback, NotMigrated
from syncfields.explain.drawing import svg
from syncfields.explain.graph import Node, graph
from syncfields.explain.rules import Source, explain
from syncfields.plan import registry
from syncfields.sql.printing import shown

if TYPE_CHECKING:
    Base = admin.ModelAdmin[SyncedField]
else:
    Base = admin.ModelAdmin


@dataclass(frozen=True, slots=True)
class Line:
    """A rule, as the page shows it."""

    rule: Rule
    words: str
    expression: str
    node: Node
    outcome: Outcome | None

    @property
    def sources(self) -> list[str]:
        return [each.source for each in self.node.fed_by]

    @property
    def way(self) -> str:
        return WAYS[self.node.maintenance]

    @property
    def is_checked(self) -> bool:
        """Whether there is anything to compare with: a tally counts events."""
        return self.node.maintenance != "tally"


@admin.register(SyncedField)
class SyncedFieldAdmin(Base):
    """There are no rows: the list is a page of its own."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        def url(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"{self.prefix}_{name}")

        return [
            url("", self.changelist_view, "changelist"),
            url("step/", self.step_view, "step"),
            url("costs/<str:label>/", self.costs_view, "costs"),
        ]

    @property
    def prefix(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def url(self, name: str) -> str:
        return reverse(f"admin:{self.prefix}_{name}", current_app=self.admin_site.name)

    # Pages -------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            "title": "Synced fields",
            "lines": list(lines()),
            "errors": [str(error) for error in registry.errors()],
            "graph": mark_safe("\n".join(svg(graph()))),  # noqa: S308 - it escapes what it shows
            "may_repair": self.has_change_permission(request),
            "step_url": self.url("step"),
            "left": request.GET.getlist("left"),
            "after": request.GET.get("after", ""),
            "check": request.GET.get("action") != "repair",
        }
        return self.page(request, "list.html", context | (extra_context or {}))

    def costs_view(self, request: HttpRequest, label: str) -> HttpResponse:
        """What writes send: they are carried out on sample rows, and taken back. So it is a POST,
        and for those who may change something.
        """
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self.url("changelist"))
        sources: tuple[Source, ...] = ()
        try:
            sources = explain(label).sources
        except (LookupError, NotMigrated, NoRollback) as error:
            self.message_user(request, str(error), messages.ERROR)
        return self.page(request, "costs.html", {"title": label, "sources": sources})

    def page(self, request: HttpRequest, template: str, context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name
        shared = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, f"syncfields_admin/{template}", shared | context)

    # Steps -------------------------------------------------------------------------------------

    def step_view(self, request: HttpRequest) -> HttpResponse:
        """A step of a check or of a repair: as JSON for the page, or, for a browser without
        scripts, with a message and the way to the next one.
        """
        check = request.POST.get("action") != "repair"
        allowed = self.has_view_permission if check else self.has_change_permission
        if not allowed(request):
            raise PermissionDenied
        labels, after = request.POST.getlist("label"), request.POST.get("after") or None
        if request.method != "POST" or not labels:
            return HttpResponseRedirect(self.url("changelist"))
        if request.POST.get("action") == "total":
            return JsonResponse(steps.total(labels))
        answer = steps.step(labels, check, after, self.admin_site.name)
        if request.accepts("text/html"):
            return self.told(request, answer, check)
        return JsonResponse(answer)

    def told(self, request: HttpRequest, answer: dict[str, Any], check: bool) -> HttpResponse:
        for rule in answer.get("rules", ()):
            done = "have drifted" if check else "had drifted and are repaired"
            text = f"{rule['label']}: {rule['drifted']} of {rule['scanned']} values {done}."
            self.message_user(request, text, messages.INFO)
        if "error" in answer:
            self.message_user(request, answer["error"], messages.ERROR)
        query = QueryDict(mutable=True)
        if answer.get("left"):
            query.setlist("left", answer["left"])
            query["after"] = answer["after"] or ""
            query["action"] = "check" if check else "repair"
        return HttpResponseRedirect(f"{self.url('changelist')}?{query.urlencode()}")


def lines() -> Iterator[Line]:
    nodes = {node.rule: node for node in graph().nodes}
    known = steps.outcomes(nodes)
    for rule in sorted(registry.plan().rules, key=lambda each: each.label):
        expression = rule.expression
        yield Line(
            rule,
            in_words(expression),
            shown(expression),
            nodes[rule.label],
            known.get(rule.label),
        )
