"""A check or a repair of rules in steps that each take little time, as a browser asks for them.

So a table of any size can be gone through from a page, by any number of processes that serve it:
the answer says what is left, and that comes back with the next question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DatabaseError
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from syncfields import conf
from syncfields.exceptions import in_one_line
from syncfields.reconcile.repair import reconcile
from syncfields.reconcile.reports import Interrupted, Report, RuleReport, in_short
from syncfields.reconcile.selection import plan_tasks
from syncfields.targets.drift import Drift

SECONDS = 2.0
"""After which a step begins no further chunk."""
ROWS = 2_000
KEPT = 90 * 24 * 3600
"""Seconds for which it is remembered what was found."""
REASONS = (ImproperlyConfigured, ValidationError, ValueError, LookupError, DatabaseError)
"""Rules with errors, tables that are not there, labels and keys that somebody has made up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last check or repair of a rule has found, as far as it has come."""

    begun: datetime
    scanned: int
    drifted: int
    repaired: int
    finished: bool

    @property
    def left(self) -> int:
        """Values that were found to have drifted, and not repaired."""
        return self.drifted - self.repaired


def step(labels: Sequence[str], check: bool, after: str | None, site: str) -> dict[str, Any]:
    """Look at some rows of the rules, or repair them. What was found, and what is left.

    ``after``: the primary key behind which the first model goes on. ``site``: the name of the admin
    site in which rows have their pages.
    """
    try:
        report = reconcile(
            *labels, check=check, batch_size=ROWS, start_after=after, max_seconds=SECONDS
        )
    except Interrupted as stop:
        return told(stop.report, site) | {"error": in_one_line(stop.__cause__)}
    except REASONS as error:
        return {"error": in_one_line(error)}
    note(report, going_on=after is not None)
    return told(report, site)


def told(report: Report, site: str) -> dict[str, Any]:
    return {
        "rules": [found(each, site) for each in report.rules if each.scanned],
        "left": report.left,
        "after": report.after_text,
    }


def found(rule: RuleReport, site: str) -> dict[str, Any]:
    return {
        "label": rule.label,
        "scanned": rule.scanned,
        "drifted": rule.drifted,
        "repaired": rule.repaired,
        "examples": [example(rule.label, each, site) for each in rule.examples],
    }


def example(label: str, drift: Drift, site: str) -> dict[str, Any]:
    return {
        "pk": str(drift.pk),
        "drift": in_short(drift),
        "url": page_of(label, drift.pk, site),
    }


def page_of(label: str, pk: Any, site: str) -> str | None:
    """The page of a row, where the site has one."""
    options = label.lower().split(".")[:2]
    try:
        return reverse(f"admin:{'_'.join(options)}_change", args=[quote(pk)], current_app=site)
    except NoReverseMatch:
        return None


def total(labels: Sequence[str]) -> dict[str, Any]:
    """How many values there are to look at."""
    try:
        tasks = list(plan_tasks(labels, None))
        return {"total": sum(task.queryset.count() * len(task.values) for task in tasks)}
    except REASONS as error:
        return {"error": in_one_line(error)}


# What is remembered ----------------------------------------------------------------------------


def note(report: Report, going_on: bool) -> None:
    """Remember what was found, rule by rule; the first of them may go on with what was begun."""
    cache, now = caches[conf.runs_cache()], timezone.now()
    before = outcomes(each.label for each in report.rules) if going_on else {}
    first = next((model_of(each.label) for each in report.rules), None)
    for each in report.rules:
        if not each.scanned:
            continue
        begun = before.get(each.label) if model_of(each.label) == first else None
        outcome = Outcome(
            begun.begun if begun else now,
            each.scanned + (begun.scanned if begun else 0),
            each.drifted + (begun.drifted if begun else 0),
            each.repaired + (begun.repaired if begun else 0),
            each.label not in report.left,
        )
        cache.set(key(each.label), outcome, KEPT)


def model_of(label: str) -> str:
    return label.rpartition(".")[0]


def outcomes(labels: Iterable[str]) -> Mapping[str, Outcome]:
    """What is remembered of rules, by their labels."""
    keys = {key(label): label for label in labels}
    return {keys[each]: found for each, found in caches[conf.runs_cache()].get_many(keys).items()}


def key(label: str) -> str:
    return f"syncfields:outcome:{label}"
