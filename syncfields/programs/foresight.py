"""What a write will touch, found out before it: every table once, in the one order.

The write of a row, or of any number of new ones, that hold the keys of all that it leads to has a
list of ``Step``, found once for each kind of write: rows between and beyond, old and new ones, what
it copies from, and the targets that follow, those that follow from these, and so on. Each step is
the rows of one table, by primary key, which a written row names or those of a step before it.

How they are locked is in ``locking.py``, and with the rows of a queryset in ``several.py``.

What cannot be foreseen so goes the long way, of ``order.py``: keys that the database makes,
generic relations, rows that are found by the keys that they hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from django.db.models.constants import LOOKUP_SEP

from syncfields.declare.paths import Dependency, Hop, Model, Path, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change, Learnt
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.recompute import Recompute
from syncfields.plan import registry
from syncfields.plan.routes import concerned
from syncfields.programs import initial
from syncfields.programs.connections import beyond
from syncfields.programs.order import comes_to_be_connected, is_loose, ranks
from syncfields.sql.databases import vendor_of
from syncfields.sql.fields import is_arrayed
from syncfields.sql.once import once
from syncfields.sql.trees import references
from syncfields.targets import evaluating


class UnforeseenError(Exception):
    """Which rows a write will touch cannot be said before it, or not in the order of the tables."""


class Starts(Enum):
    """What begins with a write, as a new target."""

    NOTHING = 0
    ROW = 1
    ROWS = 2

    @classmethod
    def of(cls, start: initial.Start | None) -> Starts:
        if start is None:
            return cls.NOTHING
        return cls.ROW if len(start.instances) == 1 else cls.ROWS


@dataclass(frozen=True, slots=True)
class Named:
    """A column of the written row."""

    column: str
    as_written: bool
    """Only what it will hold; else what it has held, too."""


@dataclass(frozen=True, slots=True)
class Step:
    """Rows of one table."""

    model: Model
    named: tuple[Named, ...]
    """The columns of the written row that hold their keys."""
    led: tuple[tuple[Model, str], ...]
    """Tables of steps before this one, and the columns of those that hold their keys."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """The steps of one kind of write."""

    steps: tuple[Step, ...]
    whole: Mapping[Model, frozenset[str]]
    """The columns of targets, of which all is locked that follows when they are written."""
    last: tuple[Step, ...] = ()
    """Those behind the steps, which need not be locked where that takes a statement for each."""


def foresight(
    using: str, change: Change, starts: Starts = Starts.NOTHING, is_free: bool = False
) -> Foresight | None:
    """The steps of a kind of write; None where there are none, or need not be. ``is_free``: they
    go with a statement that is sent in any case.
    """
    key = (
        *("foresight", using, change.model, change.kind, change.learnt.columns),
        *(change.saved, change.unordered, starts, is_free),
    )
    return once(key, lambda: find_foresight(using, change, starts, is_free))


def find_foresight(using: str, change: Change, starts: Starts, is_free: bool) -> Foresight | None:
    tracing = Tracing(change.model)
    try:
        if starts is not Starts.NOTHING:
            tracing.start(using, change, is_one=starts is Starts.ROW)
        tracing.follow(change)
    except UnforeseenError:
        return None
    return tracing.found(using, change) if is_free or tracing.is_needed() else None


@dataclass
class Tracing:
    """Follows a write to all that it touches."""

    model: Model
    named: dict[Model, dict[Named, None]] = field(default_factory=lambda: defaultdict(dict))
    led: dict[Model, dict[tuple[Model, str], None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    copied: dict[Model, None] = field(default_factory=dict)
    """Tables that a new row copies from."""
    needed: set[Model] = field(default_factory=set)
    """Tables whose rows must be locked before the write in any case."""
    written: dict[Model, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Targets, and the synced fields that are written."""
    stale: dict[Model, None] = field(default_factory=dict)
    """Targets that are evaluated anew, or may be."""
    whole: dict[Model, frozenset[str]] = field(default_factory=dict)

    def lead(self, near: Model | None, far: Model, name: str, as_written: bool = False) -> None:
        """Rows of a table ``near``, or the written row, hold the keys of others."""
        if far is self.model:
            raise UnforeseenError
        if near is None:
            self.named[far][Named(name, as_written)] = None
        elif ranks().get(near, -1) < ranks().get(far, -1):
            self.led[far][near, name] = None
        else:
            raise UnforeseenError

    def along(self, near: Model | None, hops: Iterable[Hop], as_written: bool = False) -> None:
        """Forwards, by the keys that rows hold."""
        for hop in hops:
            self.lead(near, hop.model, key_of(hop, hop.model), as_written)
            near = hop.model

    def start(self, using: str, change: Change, is_one: bool) -> None:
        """What new rows begin with, which is read of rows that they refer to. One row next to a new
        one is locked when it is read, before the INSERT.
        """
        for each in initial.beginnings(using, change):
            if each.rows or each.late or each.late_if_unordered:
                first = int(is_one and not each.late)
                for path in initial.ahead([each.maintenance]):
                    self.along(None, path.hops, as_written=True)
                    self.copied |= dict.fromkeys(hop.model for hop in path.hops)
                    self.needed.update(hop.model for hop in path.hops[first:])

    def follow(self, change: Change, near: Model | None = None) -> None:
        """From the rows of a change: those of a table, or the written row."""
        written: dict[Model, set[str]] = defaultdict(set)
        for maintenance in concerned([change]):
            for dependency in leading(maintenance, change):
                self.follow_one(maintenance, dependency, change, near)
            if not isinstance(maintenance, Copy):
                written[maintenance.target].update(changing(maintenance, change))
        for target, names in written.items():
            self.written[target] |= names
            self.follow_target(target, evaluating.written(target, frozenset(names)))

    def follow_one(
        self, maintenance: Maintenance, dependency: Dependency, change: Change, near: Model | None
    ) -> None:
        others, copies = maintenance.dependencies, isinstance(maintenance, Copy)
        path, moves = dependency.path, comes_to_be_connected(change, dependency, others)
        further = list(beyond(path, others))
        if moves and (near is not None or any(is_loose(hop) for _, hop in further)):
            raise UnforeseenError
        if copies and not moves:
            return
        for other, _ in further:
            hops = other.path.hops[len(path.hops) :]
            self.along(near, hops, as_written=copies)
            self.needed.update(hop.model for hop in hops)
        if copies:
            return
        self.back(near, path, moves)
        if isinstance(maintenance, Recompute) or reads_target(maintenance):
            self.needed.add(path.target)
        if isinstance(maintenance, Extreme) and change.kind != "insert":
            self.stale[path.target] = None

    def back(self, near: Model | None, path: Path, moves: bool) -> None:
        """Towards the targets: what lies between, and the targets themselves."""
        for number in range(len(path.hops) - 1, -1, -1):
            hop, nearer = path.hops[number], path.until(number).model
            if hop.forward or (moves and is_loose(hop)):
                raise UnforeseenError
            self.lead(near, nearer, key_of(hop, nearer))
            near = nearer
            if number:
                self.needed.add(near)

    def follow_target(self, target: Model, columns: frozenset[str]) -> None:
        """What the engine's own write of a target leads to, as far as that can be foreseen."""
        later = Tracing(self.model)
        try:
            later.follow(Change(target, "update", Learnt(columns=columns)), target)
        except UnforeseenError:
            return
        self.whole[target] = self.whole.get(target, columns) | columns
        for model, more in later.whole.items():
            self.whole[model] = self.whole.get(model, more) | more
        self.needed |= later.needed
        self.stale |= later.stale
        for model, found in later.led.items():
            self.led[model] |= found
        for model, names in later.written.items():
            self.written[model] |= names

    def found(self, using: str, change: Change) -> Foresight | None:
        models = {*self.named, *self.led}
        order = [model for model in ranks() if model in models]
        if len(order) != len(models) or not all(map(is_plain, order)):
            return None
        steps = tuple(
            Step(model, tuple(self.named.get(model, ())), tuple(self.led.get(model, ())))
            for model in order
        )
        number = len(steps)
        if vendor_of(using) == "mysql":
            number = len(self.without_last(order, change))
        return Foresight(steps[:number], self.whole, steps[number:])

    def is_needed(self) -> bool:
        """Whether other rows are locked than those of UPDATEs, which come in the order of the
        tables by themselves.
        """
        met = [*self.copied, *self.stale, *self.applied()]
        return bool(self.needed) or not is_in_order(list(dict.fromkeys(met)))

    def applied(self) -> list[Model]:
        """The targets in the order in which they are added to."""
        plan = registry.plan()
        return sorted(self.written, key=lambda each: plan.position[plan.targets[each][0]])

    def without_last(self, order: list[Model], change: Change) -> list[Model]:
        """Without the last tables, where these are only added to, in their order: each would be a
        statement more. Those of new keys InnoDB locks by itself, if only shared; a row that is
        deleted has none.
        """
        kept = self.needed | self.stale.keys() | self.copied.keys()
        for model, names in self.named.items() if change.kind != "delete" else ():
            if change.kind == "insert" or change.writes([each.column for each in names]):
                kept.add(model)
        while order and order[-1] not in kept:
            left = [each for each in self.applied() if each not in order[:-1]]
            if not is_in_order(left):
                break
            order = order[:-1]
        return order


