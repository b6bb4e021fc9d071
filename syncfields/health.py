"""Whether stored values are right, asked of a few rows in bounded time: for monitoring."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import SystemRandom

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from syncfields.exceptions import in_one_line
from syncfields.reconcile.repair import reconcile
from syncfields.reconcile.reports import Interrupted
from syncfields.reconcile.selection import Selection, plan_tasks

ROWS = 100
SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """What a look at a few rows has found."""

    scanned: int
    """Values looked at."""
    drifted: dict[str, int]
    """How many of them were not those of their expressions, by the label of the rule."""
    errors: tuple[str, ...]
    """Why rules could not be looked at: they have errors, or the database has."""
    left: int
    """Models that the time was not enough for."""

    @property
    def ok(self) -> bool:
        return not (self.drifted or self.errors)


def health(
    *selection: Selection,
    rows: int = ROWS,
    max_seconds: float = SECONDS,
    using: str | None = None,
) -> Health:
    """Look at ``rows`` rows of each target model, drawn at random, and write nothing.

    ``selection`` and ``using`` are those of ``reconcile()``. After ``max_seconds`` no further model
    is looked at: their order is drawn too, so that none is always left out. What is wrong is in the
    result and not raised. An unknown label raises ``LookupError``.
    """
    end = time.monotonic() + max_seconds
    scanned, drifted, errors = 0, dict[str, int](), list[str]()
    try:
        labels = [tuple(rule.label for rule in each.rules) for each in plan_tasks(selection, using)]
    except ImproperlyConfigured as error:
        return Health(0, {}, (in_one_line(error),), 0)
    SystemRandom().shuffle(labels)
    for number, each in enumerate(labels):
        if number and time.monotonic() >= end:
            return Health(scanned, drifted, tuple(errors), len(labels) - number)
        try:
            report = reconcile(*each, check=True, sample=rows, using=using)
        except Interrupted as stop:
            errors.append(in_one_line(stop.__cause__))
            continue
        except (ImproperlyConfigured, DatabaseError, InterfaceError) as error:
            errors.append(in_one_line(error))
            continue
        scanned += report.scanned
        drifted |= {rule.label: rule.drifted for rule in report.rules if rule.drifted}
    return Health(scanned, drifted, tuple(errors), 0)


@never_cache
@require_safe
def view(request: HttpRequest) -> HttpResponse:
    """What ``health()`` has found, as JSON; with the status 503 where something is wrong.

    It names rules and numbers, and no value of a row. It sends queries: let nobody call it who may
    not.
    """
    found = health()
    answer = {
        "ok": found.ok,
        "scanned": found.scanned,
        "drifted": found.drifted,
        "errors": list(found.errors),
        "left": found.left,
    }
    return JsonResponse(answer, status=200 if found.ok else 503)
