"""What capture reports: which rows of which model are written, and how."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from syncfields.declare.paths import Dependency, Model, Path

Kind = Literal["insert", "update", "delete"]


@dataclass(slots=True)
class Change:
    """A write of some rows of one table."""

    model: Model
    kind: Kind
    pks: Sequence[Any] = ()
    """Primary keys; those of inserted rows are filled in by the write."""
    columns: frozenset[str] | None = None
    """Attribute names of the columns an update writes; None stands for the whole row."""
    values: Mapping[str, Any] | None = None
    """What is written, by attribute name, where it is one row and that is known."""
    rows: Sequence[Mapping[str, Any]] = ()
    """The rows to be inserted, or the one to be updated, as they are in memory."""
    former: Sequence[Mapping[str, Any]] = ()
    """The rows to be updated as they are in the database, locked, where they were read."""
    partial: bool = False
    """Not all of ``rows`` are inserted: the database may know some already."""
    previous: Mapping[str, Any] | None = None
    """The old values, as far as they come from memory."""
    unordered: bool = False
    """Inserted rows may have been referred to before they were there: they come from a fixture, or
    their keys were known, and the constraint waits for COMMIT."""
    loaded: bool = False
    """The row comes from a fixture, as it was written there: it is no event."""
    inserted: frozenset[Model] = frozenset()
    """The parents of an inserted row of a multi-table model that were inserted with it."""
    locked: bool = False
    """The rows are locked already."""
    foreseen: bool = False
    """The rows that the write leads to are locked already."""
    saved: bool = False
    """The write is ``Model.save()`` of an existing row: an event that a tally may count."""

    @property
    def is_single(self) -> bool:
        """One row, of which it is known what is written."""
        if self.kind == "insert":
            return self.values is not None
        return len(self.pks) == 1 and (self.values is not None or self.kind == "delete")

    def state(self) -> tuple[Any, ...]:
        """What becomes known of it while it is carried out."""
        known = self.pks, self.columns, self.former, self.locked, self.foreseen
        return *known, self.values, self.rows

    def restore(self, state: tuple[Any, ...]) -> None:
        self.pks, self.columns, self.former, self.locked, self.foreseen = state[:5]
        self.values, self.rows = state[5:]

    def writes(self, columns: Collection[str]) -> bool:
        """Whether it may change one of the columns."""
        return self.columns is None or not self.columns.isdisjoint(columns)

    def concerns(self, dependency: Dependency) -> bool:
        """Whether this write can change what is read at the end of the dependency's path."""
        if self.model is not dependency.model:
            return False
        if self.kind == "update":
            return self.writes(dependency.columns)
        if not dependency.path.hops or (
            self.kind == "insert" and dependency.hollow and not self.unordered
        ):
            return False
        # A row that only a key of a row nearer to the target leads to is not reached before that
        # key is written, nor after it is nulled; unless the key may dangle.
        arrival = dependency.path.hops[-1]
        if not arrival.forward:
            return True
        if self.kind == "insert":
            return self.unordered or arrival.outlives_target or arrival.by_value
        return not arrival.collected


@dataclass(frozen=True, slots=True)
class Held:
    """The rows that a write has locked before it: see ``programs/locking.py``."""

    rows: Mapping[Model, Collection[Any]]
    """The keys of those that were there, by table. They need not be locked again."""
    whole: Mapping[Model, frozenset[str]]
    """The columns of targets, of which all is locked that follows when they are written."""
    complete: bool
    """Whether all rows were there whose keys were known."""
    columns: Mapping[tuple[Model, str], Mapping[Any, Any]] = field(default_factory=dict)
    """What they hold in columns that were read, by primary key."""
    answer: Sequence[tuple[Any, ...]] | None = None
    """The rows that tell what was asked of them, in the statement that locked them."""

    def with_written(self, changes: Iterable[Change], models: Collection[Model]) -> Held:
        """With the rows of these models that are written by now: that locks them, too."""
        written = [each for each in changes if each.model in models and each.kind != "delete"]
        if not written:
            return self
        found = dict(self.rows)
        for change in written:
            found[change.model] = {*found.get(change.model, ()), *change.pks}
        return replace(self, rows=found)

    def read(self, model: Model, pks: Sequence[Any], names: Sequence[str]) -> list[Any] | None:
        """Some columns of rows, behind their keys; None where they were not read."""
        known = [self.columns.get((model, name), {}) for name in names]
        if not all(pk in column for column in known for pk in pks):
            return None
        return [(pk, *(column[pk] for column in known)) for pk in pks]

    def has(self, model: Model, pks: Iterable[Any]) -> bool:
        held = self.rows.get(model, ())
        return all(pk in held for pk in pks)

    def has_all_of(self, change: Change) -> bool:
        """Whether the rows of a write of the engine's own are locked, and all that follows."""
        if not self.complete or change.kind != "update" or change.columns is None:
            return False
        foreseen = self.whole.get(change.model, frozenset())
        return change.columns <= foreseen and self.has(change.model, change.pks)


NOTHING = Held({}, {}, complete=False)


def reach(
    dependencies: Iterable[Dependency], changes: Iterable[Change]
) -> list[tuple[Path, set[Any]]]:
    """The rows written, by the path that leads a target to them: ``[(path, primary keys)]``."""
    found = (
        (
            dependency.path,
            {pk for change in changes if change.concerns(dependency) for pk in change.pks},
        )
        for dependency in dependencies
    )
    return [(path, pks) for path, pks in found if pks]