def leading(maintenance: Maintenance, change: Change) -> Iterator[Dependency]:
    """What the rows of a change are to a maintenance; those of events always lead to targets."""
    for dependency in maintenance.dependencies:
        counts = not maintenance.reconcilable and dependency.model is change.model
        if change.concerns(dependency) or (counts and dependency.path.hops):
            yield dependency


def changing(maintenance: Maintenance, change: Change) -> Iterable[str]:
    """The fields that a write may change, of those that are kept together."""
    if (
        not isinstance(maintenance, Delta)
        or change.kind != "update"
        or change.learnt.columns is None
    ):
        return maintenance.values
    found = [each for each in maintenance.dependencies if change.concerns(each)]
    if any(comes_to_be_connected(change, each, maintenance.dependencies) for each in found):
        return maintenance.values
    if not maintenance.reconcilable or not all(map(is_read_by_name, found)):
        return maintenance.values
    read = {
        LOOKUP_SEP.join([each.path.lookup, name])
        for each in found
        for name in names_of(each.model, each.columns & change.learnt.columns)
    }
    return {
        term.attname
        for term in maintenance.terms
        if any(
            name == other or name.startswith(other + LOOKUP_SEP)
            for name in references(term.aggregate, maintenance.target)
            for other in read
        )
    }


def is_read_by_name(dependency: Dependency) -> bool:
    path = dependency.path
    generated = any(column(path.model, name).generated for name in dependency.columns)
    return bool(path.hops) and not path.ambiguous and not generated


def names_of(model: Model, columns: Iterable[str]) -> Iterator[str]:
    """What a lookup may call them."""
    for name in columns:
        yield from {name, column(model, name).name}


def reads_target(maintenance: Maintenance) -> bool:
    return any(each.columns and not each.path.hops for each in maintenance.dependencies)


def is_in_order(models: Sequence[Model]) -> bool:
    return list(models) == sorted(models, key=ranks().__getitem__)


def key_of(hop: Hop, model: Model) -> str:
    """The column, at the end that holds the key, by which a hop names rows by primary key."""
    if hop.generic or len(hop.columns) != 1:
        raise UnforeseenError
    ((near, far),) = hop.columns
    held, name = (near, far) if hop.forward else (far, near)
    if len(model._meta.pk_fields) != 1 or name != model._meta.pk.attname:
        raise UnforeseenError
    return held


def is_plain(model: Model) -> bool:
    """Whether its keys can be given as one value, and its table is named by one word."""
    return is_arrayed(model._meta.pk) and '"' not in model._meta.db_table
