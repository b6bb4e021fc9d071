"""What is done around one write: its rows, and all that they lead to, are locked, and what they
contribute is read; after it, what has become of that is collected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from syncfields.declare.paths import Model, Path
from syncfields.keep import grouped
from syncfields.keep.single import Row
from syncfields.maintenance.base import Deltas, Effects, Maintenance, drop_zeros
from syncfields.maintenance.changes import NOTHING, Change, Held
from syncfields.maintenance.direct import Direct
from syncfields.plan import registry
from syncfields.plan.routes import Route, concerned, route
from syncfields.programs import absent, locking, several
from syncfields.programs.beforehand import Beforehand, beforehand
from syncfields.programs.chosen import Asked
from syncfields.programs.coming import Coming, becoming
from syncfields.programs.contributions import Contributions
from syncfields.programs.order import lock_after, lock_parents, lock_sources
from syncfields.targets import announcing, evaluating
from syncfields.targets.updates import Update
from syncfields.transactions import pending, scope

Gone = Sequence[tuple[grouped.Ways, grouped.Groups]]
"""Rows that a DELETE has returned, and what they matter to."""


class Keeping:
    """The steps around one write: ``before()``, then the write itself, then ``engine.finish()``."""

    contributions: Contributions | None = None
    known: Sequence[set[Any]] = ()
    answer: Sequence[tuple[Any, ...]] | None = None
    """What the row has contributed, where it was found when all was locked."""
    row: Row | None = None
    ways: Mapping[Maintenance, Direct] = MappingProxyType({})
    followed: Sequence[tuple[Maintenance, Path]] = ()
    led_elsewhere: Sequence[tuple[Maintenance, Path]] = ()
    summed: Model | None = None
    """The target, where the write of a row does no more than add to sums that no rule reads."""
    is_over = False
    """Whether nothing follows from the write of a row."""
    is_read = False
    """Whether all is locked, and the contributions are read, by now."""

    def __init__(
        self,
        connection: Any,
        changes: Sequence[Change],
        gone: Gone | None = None,
        maintenances: Sequence[Maintenance] | None = None,
        held: Held = NOTHING,
        found: Route | None = None,
        contributions: Contributions | None = None,
        cursor: Any = None,
        foretold: Beforehand | None = None,
    ) -> None:
        """``gone``: to be filled by the write. ``held``: what was locked before, for this write or
        one that leads to it. ``found``: the route of the only change, where it is known.
        ``contributions``: what was read when all was locked, where that was all. ``cursor``: one
        that was opened for this write. ``foretold``: what the new row contributes, if it was
        asked.
        """
        self.cursor = cursor
        self.foretold = foretold
        self.found = found
        self.connection = connection
        self.using: str = connection.alias
        self.changes = changes
        self.change = changes[0] if len(changes) == 1 else None
        """The only one."""
        self.maintenances = concerned(changes) if maintenances is None else maintenances
        self.gone = gone
        self.repairs = scope.repairing_drift()
        self.held = held
        if contributions is not None:
            self.contributions, self.is_read = contributions, True

    def before(self) -> None:
        if self.is_read:
            return
        change = self.change
        if change is not None and not self.repairs:
            self.take_short_ways(change)
        if self.summed is not None or self.is_over:  # Nothing else is to be locked before it.
            if self.held is NOTHING:
                lock_parents(self.connection, self.changes)
            return
        if not (self.are_held() if change is None else self.is_held(change)):
            self.lock_sources()
        if self.led_elsewhere and self.is_locked(self.changes[0]):
            self.followed = [*self.followed, *self.led_elsewhere]
            found = dict(self.led_elsewhere)
            self.maintenances = [each for each in self.maintenances if each not in found]
        if not self.maintenances:
            return
        if self.repairs:
            self.known = [each.targets(self.changes, self.using) for each in self.maintenances]
        else:
            self.read_contributions()

    def read_contributions(self) -> None:
        self.contributions = self.to_be_read(self.contributions)
        locked = self.held.rows if self.held.complete else None
        self.contributions.before(self.answer, locked, self.opened())
        if self.row is not None and (coming := self.contributions.coming) is not None:
            learnt = self.row.change.learnt
            for values in coming.given.values():
                learnt.beside = {**(learnt.beside or {}), **values}

    def to_be_read(self, asked: Contributions | None) -> Contributions:
        """``asked``: what was asked when all was locked."""
        if asked is not None and not self.led_elsewhere:
            return asked
        read = Contributions(self.using, self.changes, self.maintenances)
        if asked is not None:
            read.selection, read.coming = asked.selection, asked.coming
        elif self.change is not None:
            read.coming = self.coming(self.change, read)
        return read

    def opened(self) -> Any:
        """A cursor, if one was opened for the row."""
        return None if self.row is None else self.row.opened

    def coming(self, change: Change, read: Contributions) -> Coming | None:
        """What is asked of the row as it is going to be."""
        if self.foretold is not None and self.foretold.known:
            return Coming(self.using, change, self.foretold)
        if self.row is None or change.kind == "delete":
            return None
        asked = beforehand(self.using, change, read.ways)
        waits = pending.waits(self.connection) or scope.loading()
        return Coming(self.using, change, asked, () if waits else becoming(change, read.others))

    def lock_sources(self) -> None:
        """Lock the rows that are written, and all that they are connected with by now."""
        if not self.connection.features.has_select_for_update:
            return
        there = self.held.with_locked(
            lock_sources(self.connection, self.changes, self.maintenances)
        ).rows
        writes = self.using, self.changes, self.maintenances
        if absent.leave_out(*writes, there) | absent.leave_out_former(*writes, there):
            lock_sources(self.connection, self.changes, self.maintenances)

    def is_held(self, change: Change) -> bool:
        """Whether all that the write of a row, or of new ones, will touch is locked, by now; or of
        several rows, all that follows from a write that has led to these.
        """
        if self.held is not NOTHING and self.held.has_all_of(change):
            change.learnt.all_locked(change.learnt.pks)
            return True
        if self.repairs or not (self.row is not None or change.kind == "insert"):
            return False
        if not (self.ways or self.maintenances):
            return False
        if self.held is NOTHING and self.connection.features.has_select_for_update:
            self.lock_with(change)
        change.learnt.foreseen = self.held.complete
        return self.held is not NOTHING

    def lock_with(self, change: Change) -> None:
        """Lock all that the write of a row will touch, and ask what it contributes."""
        asking = None
        if self.maintenances:
            self.contributions = self.to_be_read(None)
            asking = self.contributions.asked
        self.held = locking.lock(self.connection, change, asking=asking) or NOTHING
        self.answer = self.held.answer if self.held.complete else None

    def are_held(self) -> bool:
        """Whether all that some DELETEs will touch is locked, by now."""
        if self.repairs or not self.maintenances or self.held is not NOTHING:
            return False
        self.contributions = Contributions(self.using, self.changes, self.maintenances)
        asking = self.contributions.asked_of_some
        held = several.lock_deleted(self.connection, self.changes, asking)
        if held is None:
            return False
        self.held, self.answer = held, held.answer
        return True

    def is_locked(self, change: Change) -> bool:
        """Whether nobody else can write what the change leads to."""
        return change.learnt.foreseen or not self.connection.features.has_select_for_update

    def take_short_ways(self, change: Change) -> None:
        """Read a single row at once with all that is known of it; what did not change is left."""
        inserts = change.kind == "insert"
        if inserts and len(change.rows) > 1 and not change.partial:
            found = route(change)
            self.ways = found.ways if grouped.fits(found.ways) else {}
            self.maintenances = [each for each in found.maintenances if each not in self.ways]
            return
        if not change.is_single or not (self.found or change.model in registry.plan().sources):
            return
        self.row = Row(self.connection, change, self.cursor)
        reads = not inserts and registry.plan().columns[change.model]
        if reads and not self.row.find(self.asked_at_once(change)):
            # Django will insert it, or it is gone.
            self.maintenances, self.is_over = (), self.gone is None
            return
        found = self.found if inserts and self.found is not None else route(change)
        self.ways, self.followed, self.maintenances = found.ways, found.followed, found.others
        self.led_elsewhere = found.led_elsewhere
        if self.row.beside is not None:
            self.answer = [tuple(self.row.beside)]
        if self.gone is None:
            self.summed, self.is_over = found.summed, not found.maintenances

    def asked_at_once(self, change: Change) -> Asked | None:
        """What the row contributes, where that is known to matter before the row is read, and
        nothing else is to be locked in between.
        """
        if change.kind != "delete" or self.connection.features.has_select_for_update:
            return None
        others = route(change).others
        if not others:
            return None
        self.contributions = Contributions(self.using, self.changes, others)
        return self.contributions.asked(None)

    def write_sums(self, target: Model) -> None:
        """What ``collect()`` and ``apply()`` come to in the most frequent case."""
        row: Any = self.row
        ways: Any = self.ways.items()
        if not row.change.learnt.pks:
            return
        deltas: Deltas = defaultdict(dict)
        written = row.written()
        for maintenance, way in ways:
            keys = row.keys(way, written)
            maintenance.differ(*row.known(maintenance, way, keys, written), deltas)
        drop_zeros(deltas)
        if deltas:
            evaluating.write(self.using, Update(target, deltas), row.cursor())

    def collect(self, effects: Effects) -> None:
        """Add to ``effects`` what the write did."""
        if not self.held.complete and self.connection.vendor == "mysql":
            absent.wait_for_arriving(self.using, self.changes, self.maintenances)
        if self.row is not None:
            self.row.after(self.ways, effects)
        elif self.ways:
            self.after_inserts(self.changes[0], effects)
        for ways, groups in self.gone or ():
            grouped.gone(ways, groups, effects)
        if self.maintenances:
            self.after_others(effects)
        if self.row is not None and (beside := self.row.change.learnt.beside):
            announcing.note(self.using, self.row.model, self.row.change.learnt.pks, beside)
        for change in self.changes:
            if change.kind == "delete" and change.model in registry.plan().targets:
                self.spare(change, effects)
        for maintenance, path in self.followed:
            self.follow(maintenance, path)

    def spare(self, change: Change, effects: Effects) -> None:
        """Write nothing to targets that are deleted: neither what follows from this write, nor what
        was noted before it, and waits.
        """
        effects.spare(change.model, change.learnt.pks)
        if (waiting := pending.known(self.connection)) is not None:
            waiting.spare(change.model, change.learnt.pks)

    def follow(self, maintenance: Maintenance, path: Path) -> None:
        assert self.row is not None
        for pk in self.row.change.learnt.pks:
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
            self.contributions.after(effects, None if self.row is None else self.row.cursor())
            return
        for each, known in zip(self.maintenances, self.known, strict=True):
            effects.stale[each] |= known | each.targets(self.changes, self.using)
