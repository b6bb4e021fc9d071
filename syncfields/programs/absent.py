"""Keys that name rows which are not there yet: see ``sql/meetings.py``.

A key without a constraint may name a row that is yet to come; on PostgreSQL any key may, until
COMMIT. Who inserts a row under a key that others can know waits for those who refer to it by now,
and then counts what they wrote. Who refers to a row that is not found waits for those who are
inserting it, and then looks again; nobody inserts it before he is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from django.db import connections
from django.db.models import F, QuerySet

from syncfields.declare.paths import Hop, Model, Path, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change
from syncfields.maintenance.copies import Copy
from syncfields.plan import registry
from syncfields.programs.ways import way
from syncfields.sql import meetings
from syncfields.sql.along import values
from syncfields.sql.databases import has_row_locks, vendor_of
from syncfields.sql.fields import takes_integers
from syncfields.sql.locks import kept_there, locking, reading
from syncfields.sql.once import kept, once
from syncfields.sql.rows import rows, rows_with

Result = TypeVar("Result")
Rows: TypeAlias = Mapping[Model, Collection[Any]]
"""Primary keys, by table."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A relation of a path, seen from the rows that hold its key."""

    hop: Hop
    model: Model
    """The model of the rows that hold the key."""
    named: Model
    """The model of the rows that it names."""
    holds: str
    """The column of the key."""
    column: str
    """The column that it names."""

    @property
    def is_loose(self) -> bool:
        """Whether no constraint of the database says that the row must be there."""
        return self.hop.outlives_target

    @property
    def is_parent_link(self) -> bool:
        return bool(getattr(self.hop.field.remote_field, "parent_link", False))

    def keys(self, using: str, holders: Iterable[Mapping[str, Any]]) -> list[Any]:
        """What rows hold, as far as they do not surely mean another table."""
        kind = self.kind(using)
        return list(
            values(
                (
                    row
                    for row in holders
                    if all(row.get(name, value) == value for name, value in kind.items())
                ),
                self.holds,
            )
        )

    def kind(self, using: str) -> dict[str, Any]:
        """The content type that stands beside a generic key."""
        if not self.hop.generic:
            return {}
        from django.contrib.contenttypes.models import ContentType

        field = self.hop.field
        found = ContentType.objects.db_manager(using).get_for_model(
            self.named, for_concrete_model=field.for_concrete_model
        )
        return {column(self.model, field.content_type_field_name).attname: found.pk}

    def rows(self, using: str, keys: Collection[Any]) -> QuerySet[Any]:
        """The rows that are named."""
        return rows(self.named, using).filter(**{f"{self.column}__in": keys})

    def holders(self, using: str, keys: Collection[Any]) -> QuerySet[Any]:
        """The rows that hold one of the keys."""
        return rows(self.model, using).filter(**self.kind(using), **{f"{self.holds}__in": keys})


def along(path: Path) -> Iterator[Reference]:
    """The relations of a path."""
    for number, hop in enumerate(path.hops):
        before = path.until(number).model
        pairs = [pair for pair in hop.columns if all(pair)]
        if len(pairs) == 1:
            ((near, far),) = pairs
            if hop.forward:
                yield Reference(hop, before, hop.model, near, far)
            else:
                yield Reference(hop, hop.model, before, far, near)


def references(maintenance: Maintenance, model: Model) -> Sequence[Reference]:
    """The keys that rows of a model hold, on the paths of a maintenance."""

    def find() -> Sequence[Reference]:
        paths = [each.path for each in maintenance.dependencies if maintenance.reconcilable]
        found = (reference for path in paths for reference in along(path))
        return list(dict.fromkeys(each for each in found if each.model is model))

    return once(("references", maintenance, model), find)


def referring(model: Model) -> tuple[Reference, ...]:
    """The keys that name rows of a model, on all paths."""

    def find() -> tuple[Reference, ...]:
        paths = {each.path for m in registry.plan().maintenances for each in m.dependencies}
        found = (reference for path in paths for reference in along(path))
        return tuple(dict.fromkeys(each for each in found if each.named is model))

    return once(("referring", model), find)


def loose_keys(model: Model) -> frozenset[str]:
    """The columns of a model that hold keys without a constraint, on any path."""

    def find() -> frozenset[str]:
        maintenances = registry.plan().maintenances
        found = (each for one in maintenances for each in references(one, model))
        return frozenset(each.holds for each in found if each.is_loose)

    return once(("loose keys", model), find)


# Who inserts a row -------------------------------------------------------------------------------


def meeting(using: str, change: Change, write: Callable[[], Result]) -> Callable[[], Result]:
    """``write``, which inserts rows or gives them other keys, and meets those who refer to them by
    now.
    """
    if change.kind == "delete" or not known_by(using, change.model):
        return write

    def meet() -> Result:
        named = given(using, change)
        if vendor_of(using) == "postgresql":
            for name, (keys, _) in named.items():
                meetings.expect(using, change.model, name, keys)
            return write()
        result = write()
        for keys, held in named.values():
            for each in held:
                list(locking(each.holders(using, keys).order_by("pk")).values_list("pk"))
        return result

    return meet


def given(using: str, change: Change) -> Mapping[str, tuple[set[Any], Sequence[Reference]]]:
    """The keys by which others may know rows before they have them, by column, and the relations
    that name them.
    """
    found: dict[str, tuple[set[Any], Sequence[Reference]]] = {}
    for name, held in known_by(using, change.model).items():
        is_written = change.kind == "insert" or change.writes((name,))
        if is_written and (keys := values(change.rows, name)):
            found[name] = keys, held
    return found


