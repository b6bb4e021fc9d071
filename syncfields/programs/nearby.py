"""What many new rows begin with, where it is made of one row next to each of them.

Those that refer to the same row begin with the same. So it is read once for each row that they
refer to, by one SELECT for all: that of the locks, where there is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.db import models
from django.db.models import ExpressionWrapper, F

from syncfields.declare.paths import Hop, Model, column
from syncfields.maintenance.changes import Held
from syncfields.programs.first_values import named
from syncfields.sql import statements
from syncfields.sql.databases import vendor_of
from syncfields.sql.fields import INTEGERS, RELATIONS
from syncfields.sql.holding import UNKNOWN, holding_of
from syncfields.sql.locks import reading
from syncfields.sql.rows import rows, rows_with
from syncfields.sql.statements import Row, Statement
from syncfields.sql.trees import name_of, references, renamed
from syncfields.targets.drift import in_full

AS_READ = (*INTEGERS, models.BooleanField, models.CharField, models.TextField)
"""Fields of these types, and no other class, hold what another one of the type holds."""


@dataclass(frozen=True, slots=True)
class Nearby:
    """What is made of the rows that one relation leads to."""

    model: Model
    """The new rows'."""
    hop: Hop
    values: Mapping[str, Any]
    """By attribute name, as the new row sees it."""

    @property
    def near(self) -> str:
        """The column of the new row that holds the key."""
        return self.hop.columns[0][0]

    @property
    def far(self) -> str:
        return self.hop.columns[0][1]

    def models(self) -> set[Model]:
        """The tables that are read."""
        names = (name for each in self.values.values() for name in references(each, self.model))
        return {hop.model for name in names for hop in named(self.model, name).hops}

    def statement(self, using: str, keys: Collection[Any]) -> Statement:
        """Reads the key of each row that is named, and what is made of it."""
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            field = column(self.model, name)
            there = renamed(value, lambda each: named(self.model, each).rest)
            # As if it were read from the field that it is stored in.
            whole = in_full(field, there, vendor_of(using))
            found[f"_syncfields_{name}"] = ExpressionWrapper(whole, output_field=field)
        near = rows(self.hop.model, using)
        if self.far == self.hop.model._meta.pk.attname:
            near = rows_with(self.hop.model, using, list(keys))
        else:
            near = near.filter(**{f"{self.far}__in": keys})
        return statements.select(reading(near.annotate(**found).values_list(self.far, *found)))

    def by_key(self, found: Sequence[Row]) -> dict[Any, dict[str, Any]]:
        return {
            key: dict(zip(self.values, row, strict=True)) for key, *row in found if key is not None
        }

    def of_none(self) -> dict[str, Any]:
        """What a row begins with that refers to none."""
        return {name: None if type(each) is F else UNKNOWN for name, each in self.values.items()}

    def columns(self) -> Iterator[tuple[Model, str]]:
        """The columns that say it all, where they do so by themselves."""
        for steps in map(self.followed, self.values):
            yield from steps or ()

    @property
    def is_held(self) -> bool:
        """Whether columns say it all."""
        return None not in map(self.followed, self.values)

    def followed(self, name: str) -> list[tuple[Model, str]] | None:
        """The columns by which a value is found, each but the last one the key of a row."""
        value = self.values[name]
        if type(value) is not F:
            return None
        path = named(self.model, name_of(value))
        if path.transforms or type(path.last) is not type(column(self.model, name)):
            return None
        if type(path.last) not in AS_READ or not all(map(is_by_key, path.hops)):
            return None
        steps = [(hop.model, further.columns[0][0]) for hop, further in pairwise(path.hops)]
        return [*steps, (path.hops[-1].model, path.last.attname)]

    def in_memory(self, held: Held, keys: Collection[Any]) -> dict[Any, dict[str, Any]] | None:
        """The same as ``by_key()``, of columns that were read when rows were locked."""
        found: dict[Any, dict[str, Any]] = {key: {} for key in keys}
        for name in self.values:
            steps = self.followed(name)
            if steps is None or not all(each in held.columns for each in steps):
                return None
            for key in keys:
                there = key
                for each in steps:
                    there = held.columns[each].get(there) if there is not None else None
                found[key][name] = there
        return found


def is_by_key(hop: Hop) -> bool:
    return hop.columns[0][1] == hop.model._meta.pk.attname


def nearby(model: Model, values: Mapping[str, Any]) -> tuple[Nearby, ...] | None:
    """What is made of which relation; None where any value is made of anything else."""
    found: dict[Hop, dict[str, Any]] = defaultdict(dict)
    for name, value in values.items():
        if (hop := only_hop(model, value)) is None:
            return None
        found[hop][name] = value
    return tuple(Nearby(model, hop, each) for hop, each in found.items())


def only_hop(model: Model, value: Any) -> Hop | None:
    """The relation to the one row next to a new one that a value is made of."""
    names = [named(model, each) for each in references(value, model)]
    first = {name.hops[:1] for name in names}
    if len(first) != 1 or not all(name.hops and hasattr(name.last, "attname") for name in names):
        return None
    for hop in (hop for name in names for hop in name.hops):
        if not hop.forward or type(hop.field) not in RELATIONS or len(hop.columns) > 1:
            return None
        if hop.model is model:  # It may be one of the new rows.
            return None
    return names[0].hops[0]


def keys_of(using: str, model: Model, near: Nearby, instances: Sequence[Any]) -> list[Any]:
    """The keys that new rows are going to hold, as the database gives them, in the same order."""
    holds: Callable[[Any], Any] = holding_of(using, model, near.near)
    return [holds(getattr(instance, near.near)) for instance in instances]
