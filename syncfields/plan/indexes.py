"""Which indexes the rules need: a path is walked in both directions by the keys of its joins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connections, models, router

from syncfields.declare.paths import Model, Path, column
from syncfields.maintenance.base import Maintenance

# An index of these finds rows by the value of its first column.
SEARCHABLE = ("idx", "btree", "hash")


@dataclass(frozen=True, slots=True)
class Lookup:
    """Rows of one table, found by the values of some columns."""

    model: Model
    columns: tuple[str, ...]
    """Attribute names; those of a generic relation begin with its object id."""
    generic: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """As ``Meta.indexes`` takes them."""
        return tuple(column(self.model, each).name for each in self.columns)

    def __str__(self) -> str:
        return f"{self.model._meta.label} ({', '.join(self.columns)})"


def lookups(maintenances: Iterable[Maintenance]) -> Iterator[Lookup]:
    """What is looked up to keep the rules of the maintenances, each once."""
    seen: set[Lookup] = set()
    for maintenance in maintenances:
        for each in lookups_of(maintenance):
            if each not in seen:
                seen.add(each)
                yield each


def lookups_of(maintenance: Maintenance) -> Iterator[Lookup]:
    for dependency in maintenance.dependencies:
        for number, hop in enumerate(dependency.path.hops):
            near, far = zip(*hop.columns, strict=True)
            if hop.generic:
                yield Lookup(hop.model, far, generic=True)
            elif not hop.forward:
                # The rows of a target, when it is evaluated. A tally never is.
                if maintenance.reconcilable:
                    yield Lookup(hop.model, far)
            elif is_followed(maintenance, dependency.path.until(number + 1)):
                yield Lookup(dependency.path.until(number).model, near)


def is_followed(maintenance: Maintenance, path: Path) -> bool:
    """Whether a write at the end of the path, or beyond it, can matter."""
    return not maintenance.reconcilable or any(
        each.columns for each in maintenance.dependencies if each.path.starts_with(path)
    )


def is_indexed(lookup: Lookup) -> bool:
    """Whether some index begins with the columns."""
    wanted = set(lookup.columns)
    return makes_its_own(lookup) or any(
        set(index[: len(wanted)]) == wanted or (lookup.generic and index[0] == lookup.columns[0])
        for index in indexes(lookup.model)
        if index
    )


def makes_its_own(lookup: Lookup) -> bool:
    """Whether the database indexes the key without being told: InnoDB does, for its constraint."""
    if len(lookup.columns) > 1 or connections[router.db_for_write(lookup.model)].vendor != "mysql":
        return False
    return bool(getattr(column(lookup.model, lookup.columns[0]), "db_constraint", False))


def indexes(model: Model) -> Iterator[tuple[str, ...]]:
    """The columns of each index and unique constraint of the model's table."""
    meta = model._meta
    yield tuple(field.attname for field in meta.pk_fields)
    for names in named(model):
        yield tuple(column(model, name).attname for name in names)


def named(model: Model) -> Iterator[Sequence[str]]:
    meta = model._meta
    for field in meta.local_concrete_fields:
        if field.unique or getattr(field, "db_index", False):
            yield [field.name]
    yield from meta.unique_together
    for index in meta.indexes:
        if index.condition is None and index.suffix in SEARCHABLE:
            yield [name for name, _ in index.fields_orders]
    for constraint in meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.condition is None:
            yield constraint.fields


def unindexed(maintenances: Iterable[Maintenance]) -> dict[Lookup, list[str]]:
    """What is looked up without an index, and the labels of the rules that do so."""
    found: dict[Lookup, list[str]] = {}
    for maintenance in maintenances:
        for lookup in lookups([maintenance]):
            if lookup.model._meta.managed and not is_indexed(lookup):
                labels = found.setdefault(lookup, [])
                labels += [r.label for r in maintenance.rules if r.label not in labels]
    return found