@kept
def known_by(using: str, model: Model) -> Mapping[str, Sequence[Reference]]:
    """The columns by which rows of a model may be named before they are there."""
    waits = bool(connections[using].features.can_defer_constraint_checks)
    found: dict[str, list[Reference]] = defaultdict(list)
    for each in referring(model) if has_row_locks(using) else ():  # SQLite has one writer.
        if waits or each.is_loose:
            found[each.column].append(each)
    return dict(found)


# Who refers to it --------------------------------------------------------------------------------


def leave_out(
    using: str, changes: Sequence[Change], maintenances: Collection[Maintenance], there: Rows
) -> bool:
    """Before rows are written that are going to name others: those that are absent stay so until
    COMMIT, but for those who come meanwhile. Whether any was absent.

    ``there``: the primary keys of rows that are known to be there, as they are locked.
    """
    found = False
    for change in changes:
        for reference in leading(change.model, maintenances):
            if may_dangle(using, change, reference):
                found |= is_absent(using, reference, new(change), there)
    return found


def uncertain(
    using: str, change: Change, maintenances: Iterable[Maintenance], there: Rows
) -> list[Maintenance]:
    """The maintenances to which rows matter that new ones name, and of which it is not known
    whether they are there.
    """
    return [
        each
        for each in maintenances
        if any(
            may_dangle(using, change, reference) and unknown(using, reference, new(change), there)
            for reference in leading(change.model, [each])
        )
    ]


def leave_out_former(
    using: str, changes: Iterable[Change], maintenances: Collection[Maintenance], there: Rows
) -> bool:
    """The same of rows that they name by now, without a constraint."""
    found = False
    for change in changes if vendor_of(using) == "postgresql" else ():
        if change.kind != "insert" and change.learnt.pks:
            loose = [each for each in leading(change.model, maintenances) if each.is_loose]
            former = keys_held_by(using, change, loose) if loose else ()
            for reference in loose:
                found |= is_absent(using, reference, former, there)
    return found


def keys_held_by(
    using: str, change: Change, loose: Iterable[Reference]
) -> Collection[Mapping[str, Any]]:
    """The keys that rows hold by now, which are locked."""
    names = {name for each in loose for name in (each.holds, *each.kind(using))}
    former = change.learnt.former
    if former and all(names <= row.keys() for row in former):
        return former
    written = reading(rows_with(change.model, using, change.learnt.pks))
    return list(written.values(*names).distinct())


def wait_for_arriving(
    using: str, changes: Sequence[Change], maintenances: Iterable[Maintenance]
) -> None:
    """After rows are written, on MariaDB and MySQL: wait for who inserts rows that they name, and
    has not seen them yet.
    """
    for change in changes:
        for reference in leading(change.model, maintenances) if change.kind != "delete" else ():
            if reference.is_loose and (keys := reference.keys(using, new(change))):
                list(locking(reference.rows(using, keys).order_by("pk")).values_list("pk"))


def new(change: Change) -> Sequence[Mapping[str, Any]]:
    """What rows are going to hold."""
    return [*change.rows, change.values] if change.values else change.rows


def leading(model: Model, maintenances: Iterable[Maintenance]) -> Collection[Reference]:
    """The keys of rows of a model that matter; but for those by which the UPDATE of a target itself
    tells that it is absent.
    """
    return dict.fromkeys(
        reference
        for maintenance in maintenances
        for reference in references(maintenance, model)
        if not is_written_by_key(maintenance, reference)
    )


def is_written_by_key(maintenance: Maintenance, reference: Reference) -> bool:
    """Whether the key itself names the target, as ``ways.key_of()`` has it."""
    found = way(maintenance, reference.model)
    return (
        found is not None
        and len(found.dependency.path.hops) == 1
        and reference.column == maintenance.target._meta.pk.attname
        and takes_integers(maintenance.target._meta.pk)
        and not reference.is_loose
    )


def may_dangle(using: str, change: Change, reference: Reference) -> bool:
    """Whether a row may be absent that one of the rows is going to name."""
    if change.kind == "delete" or (reference.is_parent_link and not change.loaded):
        return False  # A parent is saved before its child.
    if reference.is_loose:
        return True
    is_new = change.kind == "insert" or change.writes((reference.holds,))
    return is_new and (vendor_of(using) == "postgresql" or is_read_before(change, reference))


def tells(maintenance: Maintenance, instance: Any) -> bool:
    """Whether what a new row begins with says that the row that it is copied from is there."""
    copied = maintenance.values.items() if isinstance(maintenance, Copy) else ()
    return any(type(value) is F and getattr(instance, name) is not None for name, value in copied)


def is_read_before(change: Change, reference: Reference) -> bool:
    """Whether a new row begins with what is read of the one that it names."""
    return change.kind == "insert" and reference.hop.forward


def is_absent(
    using: str, reference: Reference, holders: Iterable[Mapping[str, Any]], there: Rows
) -> bool:
    """Whether any of the rows that are named is absent. Then those who insert it are waited for."""
    if not (keys := unknown(using, reference, holders, there)):
        return False
    found = kept_there(reference.rows(using, keys), reference.column)
    if len(found) == len(keys):
        return False
    meetings.wait(using, reference.named, reference.column, keys)
    return True


def unknown(
    using: str, reference: Reference, holders: Iterable[Mapping[str, Any]], there: Rows
) -> list[Any]:
    """The keys of rows of which it is not known whether they are there."""
    is_key = reference.column == reference.named._meta.pk.attname
    known = there.get(reference.named, ()) if is_key else ()
    return [key for key in reference.keys(using, holders) if key not in known]
