"""A lookup walked through ``Model._meta``, there and back: every kind of relation, only here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.models import deletion
from django.db.models.constants import LOOKUP_SEP
from django.db.models.fields.related import ForeignObject
from django.db.models.fields.reverse_related import ForeignObjectRel
from django.db.models.sql import Query

Model = type[models.Model]
# on_delete kinds that Django's collector leaves to the database, or to nobody.
CASCADES = (models.CASCADE, getattr(models, "DB_CASCADE", models.CASCADE))
UNCOLLECTED = getattr(deletion, "SKIP_COLLECTION", frozenset({models.DO_NOTHING}))


@dataclass(frozen=True, slots=True)
class Hop:
    """One join of a path."""

    name: str
    """How a lookup spells it."""
    model: Model
    """The model at its far end."""
    field: Any
    """The field that holds the relation, at whichever end."""
    forward: bool
    """The near end holds the key, so the far end is one row or none."""
    many: bool
    """One row at the near end can meet several at the far end."""
    columns: tuple[tuple[str, str], ...]
    """Pairs of column attribute names that the join compares: near end, far end."""
    join_field: Any
    """What Django's own joins are made of."""

    def __hash__(self) -> int:
        # Equal hops are the same relation, seen from the same side, whatever a lookup calls it.
        return hash((self.name, self.model))

    @property
    def generic(self) -> bool:
        return is_generic(self.field)

    @property
    def outlives_target(self) -> bool:
        """Whether rows at the far end can exist before, or after, the row at the near end."""
        return self.generic or not getattr(self.field, "db_constraint", False)

    @property
    def by_value(self) -> bool:
        """Whether the key names another column than the primary key (``to_field``), so that a row
        can be referred to before it is there.
        """
        return any(
            not each.primary_key for each in getattr(self.field, "foreign_related_fields", ())
        )

    def at_far_end(self, name: str) -> str:
        """``comments__score``, as the comment itself names it."""
        rest = name.removeprefix(self.name).removeprefix(LOOKUP_SEP) or "pk"
        options: Any = self.model._meta
        known = {"pk", *options._forward_fields_map, *options.fields_map}
        # What is no field is a lookup: ``comments__gt``.
        return rest if rest.split(LOOKUP_SEP)[0] in known else f"pk{LOOKUP_SEP}{rest}"

    @property
    def collected(self) -> bool:
        """Whether a delete of the far end reaches the near end as a write of its own."""
        return self.field.remote_field.on_delete not in UNCOLLECTED

    @property
    def takes_along(self) -> bool:
        """Whether a row at the near end is not deleted without those at the far end: Django, or the
        database, collects them, and a constraint refuses it where one has come since.
        """
        return (
            not self.forward
            and isinstance(self.field, models.ForeignKey)
            and self.field.remote_field.on_delete in CASCADES
            and not self.outlives_target
            and bool(self.field.model._meta.managed)
        )


@dataclass(frozen=True, slots=True)
class Path:
    """The relations from a target to a source; empty for the target itself."""

    target: Model
    hops: tuple[Hop, ...] = ()

    model: Model = field(init=False, compare=False, repr=False)
    """That of the row at its end."""

    def __post_init__(self) -> None:
        model = self.hops[-1].model if self.hops else self.target
        object.__setattr__(self, "model", model)

    @property
    def lookup(self) -> str:
        return LOOKUP_SEP.join(hop.name for hop in self.hops)

    @property
    def many(self) -> bool:
        return any(hop.many for hop in self.hops)

    @property
    def stem(self) -> Path:
        """The part up to the last row that may be there or not: what decides what is met, and how
        often.
        """
        optional = [number for number, hop in enumerate(self.hops, 1) if not hop.forward]
        return Path(self.target, self.hops[: optional[-1]] if optional else ())

    @property
    def forwards(self) -> Path:
        """The part up to the first relation that leads backwards: to the row behind it."""
        backwards = [number for number, hop in enumerate(self.hops) if not hop.forward]
        return Path(self.target, self.hops[: backwards[0]] if backwards else self.hops)

    @property
    def leaves_out(self) -> bool:
        """Whether a query along it may leave out rows of the target: Django joins by a key that
        cannot be NULL as if it named a row, which without a constraint it need not.
        """
        for hop in self.hops:
            if not hop.forward or hop.generic or hop.field.null:
                return False
            if hop.outlives_target:
                return True
        return False

    def starts_with(self, other: Path) -> bool:
        return self.hops[: len(other.hops)] == other.hops

    def pk_lookup(self, suffix: str = "in") -> str:
        names = [*(hop.name for hop in self.hops), "pk", suffix]
        return LOOKUP_SEP.join(name for name in names if name)

    @property
    def ambiguous(self) -> bool:
        """Whether a lookup cannot tell the path: both keys of an automatic many-to-many relation
        of a model with itself have the same hidden name.
        """
        return any(
            hop.join_field is not Path(self.target, self.hops[:number]).model._meta.get_field(name)
            for number, hop in enumerate(self.hops)
            if (name := hop.name).endswith("+")
        )

    def until(self, number: int) -> Path:
        """The first so many hops."""
        return Path(self.target, self.hops[:number])

    def after(self, number: int) -> Path:
        """The rest of the path, as seen from the row after so many hops."""
        return Path(Path(self.target, self.hops[:number]).model, self.hops[number:])

    def __truediv__(self, hop: Hop) -> Path:
        return Path(self.target, (*self.hops, hop))

    def __str__(self) -> str:
        return self.lookup or "self"


