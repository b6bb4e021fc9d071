"""Find drift and repair it, under live traffic, from the same plan that the writes use.

A scan without locks finds candidates chunk by chunk, in the order of the primary key; the database
compares, so that only drifted rows travel. Candidates are then locked, evaluated again in a later
statement, and only what still differs is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connections, router
from django.db.models import Model, QuerySet

from syncfields import drift, engine, pending, registry, scope, targets
from syncfields.changes import Change
from syncfields.drift import Drift
from syncfields.locks import lock
from syncfields.maintenance.base import Maintenance
from syncfields.paths import concrete
from syncfields.rules import Rule
from syncfields.trees import rows, rows_with

# Rows looked at together, without a lock; of those that differ, as many are locked together.
BATCH_SIZE = 10_000
LOCKED = 2_000
LOCKED_AT_ONCE = 10_000  # where one statement evaluates and repairs them
EXAMPLES = 5
ATTEMPTS = 3
NOT_RECONCILABLE = "not reconcilable: counts events"
Found = dict[str, list[Drift]]
Progress = Callable[[str, int, int], None]
Selection = str | type[Model] | QuerySet[Any]


@dataclass(slots=True)
class RuleReport:
    """What was found for one rule."""

    label: str
    """``app.Model.field``"""
    scanned: int = 0
    """Rows looked at."""
    drifted: int = 0
    """Rows whose stored value was not the value of the expression."""
    repaired: int = 0
    """Rows written; 0 with ``check=True``."""
    reconcilable: bool = True
    """False for a tally, which counts events."""
    note: str = ""
    examples: tuple[Drift, ...] = ()
    """The first few drifted rows."""

    def note_drift(self, drifts: list[Drift], repaired: bool) -> None:
        self.drifted += len(drifts)
        self.repaired += len(drifts) if repaired else 0
        self.examples = (*self.examples, *drifts)[:EXAMPLES]


@dataclass(frozen=True, slots=True)
class Report:
    """What ``reconcile()`` found, rule by rule."""

    rules: tuple[RuleReport, ...] = ()
    check: bool = False

    @property
    def scanned(self) -> int:
        return sum(each.scanned for each in self.rules)

    @property
    def drifted(self) -> int:
        return sum(each.drifted for each in self.rules)

    @property
    def repaired(self) -> int:
        return sum(each.repaired for each in self.rules)

    @property
    def ok(self) -> bool:
        """No drift is left."""
        return self.drifted == self.repaired


@dataclass(slots=True)
class Interrupted(Exception):
    """A run was stopped between two chunks, by the user or because the database was gone.

    ``after``: the last primary key that was done.
    """

    labels: tuple[str, ...]
    after: Any
    report: Report


@dataclass(frozen=True, slots=True)
class Task:
    """The rules of one target model that are reconciled together, and the rows looked at."""

    model: type[Model]
    rules: tuple[Rule, ...]
    queryset: QuerySet[Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    """``{attname: expression}`` of all of them."""
    scans: tuple[Mapping[str, Any], ...] = ()
    """The same, as they can be asked together: one query each."""


def reconcile(
    *selection: Selection,
    check: bool = False,
    batch_size: int | None = None,
    using: str | None = None,
    progress: Progress | None = None,
    start_after: Any = None,
) -> Report:
    """Recompute synced fields, and repair those that drifted.

    ``selection``: labels (``"app"``, ``"app.Model"``, ``"app.Model.field"``), models, or querysets
    of target rows; nothing stands for every rule. ``check`` only looks. ``batch_size`` is in rows
    (default 10,000). ``using`` is a database alias. ``progress`` is called with the model's label,
    the rows done and the rows in all. ``start_after`` resumes behind a primary key.

    Raises ``LookupError`` for a label that names no rule, and ``Interrupted`` where it is stopped.
    """
    reports: dict[str, RuleReport] = {}
    tasks = list(plan_tasks(selection, using))
    for task in tasks:
        for rule in task.rules:
            known = rule.field.attname in task.values
            note = "" if known else NOT_RECONCILABLE
            reports[rule.label] = RuleReport(rule.label, reconcilable=known, note=note)
    for alias in {task.queryset.db for task in tasks}:
        if (waiting := pending.known(connections[alias])) is not None:
            waiting.flush()
    for number, task in enumerate(tasks):
        position = start_after if number == 0 else None
        try:
            done = run(task, reports, check, batch_size or BATCH_SIZE, progress, position)
            for last in done:
                position = last
        except (KeyboardInterrupt, OperationalError, InterfaceError) as reason:
            labels = tuple(rule.label for each in tasks[number:] for rule in each.rules)
            report = Report(tuple(reports.values()), check)
            raise Interrupted(labels, position, report) from reason
    return Report(tuple(reports.values()), check)


def run(
    task: Task,
    reports: dict[str, RuleReport],
    check: bool,
    batch_size: int,
    progress: Progress | None,
    after: Any,
) -> Iterator[Any]:
    """Reconcile chunk by chunk; yields the last primary key of each chunk that is done."""
    labels = {rule.field.attname: rule.label for rule in task.rules}
    if not task.values:
        return
    remaining = task.queryset if after is None else task.queryset.filter(pk__gt=after)
    total, done = remaining.count() if progress else 0, 0
    for chunk in chunks(task, batch_size, after):
        found = persistently(partial(scan, task, chunk.rows, repair=not check), task.queryset.db)
        done += chunk.number
        for name in task.values:
            report = reports[labels[name]]
            report.scanned += chunk.number
            report.note_drift(found.get(name, []), repaired=not check)
        if progress:
            progress(task.model._meta.label, done, max(total, done))
        yield chunk.last


def persistently(attempt: Callable[[], Found], using: str) -> Found:
    """A chunk, tried again where a writer was in its way: a deadlock, a lock not granted in time.

    Only where the chunk is a transaction of its own.
    """
    for _ in range(0 if connections[using].in_atomic_block else ATTEMPTS - 1):
        with suppress(OperationalError):
            return attempt()
    return attempt()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that are looked at together, by their primary keys."""

    rows: QuerySet[Any]
    last: Any
    number: int


