"""What the rows of a write contribute before it and after it, and from which side that is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from syncfields.declare.paths import Dependency, Hop, Model
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.changes import Change
from syncfields.maintenance.delta import Delta
from syncfields.maintenance.extreme import Extreme
from syncfields.plan.aggregation import is_missed
from syncfields.plan.levels import combined
from syncfields.plan.routes import route
from syncfields.programs.chosen import Asked
from syncfields.programs.coming import Coming
from syncfields.programs.ways import (
    Known,
    Selection,
    Way,
    is_one,
    parts_of,
    read,
    selection,
    selection_of_all,
    selection_of_one,
    way,
)
from syncfields.sql import statements
from syncfields.sql.databases import has_row_locks
from syncfields.sql.locks import snapshot_is_old
from syncfields.sql.once import once
from syncfields.sql.rows import rows_with
from syncfields.sql.statements import Row, Statement


class Contributions:
    """What the rows of some changes contribute to the targets of some maintenances: read before the
    write, and compared with what is read after it.
    """

    def __init__(
        self,
        using: str,
        changes: Sequence[Change],
        maintenances: Sequence[Maintenance],
    ) -> None:
        self.using = using
        self.changes = changes
        found = sides(changes, maintenances)
        self.ways, self.others, self.anew = found.ways, found.others, found.anew
        self.by_model = found.by_model
        self.known: dict[Way, Known] = {}
        self.known_of_others: list[Any] = []
        self.targets: list[set[Any]] = []
        self.selection: Selection | None = None
        """What was asked of these rows, perhaps for some more maintenances."""
        self.coming: Coming | None = None
        """What is asked of the one row as it is going to be."""

    def asked(self, locked: Collection[Model] | None) -> Asked | None:
        """The SELECT of ``before()``, where it is one of one row, locked itself, that is joined
        with rows of these tables only (None: of any); and what the row is going to be, where that
        is asked.
        """
        reads = self.reads("insert")
        if len(reads) > 1 or (reads and not is_one(reads[0][0], reads[0][2])):
            return None
        coming = None if self.coming is None else self.coming.ask(locked)
        if not reads:
            if coming is None:
                return None
            whole = coming.statement
            return coming._replace(statement=once(("unconverted", whole), whole.unconverted))
        ((model, ways, (pk,)),) = reads
        found, statement = selection_of_one(self.using, model, ways)
        if not self.is_read_of(found, None if locked is None else {model, *locked}):
            return None
        own = Asked(statement, {"pk": pk}, is_kept=True)
        return own if coming is None else own.beside(coming)

    def asked_of_some(self, locked: Collection[Model]) -> Asked | None:
        """As ``asked()``, of any number of rows, and those of one table if there are several:
        ``before()`` reads the others.
        """
        for model, ways, pks in self.reads("insert"):
            found = selection(rows_with(model, self.using, pks), ways)
            if self.is_read_of(found, {model, *locked}):
                return Asked(statements.select(found.queryset))
        return None

    def asked_of_all(self, locked: Collection[Model]) -> Asked | None:
        """As ``asked()``, of any number of rows, which are all that is seen of their table."""
        if not self.ways:
            return None
        found, statement = selection_of_all(self.using, self.changes[0].model, self.ways)
        return Asked(statement) if self.is_read_of(found, locked) else None

    def asked_of_each(self, queryset: QuerySet[Any], columns: Sequence[str]) -> Statement | None:
        """As ``asked_of_all()``, of rows that are read by themselves, each behind some columns:
        where no other rows decide with them.
        """
        if not self.ways or queryset.query.annotations:
            return None
        found = selection(queryset, self.ways, columns)
        if not self.is_read_of(found, {self.changes[0].model}):
            return None
        return statements.select(found.queryset)

    def is_read_of(self, selection: Selection, locked: Collection[Model] | None) -> bool:
        self.selection = selection
        return locked is None or {*selection.tables} <= {each._meta.db_table for each in locked}

    def answered(self, answer: Sequence[Row]) -> dict[Way, Known]:
        """What the rows contribute, as it was found by what was asked last."""
        own = 0 if self.selection is None else self.selection.width
        if self.coming is not None and answer:
            self.coming.take(answer[0][own:])
        if self.selection is None:
            return {}
        return dict(zip(self.selection.ways, self.selection.known(answer), strict=True))

    def before(
        self,
        answer: Sequence[Row] | None = None,
        locked: Collection[Model] | None = None,
        cursor: Any = None,
    ) -> None:
        """``answer``: what was found by what was asked, if it was. ``locked``: the tables of which
        all rows are locked that these lead to, where all are.
        """
        if answer is None and self.coming is not None and self.coming.asks:
            answer = self.with_what_comes(locked, cursor)
        self.known = {} if answer is None else self.answered(answer)
        self.known |= self.read("insert", self.known, cursor)
        if self.coming is not None and self.coming.given:
            self.others = tuple(each for each in self.others if each not in self.coming.given)
        self.known_of_others = [each.before(self.changes, self.using) for each in self.others]
        self.targets = [self.targets_of(each, "insert") for each in self.anew]

    def with_what_comes(
        self, locked: Collection[Model] | None, cursor: Any
    ) -> Sequence[Row] | None:
        """What one row contributes, and what it is going to be, read by one statement; of a new
        row, which contributes nothing, that may as well be read when it is there.
        """
        if self.changes[0].kind == "insert":
            return None
        if has_row_locks(self.using) and (locked is None or snapshot_is_old(self.using)):
            return None
        asked = self.asked(locked if has_row_locks(self.using) else None)
        return None if asked is None else asked.statement.rows(cursor, **asked.values)

    def after(self, effects: Effects, cursor: Any = None) -> None:
        (change, *others) = self.changes
        if change.kind == "update" and not (others or change.learnt.pks):
            return  # No row was written.
        foretold: Mapping[Way, Known] = {}
        if self.coming is not None:
            foretold = self.coming.known_of(change.learnt.written)
        now = {**foretold, **self.read("delete", foretold, cursor)}
        for each in self.ways:
            each.maintenance.compare(self.known.get(each, {}), now.get(each, {}), effects)
        for other, known in zip(self.others, self.known_of_others, strict=True):
            other.after(self.changes, self.using, known, effects)
        for maintenance, targets in zip(self.anew, self.targets, strict=True):
            effects.stale[maintenance] |= targets | self.targets_of(maintenance, "delete")

    def targets_of(self, maintenance: Maintenance, without: str) -> set[Any]:
        there = [change for change in self.changes if change.kind != without]
        return maintenance.targets(there, self.using)

    def leave(self) -> dict[Maintenance, set[Any]]:
        """The targets that the rows were connected with before. From then on events are counted,
        and no more.
        """
        read = list(zip(self.others, self.known_of_others, strict=True))
        left = {each.maintenance: set(self.known.get(each, ())) for each in self.ways}
        left |= {each: set(known) for each, known in read if each.reconcilable}
        left |= zip(self.anew, self.targets, strict=True)
        self.ways, self.known, self.anew, self.targets = (), {}, (), []
        self.by_model = ()
        self.others = tuple(each for each, _ in read if not each.reconcilable)
        self.known_of_others = [known for each, known in read if not each.reconcilable]
        return left

    def read(
        self, without: str, known: Collection[Way] = (), cursor: Any = None
    ) -> dict[Way, Known]:
        """What the rows contribute now; not those of a kind of write that has none now, nor by ways
        of which it is ``known``.
        """
        found: dict[Way, Known] = {}
        for model, ways, pks in self.reads(without):
            if not known or ways[0] not in known:
                found |= zip(ways, read(self.using, model, ways, pks, cursor), strict=True)
        return found

    def reads(self, without: str) -> list[tuple[Model, tuple[Way, ...], Sequence[Any]]]:
        """The rows of each SELECT, and the ways that it goes."""
        if len(self.changes) == 1:
            (change,) = self.changes
            pks = () if change.kind == without else change.learnt.pks
            return [(model, ways, pks) for model, ways in self.by_model if pks]
        together: dict[tuple[Model, tuple[int, ...]], list[Way]] = defaultdict(list)
        there = [n for n, change in enumerate(self.changes) if change.kind != without]
        for each in self.ways:
            own = tuple(n for n in there if self.changes[n].concerns(each.dependency))
            together[each.dependency.model, own].append(each)
        found = [
            (
                model,
                tuple(ways),
                list({pk for n in numbers for pk in self.changes[n].learnt.pks}),
            )
            for (model, numbers), ways in together.items()
        ]
        return [each for each in found if each[2]]


@dataclass(frozen=True, slots=True)
class Sides:
    """From which side the maintenances that changes matter to look at the rows."""

    ways: tuple[Way, ...]
    others: tuple[Maintenance, ...]
    """Those that look from the side of their targets."""
    anew: tuple[Maintenance, ...]
    """Those whose targets are evaluated anew, since what counts may be that a row is not there."""
    by_model: tuple[tuple[Model, tuple[Way, ...]], ...]
    """The ways from the rows of each model."""


def ways_of_new(change: Change) -> tuple[Way, ...]:
    """The ways from a new row, apart from short ones."""
    return sides([change], route(change).others).ways


def sides(changes: Sequence[Change], maintenances: Sequence[Maintenance]) -> Sides:
    if len(changes) > 1:
        return find_sides(changes, maintenances)
    (change,) = changes
    how = (change.model, change.kind, change.learnt.columns, change.unordered)
    return once(("sides", tuple(maintenances), how), lambda: find_sides(changes, maintenances))


def find_sides(changes: Sequence[Change], maintenances: Sequence[Maintenance]) -> Sides:
    ways: list[Way] = []
    others: list[Maintenance] = []
    anew: list[Maintenance] = []
    for maintenance in maintenances:
        concerned = [
            (change, dependency)
            for dependency in maintenance.dependencies
            for change in changes
            if change.concerns(dependency)
        ]
        counting = (
            without_covered(concerned) if type(maintenance) in (Delta, Extreme) else concerned
        )
        models = {dependency.path: dependency.model for _, dependency in counting}
        if any(is_missed_before_or_after(maintenance, *each) for each in concerned):
            anew.append(maintenance)
        elif len(models) == 1 and (found := way(maintenance, *models.values())) is not None:
            ways.append(found)
        else:
            others.append(maintenance)
    of_model: dict[Model, list[Way]] = defaultdict(list)
    for each in ways:
        of_model[each.dependency.model].append(each)
    by_model = tuple((model, tuple(found)) for model, found in of_model.items())
    return Sides(tuple(ways), tuple(read_together(others)), tuple(anew), by_model)


Concerned = tuple[Change, Dependency]


def without_covered(concerned: Sequence[Concerned]) -> list[Concerned]:
    """Without rows that are deleted with all the rows of a table further on that refer to them:
    these say what there was to count.
    """
    return [
        (change, dependency)
        for change, dependency in concerned
        if not any(
            change.kind == other.kind == "delete"
            and further.path.starts_with(dependency.path)
            and takes_along(further.path.hops[len(dependency.path.hops) :])
            for other, further in concerned
        )
    ]


def takes_along(hops: Sequence[Hop]) -> bool:
    """Whether rows at the near end are not deleted without those at the far end."""
    return bool(hops) and all(hop.takes_along for hop in hops)


def is_missed_before_or_after(
    maintenance: Maintenance, change: Change, dependency: Dependency
) -> bool:
    """Whether rows that refer to the changed ones, before or after those are there, may contribute
    something else for that: they are not found by rows that are not there.
    """
    arrival = dependency.path.hops[-1:]
    if not arrival or not arrival[0].forward:
        return False
    keys = {far for _, far in arrival[0].columns}
    stays = change.kind == "update" and not change.writes(keys)
    return not stays and any(is_missed(part, dependency.path) for part in parts_of(maintenance))


def read_together(maintenances: Iterable[Maintenance]) -> Iterator[Maintenance]:
    """Those that add up rows of the same path made one: they share their queries."""
    alike: dict[Any, list[Maintenance]] = defaultdict(list)
    for each in maintenances:
        stems = frozenset(dependency.path.stem for dependency in each.dependencies)
        alike[(each.target, stems) if type(each) is Delta else each].append(each)
    for group in alike.values():
        yield combined(group) if len(group) > 1 else group[0]
