"""What capture reports: which rows of which model are written, and how."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from syncfields.declare.paths import Dependency, Model, Path

Kind = Literal["insert", "update", "delete"]


T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def frozen(cls: type[T]) -> type[T]: ...

else:
    # Who assigns to it is told by the type checker. Python itself would take twice as long to make
    # one, and each write makes some.
    frozen = dataclass(slots=True)


@dataclass(slots=True)
class Learnt:
    """What is known of the rows of a write by now: as it is announced, by who locks or reads them
    (``programs/``, ``keep/``), and by the write itself (``capture/``), as to what was inserted.
    Before it is tried again, this is set back, and nothing else.
    """

    pks: Sequence[Any] = ()
    """Primary keys; those of inserted rows are filled in by the write."""
    columns: frozenset[str] | None = None
    """Attribute names of the columns an update writes, without those that it surely leaves as they
    are in its one row; None stands for the whole row."""
    former: Sequence[Mapping[str, Any]] = ()
    """The rows to be updated or deleted as they are in the database, locked, where they were
    read."""
    locked: bool = False
    """The rows are locked already."""
    foreseen: bool = False
    """The rows that the write leads to are locked already."""
    written: Mapping[str, Any] | None = None
    """The one row that was inserted, as it was written: receivers may change the instance before
    the rest is done."""

    cursor: Any = None
    """One that the steps around the write have opened, for its own statement."""
    beside: Mapping[str, Any] | None = None
    """Synced fields of the one row that the UPDATE is to write with the rest, by attribute name;
    None where it would not."""

    def all_locked(self, pks: Sequence[Any]) -> None:
        """These are the rows: they are locked, and all that the write leads to."""
        self.pks, self.locked, self.foreseen = pks, True, True

    def state(self) -> Any:
        known = self.pks, self.columns, self.former, self.locked, self.foreseen
        return *known, self.written, self.beside

    def restore(self, state: Any) -> None:
        *known, self.written, self.beside = state
        self.pks, self.columns, self.former, self.locked, self.foreseen = known
        self.cursor = None


@frozen
class Change:
    """A write of some rows of one table: what it is, and in ``learnt`` what is known of its rows.

    Nothing but ``learnt`` becomes another while the write is carried out.
    """

    model: Model
    kind: Kind
    learnt: Learnt = field(default_factory=Learnt)
    values: Mapping[str, Any] | None = None
    """What is written, by attribute name, where it is one row and that is known."""
    rows: Sequence[Mapping[str, Any]] = ()
    """The rows to be inserted, or the one to be updated, as they are in memory."""
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
    saved: bool = False
    """The write is ``Model.save()`` of an existing row: an event that a tally may count."""

    @property
    def is_single(self) -> bool:
        """One row, of which it is known what is written."""
        if self.kind == "insert":
            return self.values is not None
        return len(self.learnt.pks) == 1 and (self.values is not None or self.kind == "delete")

    def writes(self, columns: Collection[str]) -> bool:
        """Whether it may change one of the columns."""
        own = self.learnt.columns
        return own is None or not own.isdisjoint(columns)

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


@frozen
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
        found = self
        for change in written:
            found = found.with_locked({change.model: change.learnt.pks})
        return found

    def with_locked(self, rows: Mapping[Model, Collection[Any]]) -> Held:
        """With these rows."""
        found = dict(self.rows)
        for model, pks in rows.items():
            found[model] = {*found.get(model, ()), *pks}
        return Held(found, self.whole, self.complete, self.columns, self.answer)

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
        columns = change.learnt.columns
        if not self.complete or change.kind != "update" or columns is None:
            return False
        foreseen = self.whole.get(change.model, frozenset())
        return columns <= foreseen and self.has(change.model, change.learnt.pks)


NOTHING = Held({}, {}, complete=False)


def reach(
    dependencies: Iterable[Dependency], changes: Iterable[Change]
) -> list[tuple[Path, set[Any]]]:
    """The rows written, by the path that leads a target to them: ``[(path, primary keys)]``."""
    found = (
        (
            dependency.path,
            {pk for change in changes if change.concerns(dependency) for pk in change.learnt.pks},
        )
        for dependency in dependencies
    )
    return [(path, pks) for path, pks in found if pks]
