"""The values with which the synced fields of a new row start.

Those that are known before the INSERT are a part of it: constants (see ``plan/newborn.py``), and
what is made of the row's own columns and of rows next to it, which one SELECT reads and locks.
Everything else, and what is not certain, is evaluated by the database after the INSERT.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models import ExpressionWrapper, Model, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.sql import Query

from syncfields.declare.ownership import warn
from syncfields.declare.paths import Hop, Path, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import NOTHING, Change, Held
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.plan import newborn, registry
from syncfields.programs.beforehand import Beforehand
from syncfields.programs.chosen import Asked
from syncfields.programs.first_values import FirstValue, FirstValues, selecting
from syncfields.programs.nearby import Nearby, keys_of, nearby
from syncfields.programs.order import ranks
from syncfields.sql.along import lock_far
from syncfields.sql.databases import has_row_locks, vendor_of
from syncfields.sql.holding import UNKNOWN
from syncfields.sql.once import once
from syncfields.sql.plain import is_plain, is_unclear
from syncfields.sql.trees import references

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)
# What a column takes that cannot be NULL, until its value is evaluated a statement later.
PLACEHOLDERS: tuple[tuple[type[models.Field[Any, Any]], Any], ...] = (
    (models.BooleanField, False),
    (models.IntegerField, 0),
    (models.DecimalField, 0),
    (models.FloatField, 0.0),
    (models.CharField, ""),
    (models.TextField, ""),
    (models.DateTimeField, LONG_AGO),
    (models.DateField, LONG_AGO.date()),
    (models.TimeField, LONG_AGO.time()),
    (models.DurationField, dt.timedelta(0)),
    (models.UUIDField, UUID(int=0)),
    (models.JSONField, {}),
    (models.BinaryField, b""),
    (models.GenericIPAddressField, "0.0.0.0"),  # noqa: S104 - no address to listen at
)


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """How the fields of one maintenance start in one database."""

    maintenance: Maintenance
    constants: tuple[tuple[str, Any], ...]
    """Values, by attribute name."""
    rows: tuple[FirstValue, ...]
    late: bool
    """Whether they must be evaluated after the INSERT in any case."""
    late_if_unordered: bool
    picky: bool
    nearby: tuple[Nearby, ...] | None
    """What ``rows`` are made of, where that is one row next to the new one for each of them."""


def beginnings(using: str, change: Change) -> tuple[Beginning, ...]:
    """Of all that is kept of a new row; a tally of a fixture has been counting already."""

    def find() -> tuple[Beginning, ...]:
        found = registry.plan().targets.get(change.model, ())
        kept = [each for each in found if each.reconcilable or not change.loaded]
        return tuple(beginning(using, each, change.inserted) for each in kept)

    return once(("beginnings", using, change.model, change.inserted, change.loaded), find)


def beginning(using: str, maintenance: Maintenance, inserted: frozenset[Any]) -> Beginning:
    """``inserted``: the parents, of a row of a multi-table model, that were inserted with it."""
    if not maintenance.reconcilable:
        fields = [rule.field for rule in maintenance.rules]
        counting = tuple((field.attname, start_of_counting(field)) for field in fields)
        return Beginning(
            *(maintenance, counting, ()),
            late=False,
            late_if_unordered=False,
            picky=False,
            nearby=None,
        )
    start = newborn.start(maintenance, inserted)
    constants = tuple(
        (name, first_of(using, maintenance, name, value)) for name, value in start.constants.items()
    )
    rows = tuple((maintenance, name, value) for name, value in start.rows.items())
    checks_keys = connections[using].features.supports_foreign_keys
    late = not start.certain or reads_kept(maintenance, start)
    late = late or (start.empty and not checks_keys)
    beside = nearby(maintenance.target, start.rows)
    return Beginning(maintenance, constants, rows, late, start.empty, picky(maintenance), beside)


def reads_kept(maintenance: Maintenance, start: newborn.Start) -> bool:
    """Whether what a row begins with is made of another synced field of it, which is given its own
    value no earlier.
    """
    read = {
        column(maintenance.target, name).attname
        for value in start.rows.values()
        for name in references(value, maintenance.target)
        if LOOKUP_SEP not in name and name != "pk"
    }
    return any(
        each.reconcilable
        and not read.isdisjoint(each.values.keys() - newborn.start(each).constants)
        for each in registry.plan().targets[maintenance.target]
    )


def start_of_counting(field: Any) -> Any:
    default = field.get_default()
    return 0 if default in ("", None) and not field.null else default


class Start:
    """The first values of new rows. Those that nothing needs to be read for are given at once."""

    def __init__(
        self,
        using: str,
        change: Change,
        instances: Sequence[Model],
        beforehand: Beforehand | None = None,
    ) -> None:
        """``beforehand``: what is to be asked with them, where that takes no statement more."""
        self.using = using
        self.beforehand = beforehand
        self.change = change
        self.instances = instances
        self.late: list[Maintenance] = []
        """What must be evaluated after the INSERT."""
        self.reading: list[FirstValue] = []
        self.beside: list[Beginning] = []
        """Those that are read of the rows next to the new ones."""
        self.is_of_one = len(instances) == 1
        for each in beginnings(using, change):
            for name, value in each.constants:
                give(each.maintenance, name, value, change, instances)
                if value is not None and is_unclear(column(change.model, name), value):
                    self.late.append(each.maintenance)
            is_nearby = self.is_nearby(each)
            reads = bool(each.rows) and not is_nearby and (each.picky or self.is_of_one)
            if reads:
                self.reading += each.rows
            if is_late(each, change.unordered, reads or is_nearby):
                self.late.append(each.maintenance)
            elif is_nearby:
                self.beside.append(each)

        self.asking: FirstValues | None = None
        self.asked_beside: Nearby | None = None

    def is_nearby(self, beginning: Beginning) -> bool:
        """Whether what many rows begin with is read of the rows next to them; or one, where it is
        what these hold, and they are locked by a statement each, which says that.
        """
        if not beginning.nearby or beginning.picky or self.change.partial or self.change.loaded:
            return False
        tells = vendor_of(self.using) == "mysql"
        return not self.is_of_one or (tells and all(each.is_held for each in beginning.nearby))

    def asked(self, locked: Collection[type[Model]]) -> Asked | None:
        """What a row begins with, read of rows of these tables, which are locked; None where that
        is nothing, or not all. What many rows begin with is said by several rows.
        """
        if not self.is_of_one:
            for each in self.relations():
                keys = self.keys(each) if each.models() <= set(locked) else ()
                if keys:
                    self.asked_beside = each
                    return Asked(each.statement(self.using, keys))
            return None
        if self.beforehand is not None and not self.beforehand.reads_only(locked):
            self.beforehand = None
        if not self.reading:
            return None if self.beforehand is None else self.beforehand.asked()
        self.asking = self.ask(self.instances[0], are_locked=True)
        return self.asking.asked() if self.asking.question.models <= set(locked) else None

    def ask(self, instance: Model, are_locked: bool) -> FirstValues:
        beside = self.beforehand if are_locked or not has_row_locks(self.using) else None
        return FirstValues(self.using, self.change, self.reading, instance, are_locked, beside)

    def relations(self) -> list[Nearby]:
        """What is read of the rows next to many new ones, once for each relation."""
        found: dict[Hop, dict[str, Any]] = {}
        for each in (near for beginning in self.beside for near in beginning.nearby or ()):
            found[each.hop] = {**found.get(each.hop, {}), **each.values}
        return [Nearby(self.change.model, hop, values) for hop, values in found.items()]

    def keys(self, near: Nearby) -> set[Any]:
        return {*keys_of(self.using, self.change.model, near, self.instances)} - {None, UNKNOWN}

    def refer_to_rows(self) -> bool:
        """Whether there are any rows next to the new ones."""
        model, instances = self.change.model, self.instances
        found = (keys_of(self.using, model, each, instances) for each in self.relations())
        return any(key is not None for keys in found for key in keys)

    def columns(self) -> dict[type[Model], set[str]]:
        """What is to be known of locked rows, where that says what many new ones begin with."""
        found: dict[type[Model], set[str]] = defaultdict(set)
        for each in self.relations():
            for model, name in each.columns():
                found[model].add(name)
        return found

    def finish(self, held: Held = NOTHING, cursor: Any = None) -> list[Maintenance]:
        """Give the other values, too; returns what must be evaluated after the INSERT."""
        late = [*self.late, *self.read_beside(held)]
        for instance in self.instances if self.reading else ():
            late += self.read(instance, held, cursor)
        if not self.reading and self.beforehand is not None and held.complete and held.answer:
            self.beforehand.take(held.answer[0])
        late = list(dict.fromkeys(late))
        read_of_fixture = [each for each, _, _ in self.reading] if self.change.loaded else []
        for maintenance in dict.fromkeys([*late, *read_of_fixture]):
            hold_places(maintenance, self.instances)
        return late

    def read_beside(self, held: Held) -> list[Maintenance]:
        """Give many rows what they begin with that is made of the rows next to them. As ``read()``,
        returns those of which any value is not final.
        """
        locks = has_row_locks(self.using)
        if not held.complete and (locks or self.change.unordered) and self.refer_to_rows():
            if not self.is_of_one:
                return [each.maintenance for each in self.beside]
            self.reading += [row for each in self.beside for row in each.rows]
            return []
        makers = {name: each.maintenance for each in self.beside for _, name, _ in each.rows}
        late: dict[Maintenance, None] = {}
        for near in self.relations():
            known = self.made_of(near, held)
            of_key: dict[Any, list[Model]] = defaultdict(list)
            keys = keys_of(self.using, self.change.model, near, self.instances)
            for key, instance in zip(keys, self.instances, strict=True):
                of_key[key].append(instance)
            for key, instances in of_key.items():
                values = near.of_none() if key is None else known.get(key, {})
                for name in near.values:
                    field, value = column(self.change.model, name), values.get(name, UNKNOWN)
                    if value is UNKNOWN or is_unclear(field, value):
                        late[makers[name]] = None
                    if value is not UNKNOWN and can_be_given(field, value, makers[name] in late):
                        give(makers[name], name, value, self.change, instances)
        return [*late]

    def made_of(self, near: Nearby, held: Held) -> dict[Any, dict[str, Any]]:
        """What is made of each row that a relation leads to, by the key of the row."""
        if near == self.asked_beside and held.answer is not None:
            return near.by_key(held.answer)
        keys = self.keys(near)
        found = near.in_memory(held, keys) if held.complete else None
        if found is None:
            found = near.by_key(near.statement(self.using, keys).rows()) if keys else {}
        return found

    def read(self, instance: Model, held: Held, cursor: Any = None) -> list[Maintenance]:
        """Give a row what it begins with, as far as it is made of itself and of rows next to it.

        Returns those whose value is not final: what they read could not be locked on the way, or
        may not be what will be stored.
        """
        model, makers = self.change.model, {name: each for each, name, _ in self.reading}
        if self.asking is not None and held.complete and held.answer is not None:
            asking, results = self.asking, self.asking.answered(held.answer[0])
        else:
            is_to_be_locked = not held.complete and has_row_locks(self.using)
            for path in ahead(makers.values()) if is_to_be_locked else ():
                lock_far(path, self.using, vars(instance), ranks())
            asking = self.ask(instance, held.complete)
            results = asking.evaluated(cursor)
        late = [*asking.question.late]
        late += [makers[name] for name in results if is_unclear(column(model, name), results[name])]
        for name, result in results.items():
            provisional = self.change.loaded or makers[name] in late
            if can_be_given(column(model, name), result, provisional):
                give(makers[name], name, result, self.change, [instance])
        return late


def assign(using: str, change: Change, instances: Sequence[Model]) -> list[Maintenance]:
    """Give new instances their first values; returns what must be evaluated after the INSERT."""
    return Start(using, change, instances).finish()


def is_late(beginning: Beginning, unordered: bool, reads: bool) -> bool:
    """Whether what a row starts with must be evaluated again after the INSERT."""
    if beginning.late or (unordered and beginning.late_if_unordered):
        return True
    return bool(beginning.rows) and not reads


def give(
    maintenance: Maintenance, name: str, value: Any, change: Change, instances: Sequence[Model]
) -> None:
    """Let a field of new rows start at a value."""
    others = []
    for instance in instances:
        given = vars(instance).get(name, value)
        if given is not value and given != value:
            others.append((instance, given))
        setattr(instance, name, value)
    if others and not change.loaded:
        warn(registry.plan().owned[maintenance.target][name], value, others)


def placeholder(field: Any) -> Any:
    return next((value for kind, value in PLACEHOLDERS if isinstance(field, kind)), None)


def picky(maintenance: Maintenance) -> bool:
    """Whether a field takes no placeholder until it is evaluated after the INSERT."""
    return any(
        rule.field.unique or (not rule.field.null and placeholder(rule.field) is None)
        for rule in maintenance.rules
    )


def hold_places(maintenance: Maintenance, instances: Sequence[Model]) -> None:
    """Give each field that cannot be NULL something to hold until it is evaluated. What a fixture
    says it holds is as good as anything, unless rows that come later are added to it.
    """
    for rule in maintenance.rules:
        field = rule.field
        for instance in instances:
            if isinstance(maintenance, Delta):
                setattr(instance, field.attname, 0)
            if getattr(instance, field.attname) is None and not field.null:
                setattr(instance, field.attname, placeholder(field))


def first_of(using: str, maintenance: Maintenance, name: str, constant: Any) -> Any:
    """The value of an expression without references, evaluated once."""
    if isinstance(constant, Value):
        value = constant.value
        return value.value if isinstance(value, models.Choices) else value
    field = column(maintenance.target, name)
    (found,) = selecting(using, Query(None), {name: ExpressionWrapper(constant, field)}).row() or ()
    return found


def can_be_given(field: Any, value: Any, provisional: bool) -> bool:
    """Whether the row can be inserted with a value, which a ``provisional`` one need not have."""
    if not provisional:
        return True
    return is_plain(field, value) and (value is not None or field.null)


def ahead(maintenances: Iterable[Maintenance]) -> Iterator[Path]:
    """The paths from the row to rows that it refers to."""
    for maintenance in dict.fromkeys(maintenances):
        for dependency in maintenance.dependencies:
            path = dependency.path
            if path.forwards.hops:
                yield path if isinstance(maintenance, Copy) else path.forwards
