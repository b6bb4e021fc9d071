"""Before, write, after: a change of source rows becomes updates of their targets.

Every write takes the same three steps, whichever way it came: read what the rows contribute, let
the write happen, read again and apply the difference. All of it is one transaction, without a
savepoint of its own. What the engine writes is a change like any other, so that rules that read
synced fields follow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from django.db import connections

from syncfields.declare.paths import Model, Path
from syncfields.keep import grouped
from syncfields.keep.single import Row, changed, contents_of
from syncfields.maintenance.base import Deltas, Effects, Maintenance, drop_zeros
from syncfields.maintenance.changes import NOTHING, Change, Held
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.direct import Direct
from syncfields.memory import dropped
from syncfields.memory.given import Given
from syncfields.plan import registry
from syncfields.plan.routes import concerned, route
from syncfields.programs import chains, foresight, initial
from syncfields.programs.contributions import Contributions
from syncfields.programs.order import (
    goes_both_ways,
    lock_after,
    lock_copied,
    lock_parents,
    lock_sources,
)
from syncfields.sql.locks import lock, lock_path
from syncfields.sql.statements import once
from syncfields.targets import assignments, evaluating, writing
from syncfields.targets.updates import Update, sorted_pks, take, take_sums
from syncfields.transactions import pending, scope
from syncfields.transactions.atomic import persistently, together

Result = TypeVar("Result")
Steps: TypeAlias = Callable[[], Iterator[Result]]
Gone = Sequence[tuple[grouped.Ways, grouped.Groups]]
"""Rows that a DELETE has returned, and what they matter to."""


def known_before(using: str, instances: Sequence[Any]) -> bool:
    """Whether other rows can refer to keys whose rows are yet to be inserted."""
    for instance in instances:
        if instance.pk is not None:
            return bool(connections[using].features.can_defer_constraint_checks)
    return False


class Keeping:
    """The steps around one write: ``before()``, then the write itself, then ``after()``."""

    contributions: Contributions | None = None
    known: Sequence[set[Any]] = ()
    answer: tuple[Any, ...] | None = None
    """What the row has contributed, where it was found when all was locked."""
    row: Row | None = None
    ways: Mapping[Maintenance, Direct] = MappingProxyType({})
    followed: Sequence[tuple[Maintenance, Path]] = ()
    led_elsewhere: Sequence[tuple[Maintenance, Path]] = ()
    summed: Model | None = None
    """The target, where the write of a row does no more than add to sums that no rule reads."""
    is_over = False
    """Whether nothing follows from the write of a row."""

    def __init__(
        self,
        connection: Any,
        changes: Sequence[Change],
        gone: Gone | None = None,
        maintenances: Sequence[Maintenance] | None = None,
        held: Held = NOTHING,
    ) -> None:
        """``gone``: to be filled by the write. ``held``: what was locked before, for this write or
        one that leads to it.
        """
        self.connection = connection
        self.using: str = connection.alias
        self.changes = changes
        self.change = changes[0] if len(changes) == 1 else None
        """The only one."""
        self.maintenances = concerned(changes) if maintenances is None else maintenances
        self.gone = gone
        self.repairs = scope.repairing_drift()
        self.held = held

    def before(self) -> None:
        change = self.change
        if change is not None and not self.repairs:
            self.take_short_ways(change)
        if self.summed is not None or self.is_over:  # Nothing else is to be locked before it.
            if self.held is NOTHING:
                lock_parents(self.connection, self.changes)
            return
        if change is None or not self.is_held(change):
            lock_sources(self.connection, self.changes, self.maintenances)
        if self.led_elsewhere and self.is_locked(self.changes[0]):
            self.followed = [*self.followed, *self.led_elsewhere]
            found = dict(self.led_elsewhere)
            self.maintenances = [each for each in self.maintenances if each not in found]
        if not self.maintenances:
            return
        if self.repairs:
            self.known = [each.targets(self.changes, self.using) for each in self.maintenances]
        else:
            if self.contributions is None or self.led_elsewhere:
                self.contributions = Contributions(self.using, self.changes, self.maintenances)
            self.contributions.before(self.answer)

    def is_held(self, change: Change) -> bool:
        """Whether all that the write of a row, or of new ones, will touch is locked, by now; or of
        several rows, all that follows from a write that has led to these.
        """
        if self.held.has_all_of(change):
            change.locked = change.foreseen = True
            return True
        if self.repairs or not (self.row is not None or change.kind == "insert"):
            return False
        if not (self.ways or self.maintenances):
            return False
        if self.held is NOTHING:
            if self.maintenances:
                self.contributions = Contributions(self.using, self.changes, self.maintenances)
            held = foresight.lock(self.connection, change, asking=self.contributions)
            self.held = held or NOTHING
            self.answer = self.held.answer if self.held.complete else None
        change.foreseen = self.held.complete
        return self.held is not NOTHING

    def is_locked(self, change: Change) -> bool:
        """Whether nobody else can write what the change leads to."""
        return change.foreseen or not self.connection.features.has_select_for_update

    def take_short_ways(self, change: Change) -> None:
        """Read a single row at once with all that is known of it; what did not change is left."""
        inserts = change.kind == "insert"
        if inserts and len(change.rows) > 1 and not change.partial:
            found = route(change)
            self.ways = found.ways if grouped.fits(found.ways) else {}
            self.maintenances = [each for each in found.maintenances if each not in self.ways]
            return
        if not change.is_single or change.model not in registry.plan().sources:
            return
        self.row = Row(self.connection, change)
        reads = not inserts and registry.plan().columns[change.model]
        if reads and not self.row.find():  # Django will insert it, or it is gone.
            self.maintenances, self.is_over = (), self.gone is None
            change.pks = ()
            return
        found = route(change)
        self.ways, self.followed, self.maintenances = found.ways, found.followed, found.others
        self.led_elsewhere = found.led_elsewhere
        if self.gone is None:
            self.summed, self.is_over = found.summed, not found.maintenances

    def after(self, effects: Effects | None = None) -> None:
        if self.is_over:
            return
        if effects is not None:
            self.collect(effects)
        elif self.summed is not None and not pending.waits(self.connection):
            self.write_sums(self.summed)
        else:
            held = self.held.with_written(self.changes, registry.plan().targets.keys())
            cursor = None if self.row is None else self.row.cursor()
            settle(self.connection, self.collect, self.repairs, held, cursor)

    def write_sums(self, target: Model) -> None:
        """What ``collect()`` and ``apply()`` come to in the most frequent case."""
        assert self.row is not None
        deltas: Deltas = defaultdict(dict)
        self.row.add_up(self.ways, deltas)
        drop_zeros(deltas)
        if deltas:
            evaluating.write(self.using, Update(target, deltas), self.row.cursor())

    def collect(self, effects: Effects) -> None:
        """Add to ``effects`` what the write did."""
        if self.row is not None:
            self.row.after(self.ways, effects)
        elif self.ways:
            self.after_inserts(self.changes[0], effects)
        for ways, groups in self.gone or ():
            grouped.gone(ways, groups, effects)
        if self.maintenances:
            self.after_others(effects)
        for change in self.changes:
            if change.kind == "delete":
                effects.spare(change.model, change.pks)
        for maintenance, path in self.followed:
            self.follow(maintenance, path)

    def follow(self, maintenance: Maintenance, path: Path) -> None:
        assert self.row is not None
        for pk in self.row.change.pks:
            evaluating.follow(self.using, maintenance, path, pk, self.row.cursor())

    def after_inserts(self, change: Change, effects: Effects) -> None:
        groups = grouped.in_memory(change.model, self.ways, change.rows)
        added = grouped.foreseen(self.using, self.ways, groups, {})
        if added is not None:
            grouped.compare(self.ways, {}, added, effects)
            return
        read = Contributions(self.using, [change], tuple(self.ways))
        read.before()  # Nothing, of rows that come.
        read.after(effects)

    def after_others(self, effects: Effects) -> None:
        lock_after(self.using, self.changes, self.maintenances)
        if self.contributions is not None:
            self.contributions.after(effects)
            return
        for each, known in zip(self.maintenances, self.known, strict=True):
            effects.stale[each] |= known | each.targets(self.changes, self.using)


def settle(
    connection: Any,
    collect: Callable[[Effects], None],
    at_once: bool = False,
    held: Held = NOTHING,
    cursor: Any = None,
) -> None:
    """Collect effects, and write them, or let them wait."""
    if not at_once and pending.waits(connection):
        effects = pending.of(connection, apply).effects()
        collect(effects)
        effects.leave_extremes(registry.plan().targets)
        return
    effects = Effects()
    collect(effects)
    apply(connection.alias, effects, held, cursor)


def perform(
    using: str,
    changes: Sequence[Change],
    write: Callable[[], Result],
    held: Held = NOTHING,
    effects: Effects | None = None,
    given: Sequence[Any] = (),
) -> Result:
    """Carry out ``write``, which makes ``changes``, and keep all targets right: at once, or by what
    is added to ``effects``. ``given``: instances that it fills.
    """
    connection = connections[using]
    steps = steps_of(connection, changes, write, held, effects)
    if steps is None:
        return write()
    if (suspension := scope.suspended()) is not None:
        return suspension.watch(using, concerned(changes), changes, write)
    return persistently(connection, partial(whole, steps), [*changes, Given(given)])


def insert(
    using: str, change: Change, instances: Sequence[Any], write: Callable[[], Result]
) -> Result:
    """Insert targets: their synced fields start at the values of their expressions."""
    connection = connections[using]
    attempt = partial(whole, steps_of_insert(connection, change, instances, write))
    return persistently(connection, attempt, [change, Given(instances)])


def steps_of(
    connection: Any,
    changes: Sequence[Change],
    write: Callable[[], Result],
    held: Held = NOTHING,
    effects: Effects | None = None,
) -> Steps[Result] | None:
    """The steps of a write, to be begun inside a transaction: what ``write`` gives is yielded, and
    then comes what follows from it. None where no rule is concerned.
    """
    for change in changes:
        if change.previous is not None:  # Before a transaction is begun for nothing.
            what = contents_of(connection.alias, change.model)
            change.columns = changed(what, change.previous, change.values or {})
    found = route(changes[0])
    maintenances = found.maintenances if len(changes) == 1 else concerned(changes)
    if not maintenances:
        return None

    def steps() -> Iterator[Result]:
        keeping = Keeping(connection, changes, maintenances=maintenances, held=held)
        keeping.before()
        yield write()
        keeping.after(effects)

    return steps


def steps_of_insert(
    connection: Any, change: Change, instances: Sequence[Any], write: Callable[[], Result]
) -> Steps[Result]:
    """As ``steps_of()``, for new targets."""
    using: str = connection.alias

    def steps() -> Iterator[Result]:
        start = initial.Start(using, change, instances)
        held = foresight.lock(connection, change, start) or NOTHING
        late = start.finish(held)
        both_ways = goes_both_ways(change.model) or connection.vendor == "mysql"
        if late and both_ways and not held.complete:
            lock_copied(using, [change], inserts=True)
        if (others := steps_of(connection, [change], write, held)) is None:
            yield write()
        else:
            yield from others()
        held = held.with_written([change], registry.plan().targets.keys()) if late else held
        for maintenance in late:
            evaluate(using, maintenance, set(change.pks), held)
            for instance in instances:
                dropped.drop(instance, maintenance.values, using)

    return steps


def whole(steps: Steps[Result]) -> Result:
    """Take all steps, one right after the other."""
    begun = steps()
    result = next(begun)
    next(begun, None)
    return result


def apply(using: str, effects: Effects, held: Held = NOTHING, cursor: Any = None) -> None:
    """Write the effects to the targets, table after table, with all that follows from that; some
    rows are ``held``.
    """
    plan = registry.plan()
    while taken := take_sums(effects) or take(effects, plan, is_by_itself):
        if isinstance(taken, Update):
            write(using, taken, effects, held, cursor)
        else:
            recompute(using, *taken, held, effects)


def is_by_itself(maintenance: Maintenance) -> bool:
    """Whether the rows of a maintenance must be compared before they are written: what is touched
    tells which of them have changed, and what a fixture lacks is left as it is.
    """
    return scope.loading() or bool(assignments.touches(maintenance.target, [*maintenance.values]))


def write(using: str, update: Update, effects: Effects, held: Held, cursor: Any = None) -> None:
    """Write to the rows of one target model; what reads them is added to ``effects``."""
    target, is_locked = update.target, update.evaluates
    if is_locked:
        update = prepared(using, update, held)
        if not update.names:  # No value that has left was the extreme.
            return
    if not registry.plan().columns.get(target) or is_unread(target, update.names):
        evaluating.write(using, update, cursor)
        return
    columns = evaluating.written(target, update.names)
    change = Change(target, "update", update.pks, columns, locked=is_locked)
    adding = chains.added_on(change, update)
    keeping = Keeping(
        connections[using],
        [change],
        maintenances=[each for each in route(change).maintenances if each not in adding],
        held=held,
    )
    keeping.before()
    outcome = evaluating.write(using, update, cursor, chains.returned(using, adding))
    keeping.collect(effects)
    if outcome.whole:
        chains.add_on(using, update, adding, outcome.rows, effects, held)
    for each in () if outcome.whole else adding:
        effects.stale[each] |= each.targets([change], using)
    if outcome.healed:
        # What reads a healed value was right or wrong by itself, and the difference says nothing.
        again = Change(target, "update", outcome.healed, columns)
        for each in concerned([again]):
            effects.stale[each] |= each.targets([again], using)


def prepared(using: str, update: Update, held: Held) -> Update:
    """An UPDATE that evaluates, with its rows locked, and nothing waiting for what it evaluates."""
    if not held.has(update.target, update.pks):
        update = writing.locked(using, update)
    if (waiting := pending.known(connections[using])) is not None:
        for name, rows in update.anew.items():
            waiting.discard(update.target, rows, (name,))
    return update


def evaluate(using: str, maintenance: Maintenance, pks: set[Any], held: Held = NOTHING) -> None:
    """Evaluate anew what was not followed step by step, with all that copies read locked: what new
    rows begin with may be ``held``.
    """
    with together(connections[using]):
        paths = [each.path for each in maintenance.dependencies]
        if not isinstance(maintenance, Copy):
            paths = list(dict.fromkeys(path.forwards for path in paths))
        for path in paths if not held.complete else ():
            lock_path(path, using, pks)
        recompute(using, maintenance, pks, held)


def recompute(
    using: str,
    maintenance: Maintenance,
    pks: set[Any],
    held: Held = NOTHING,
    effects: Effects | None = None,
) -> None:
    """Evaluate the rules of a maintenance anew for the targets ``pks``; what reads them is added
    to ``effects``, or follows at once.
    """
    with together(connections[using]):
        if not held.has(maintenance.target, pks):
            lock(maintenance.target, using, pks)
        if (waiting := pending.known(connections[using])) is not None:
            waiting.discard(maintenance.target, pks, maintenance.values.keys())
        columns = evaluating.written(maintenance.target, frozenset(maintenance.values))
        change = Change(maintenance.target, "update", sorted_pks(pks), columns, locked=True)

        def write() -> None:
            evaluating.evaluate(using, maintenance, change.pks)

        perform(using, [change], write, held, effects)


def is_unread(target: Model, names: frozenset[str]) -> bool:
    """Whether no rule reads what an addition to these fields writes."""

    def find() -> bool:
        return not concerned([Change(target, "update", (), evaluating.written(target, names))])

    return once(("unread", target, names), find)


def in_plan_order(
    touched: Mapping[tuple[str, Maintenance], set[Any]],
) -> list[tuple[tuple[str, Maintenance], set[Any]]]:
    position = registry.plan().position
    return sorted(
        (item for item in touched.items() if item[1]), key=lambda item: position[item[0][1]]
    )
