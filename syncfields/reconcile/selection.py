"""What is to be reconciled: labels, models and querysets become one task for each target model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import FieldError
from django.db import router
from django.db.models import Model, Q, QuerySet

from syncfields.declare.paths import concrete
from syncfields.declare.rules import Rule
from syncfields.exceptions import BrokenRules
from syncfields.plan import homes, registry
from syncfields.sql.rows import for_writing, rows, rows_with, tables
from syncfields.sql.scans import Scan, scans
from syncfields.targets import drift

Selection = str | type[Model] | QuerySet[Any]
Where = Q | Callable[[type[Model]], Q]
"""A condition on target rows, or what says it for each target model."""
MOST_NAMED = 10
"""Rules that an error names."""


@dataclass(frozen=True, slots=True)
class Task:
    """The rules of one target model that are reconciled together, and the rows looked at."""

    model: type[Model]
    rules: tuple[Rule, ...]
    queryset: QuerySet[Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    """``{attname: expression}`` of all of them."""
    scans: tuple[Scan, ...] = ()
    """The same, as they can be asked together."""

    @property
    def at_once(self) -> bool:
        """Whether the statement that finds drift can repair it."""
        return drift.repairs_at_once(self.queryset.db, self.model, self.values)

    def key(self, given: Any) -> Any:
        """A primary key, as the command line gives it; of several columns as JSON."""
        pk = self.model._meta.pk
        composite = isinstance(given, str) and len(self.model._meta.pk_fields) > 1
        return tuple(pk.to_python(given)) if composite else given


@dataclass(slots=True)
class Selected:
    """What is selected of one target model in one database."""

    rules: dict[str, Rule] = field(default_factory=dict)
    """For all rows."""
    of_some: dict[str, Rule] = field(default_factory=dict)
    """For the rows of ``querysets``."""
    querysets: list[QuerySet[Any]] = field(default_factory=list)

    def parts(self, model: type[Model], using: str) -> Iterator[tuple[list[Rule], QuerySet[Any]]]:
        if self.rules:
            yield list(self.rules.values()), rows(model, using)
        some = [rule for name, rule in self.of_some.items() if name not in self.rules]
        if some and len(self.querysets) == 1:
            yield some, own_rows(model, using, self.querysets[0])
        elif some:
            chosen = (
                Q(pk__in=own_rows(model, using, each).values("pk")) for each in self.querysets
            )
            yield some, rows(model, using).filter(reduce(or_, chosen))


def plan_tasks(
    selection: Iterable[Selection], using: str | None, where: Where | None = None
) -> Iterator[Task]:
    """One task for each target model, those that others read first."""
    plan = registry.plan()
    chosen: dict[type[Model], dict[str, Selected]] = {}
    wanted: list[Selection | None] = list(selection) or [None]
    refuse_broken(wanted)
    for each in wanted:
        for rule in matching(each):
            found = chosen.setdefault(rule.model, {})
            if isinstance(each, QuerySet):
                part = found.setdefault(using or for_writing(each).db, Selected())
                part.of_some[rule.field.attname] = rule
                part.querysets += () if each in part.querysets else (each,)
            else:
                part = found.setdefault(using or router.db_for_write(rule.model), Selected())
                part.rules[rule.field.attname] = rule
    for maintenance in plan.maintenances:
        model = maintenance.target
        for alias, part in chosen.pop(model, {}).items():
            for rules, queryset in part.parts(model, alias):
                yield plan_task(model, rules, kept_to(queryset, where))


def kept_to(queryset: QuerySet[Any], where: Where | None) -> QuerySet[Any]:
    """Only those target rows that are described. Raises ``FieldError`` where none can be."""
    if where is None:
        return queryset
    model = queryset.model
    try:
        condition = where if isinstance(where, Q) else where(model)
        return own_rows(model, queryset.db, queryset.filter(condition)) if condition else queryset
    except FieldError as error:
        raise FieldError(f"Of {model._meta.label} rows cannot be chosen so: {error}") from error


def own_rows(model: type[Model], using: str, queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The rows of a target model that belong to those of a queryset, each once: the same rows, or
    those of its parents. Further filters can be added to them.
    """
    queryset = for_writing(queryset.using(using))
    query = queryset.query
    key = "pk" if concrete(queryset.model) is model else model._meta.pk.name
    if query.is_sliced or query.combinator:  # MySQL and MariaDB take no such subquery.
        return rows_with(model, using, list(queryset.values_list(key, flat=True)))
    queryset = queryset.order_by()
    if key == "pk" and tables(queryset) <= 1 and not query.distinct and not query.group_by:
        return queryset
    return rows(model, using).filter(pk__in=queryset.values(key))


def plan_task(model: type[Model], rules: Sequence[Rule], queryset: QuerySet[Any]) -> Task:
    names = {rule.field.attname for rule in rules}
    maintenances = registry.plan().targets[model]
    values = {
        name: value for each in maintenances for name, value in each.values.items() if name in names
    }
    grouped = {name: found for each in maintenances for name, found in each.grouped.items()}
    return Task(model, tuple(rules), queryset, values, tuple(scans(grouped, values)))


def matching(selected: Selection | None) -> list[Rule]:
    """The rules that a label, a model or a queryset selects. Raises ``LookupError`` for none."""
    rules = registry.plan().rules
    found = [rule for rule in rules if selects(selected, rule)]
    if not found and selected is not None:
        shown = selected._meta.label if isinstance(selected, type) else ""
        if isinstance(selected, str):
            shown = repr(selected)
        if isinstance(selected, QuerySet):  # It would be carried out to be shown.
            shown = f"rows of {selected.model._meta.label}"
        raise LookupError(f"No rule is selected by {shown}. {instead(selected, rules)}")
    return found


def instead(selected: Selection, rules: Sequence[Rule]) -> str:
    """What could have been meant, by somebody who may have mistyped it."""
    if not rules:
        return "No model declares one."
    labels = sorted(rule.label for rule in rules)
    if isinstance(selected, str):
        names = {name.lower(): name for label in labels for name in prefixes(label)}
        if near := get_close_matches(selected.lower(), names, cutoff=0.75):
            return f"Did you mean {' or '.join(names[each] for each in near)}?"
    more = len(labels) - MOST_NAMED
    rest = f" and {more} more, which manage.py syncfields lists" if more > 0 else ""
    return f"Rules: {', '.join(labels[:MOST_NAMED])}{rest}."


def prefixes(label: str) -> Iterator[str]:
    """``app``, ``app.Model`` and ``app.Model.field``."""
    parts = label.split(".")
    return (".".join(parts[: number + 1]) for number in range(len(parts)))


def refuse_broken(wanted: Iterable[Selection | None]) -> None:
    """Raise ``BrokenRules`` if one of the rules selected has an error: there is no truth that the
    value of its field could be compared with, so nothing may say that it is right.
    """
    errors = [*registry.errors(), *homes.spread(registry.plan().maintenances)]
    broken = [
        error
        for error in errors
        if any(selects(each, rule) for each in wanted for rule in error.rules)
    ]
    if broken:
        raise BrokenRules(broken)


def selects(selected: Selection | None, rule: Rule) -> bool:
    """Whether a label, a model or a queryset selects a rule; None selects each."""
    if selected is None:
        return True
    if isinstance(selected, str):
        return is_named(rule, selected)
    model = selected.model if isinstance(selected, QuerySet) else selected
    return issubclass(concrete(model), rule.model)


def is_named(rule: Rule, label: str) -> bool:
    wanted = label.lower().split(".")
    return rule.label.lower().split(".")[: len(wanted)] == wanted