def chunks(task: Task, size: int, after: Any) -> Iterator[Chunk]:
    whole = not task.queryset.query.where
    while True:
        left = task.queryset if after is None else task.queryset.filter(pk__gt=after)
        keys = left.order_by("pk").values_list("pk", flat=True)
        # Of a whole table not all keys need be known, only the last one.
        if whole and (ends := list(keys[size - 1 : size])):
            last, number = ends[0], size
        elif pks := list(keys[:size]):
            last, number = pks[-1], len(pks)
        else:
            return
        if whole:
            chosen = rows(task.model, left.db).filter(pk__lte=last)
            chosen = chosen if after is None else chosen.filter(pk__gt=after)
        else:
            chosen = rows_with(task.model, left.db, pks)
        yield Chunk(chosen, last, number)
        if number < size:
            return
        after = last


def scan(task: Task, chunk: QuerySet[Any], repair: bool) -> Found:
    """The drift among some rows, repaired if wanted: ``{attname: [Drift]}``."""
    using = task.queryset.db
    found: Found = defaultdict(list)
    if not repair:
        for values in task.scans:
            for _, drifts in drift.differing(task.model, values, chunk):
                for name, each in drifts.items():
                    found[name].append(each)
        return found
    keys = engine.sorted_pks(
        {pk for values in task.scans for pk in drift.candidates(task.model, values, chunk)}
    )
    at_once = drift.repairs_at_once(using, task.model, task.values)
    for batch in targets.batches(keys, LOCKED_AT_ONCE if at_once else LOCKED):
        for name, repairs in repaired(task, batch).items():
            found[name] += repairs
    return found


def repaired(task: Task, pks: list[Any]) -> Found:
    """The drift that is still there once the rows are locked, repaired."""
    using = task.queryset.db
    change = Change(task.model, "update", pks, frozenset(task.values), locked=True)
    chosen = rows_with(task.model, using, pks)

    def repair() -> Found:
        many = len(pks) > drift.FEW
        return drift.repair(
            using, task.model, task.values, chosen, task.scans, locked=True, exact=False, many=many
        )

    with scope.repairs(), engine.together(connections[using]):
        lock(task.model, using, pks)
        return engine.perform(using, [change], repair)


def plan_tasks(selection: Iterable[Selection], using: str | None) -> Iterator[Task]:
    """One task for each target model, those that others read first."""
    plan = registry.plan()
    chosen: dict[type[Model], dict[str, Rule]] = {}
    querysets: dict[type[Model], QuerySet[Any]] = {}
    wanted: Iterable[Selection | None] = list(selection) or [None]
    for each in wanted:
        for rule in matching(each):
            chosen.setdefault(rule.model, {})[rule.field.attname] = rule
        if isinstance(each, QuerySet):
            querysets[concrete(each.model)] = each.order_by()
    for maintenance in plan.maintenances:
        rules = chosen.pop(maintenance.target, None)
        if rules is None:
            continue
        model = maintenance.target
        queryset = querysets.get(model, rows(model))
        alias = using or (querysets[model].db if model in querysets else None)
        values = {
            name: value
            for each in plan.targets[model]
            for name, value in each.values.items()
            if name in rules
        }
        yield Task(
            model,
            tuple(rules.values()),
            queryset.using(alias or router.db_for_write(model)),
            values,
            tuple(scans(plan.targets[model], values)),
        )


def scans(
    maintenances: Iterable[Maintenance], values: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The values by query: rules that aggregate over the same path share a GROUP BY."""
    grouped: dict[str, tuple[str, Any]] = {}
    for maintenance in maintenances:
        grouped |= maintenance.grouped
    paths: dict[str, dict[str, Any]] = {}
    alone: dict[str, Any] = {}
    for name, value in values.items():
        if name in grouped:
            path, expression = grouped[name]
            paths.setdefault(path, {})[name] = expression
        else:
            alone[name] = value
    yield from paths.values()
    if alone:
        yield alone


def matching(selected: Selection | None) -> list[Rule]:
    """The rules that a label, a model or a queryset selects. Raises ``LookupError`` for none."""
    rules = registry.plan().rules
    if selected is None:
        return list(rules)
    if isinstance(selected, str):
        found = [rule for rule in rules if is_named(rule, selected)]
    else:
        model = selected.model if isinstance(selected, QuerySet) else selected
        found = [rule for rule in rules if issubclass(concrete(model), rule.model)]
    if not found:
        known = ", ".join(sorted(rule.label for rule in rules)) or "none"
        raise LookupError(f"No rule is selected by {selected!r}. Rules: {known}.")
    return found


def is_named(rule: Rule, label: str) -> bool:
    wanted = label.lower().split(".")
    return rule.label.lower().split(".")[: len(wanted)] == wanted
