"""Which maintenances a kind of change matters to, and by which way: found once, then looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models.constants import LOOKUP_SEP

from syncfields.declare.paths import Model, Path, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.direct import Direct, Part
from syncfields.plan import registry
from syncfields.sql.once import once
from syncfields.sql.trees import references


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """The maintenances that a kind of change matters to, in the order of the plan."""

    maintenances: tuple[Maintenance, ...]
    ways: Mapping[Maintenance, Direct]
    """Those with a short way for a single row."""
    followed: tuple[tuple[Maintenance, Path], ...]
    """Those of which one UPDATE finds and evaluates the targets of a single row."""
    led_elsewhere: tuple[tuple[Maintenance, Path], ...]
    """Those of which it does so where what they lead to now is locked."""
    others: tuple[Maintenance, ...]
    """All the rest, with those that are led elsewhere."""
    summed: Model | None
    """The target model whose counts and sums are all that is kept, if no rule reads them."""


def route(change: Change) -> Route:
    columns = change.learnt.columns
    how = (change.unordered, change.saved, change.loaded)
    key = ("route", change.model, change.kind, columns, how)
    return once(key, lambda: find_route(change))


def find_route(change: Change) -> Route:
    plan = registry.plan()
    watching = dict.fromkeys(w.maintenance for w in plan.sources.get(change.model, ()))
    maintenances = tuple(each for each in watching if each.concerned([change]))
    found = [
        (each, path)
        for each in maintenances
        if isinstance(each, Copy) and not is_read(each)
        for path in [each.followed(change)]
        if path is not None
    ]
    elsewhere = {
        each for each, _ in found if isinstance(each, Copy) and each.leads_elsewhere(change)
    }
    followed = tuple((each, path) for each, path in found if each not in elsewhere)
    led_elsewhere = tuple((each, path) for each, path in found if each in elsewhere)
    left = [each for each in maintenances if each not in dict(followed)]
    directs = plan.directs.get(change.model, {})
    ways = {each: directs[each] for each in left if each in directs}
    others = tuple(each for each in left if each not in ways)
    summed = only_summed(maintenances) if len(ways) == len(maintenances) else None
    return Route(maintenances, ways, followed, led_elsewhere, others, summed)


def only_summed(maintenances: Sequence[Maintenance]) -> Model | None:
    found = {each.target if isinstance(each, Delta) else None for each in maintenances}
    target = found.pop() if len(found) == 1 else None
    return None if target is None or registry.plan().columns.get(target) else target


def is_read(maintenance: Maintenance) -> bool:
    """Whether other rules read what it keeps, and must be told which rows change."""
    columns = registry.plan().columns.get(maintenance.target, frozenset())
    return not columns.isdisjoint(maintenance.values)


def concerned(changes: Sequence[Change]) -> Sequence[Maintenance]:
    """The maintenances that the changes matter to."""
    if len(changes) == 1:
        return route(changes[0]).maintenances
    return list(dict.fromkeys(each for change in changes for each in route(change).maintenances))


def columns_of_part(part: Part, model: Model) -> frozenset[str]:
    """The columns that a contribution is made of, of those that are read before a write."""

    def find() -> frozenset[str]:
        first = {name.split(LOOKUP_SEP)[0] for name in references(part.expression, model)}
        pk = model._meta.pk
        names = ((pk if each == "pk" else column(model, each)).attname for each in first)
        return registry.plan().columns[model].intersection(names)

    return once(("columns", part), find)