@dataclass(frozen=True, slots=True)
class Dependency:
    """A model that a rule reads, the path to it, and the columns that matter."""

    path: Path
    columns: frozenset[str]
    """Attribute names (``post_id``)."""
    hollow: bool = False
    """A row inserted here contributes nothing yet: the rows that count must refer to it first."""

    model: Model = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", self.path.model)

    @property
    def is_read(self) -> bool:
        """Whether it says more than that the row of the target is there."""
        return bool(self.columns or self.path.hops)


def concrete(model: Model) -> Model:
    """The model whose table a (proxy) model writes."""
    return model._meta.concrete_model or model


def tables_of_row(model: Model) -> tuple[Model, ...]:
    """The models whose tables hold a row: that of the model, and those of multi-table parents."""
    own = concrete(model)
    return (own, *own._meta.all_parents)


def column(model: Model, name: str) -> Any:
    """A concrete field of the model, by its name or attribute name."""
    return model._meta.get_field(name)


def is_generic(field: Any) -> bool:
    # By its attribute: importing GenericRelation would need contenttypes to be installed.
    return hasattr(field, "content_type_field_name")


class UnknownRelationError(FieldError):
    """A join of which it is not known what it compares."""

    hint = (
        "Name the rows between by relations of Django's own, for instance a GenericRelation: "
        'Count("tagged_items"), not Count("tags").'
    )


def hop_along(join_field: Any) -> Hop:
    """The hop for what Django calls a join field: a forward relation or a reverse one.

    It is known of Django's relations, and of those made of them that compare the same columns and
    nothing else; other joins raise ``UnknownRelationError``.
    """
    relation: Any = getattr(join_field, "field", None)
    refuse_unknown(join_field if relation is None else relation)
    if is_generic(relation):
        pairs = tuple((near.attname, far.attname) for near, far in join_field.get_joining_fields())
        far_model = concrete(join_field.model)
        kind_column = column(far_model, relation.content_type_field_name).attname
        pairs += (("", kind_column),)
        return Hop(relation.name, far_model, relation, False, True, pairs, join_field)
    if is_generic(join_field):  # Back, from the row that holds the generic key.
        near, far_model = concrete(join_field.remote_field.model), concrete(join_field.model)
        pairs = tuple((near.attname, far.attname) for near, far in join_field.get_joining_fields())
        pairs += ((column(near, join_field.content_type_field_name).attname, ""),)
        name = join_field.related_query_name()
        return Hop(name, far_model, join_field, True, False, pairs, join_field)
    pairs = tuple((near.attname, far.attname) for near, far in join_field.get_joining_fields())
    if isinstance(join_field, ForeignObjectRel):
        field, far_model = join_field.field, concrete(join_field.related_model)
        return Hop(join_field.name, far_model, field, False, join_field.multiple, pairs, join_field)
    far_model = concrete(join_field.related_model)
    return Hop(join_field.name, far_model, join_field, True, False, pairs, join_field)


def refuse_unknown(field: Any) -> None:
    if is_generic(field):
        return
    known = isinstance(field, ForeignObject)
    if not known or type(field).get_extra_restriction is not ForeignObject.get_extra_restriction:
        raise UnknownRelationError(
            f"{field.model._meta.label}.{field.name} is a {type(field).__name__}, and what it "
            "joins cannot be seen from outside."
        )


def walk(target: Model, lookup: str) -> Path:
    """The path that a lookup of relations names. Raises ``FieldError`` where there is none."""
    names = lookup.split(LOOKUP_SEP)
    infos, *_ = Query(target).names_to_path(names, target._meta, fail_on_missing=True)
    path = Path(target)
    for info in infos:
        path /= hop_along(info.join_field)
    return path


def columns_of(model: Model) -> frozenset[str]:
    return frozenset(field.attname for field in model._meta.local_concrete_fields)


def with_joins(reads: Iterable[tuple[Path, Iterable[str]]]) -> Iterator[Dependency]:
    """Dependencies for columns read at the ends of paths, and for the joins that lead there."""
    merged: dict[Path, set[str]] = defaultdict(set)

    def note(path: Path, columns: Iterable[str]) -> None:
        merged[path].update(columns)

    for path, columns in reads:
        note(path, columns)
        for number, hop in enumerate(path.hops):
            near, far = zip(*hop.columns, strict=True)
            note(Path(path.target, path.hops[:number]), filter(None, near))
            note(Path(path.target, path.hops[: number + 1]), filter(None, far))
    for path, columns in merged.items():
        keys = {field.attname for field in path.model._meta.pk_fields}
        yield Dependency(path, frozenset(columns) - keys)


def merged(found: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """One dependency for each path, with all that is read at its end."""
    by_path: dict[Path, Dependency] = {}
    for each in found:
        known = by_path.setdefault(each.path, each)
        by_path[each.path] = replace(
            known, columns=known.columns | each.columns, hollow=known.hollow and each.hollow
        )
    return tuple(by_path.values())
