"""What a new row begins with that is read of rows next to it: one SELECT, before the row is there.

Each name in an expression stands for what the row is going to hold: a value of its own, or a
subquery over the row that one of its keys names. Rows are of one **form** where the same of these
values are there, are NULL, or are not known; the SELECT for a form is compiled once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import ExpressionWrapper, Lookup, Model, Q, Subquery, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.sql import Query

from syncfields.declare.paths import Hop, column, hop_along
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import Change
from syncfields.programs.beforehand import Beforehand
from syncfields.programs.chosen import Asked
from syncfields.sql import locks
from syncfields.sql.databases import has_row_locks, vendor_of
from syncfields.sql.fields import RELATIONS
from syncfields.sql.holding import UNKNOWN, takes_none
from syncfields.sql.locks import locking, must_write, snapshot_is_old
from syncfields.sql.once import once
from syncfields.sql.plain import PLAIN, is_rounded
from syncfields.sql.proven import compiles_alike
from syncfields.sql.rows import rows
from syncfields.sql.statements import Param, Statement, selected_by
from syncfields.sql.trees import Typed, nodes, references, replaced
from syncfields.targets.drift import in_full

KEYS = (int,)

FirstValue = tuple[Maintenance, str, Any]
"""An expression over a row that is not there yet, and the name of the field that it is for."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a name stands for, seen from a new row."""

    reference: str
    hops: tuple[Hop, ...]
    """The relations to the row that has it, except where a key says itself what it names."""
    last: Any
    transforms: tuple[str, ...]
    is_readable: bool
    """Whether anything that a row holds says what it stands for, before the row is there."""

    @property
    def rest(self) -> str:
        """The name, as the row next to the new one sees it."""
        names = (hop.name for hop in self.hops[1:])
        return LOOKUP_SEP.join([*names, self.last.attname, *self.transforms])


@dataclass(frozen=True, slots=True)
class Read:
    """One of the expressions, and what it names."""

    maintenance: Maintenance
    attname: str
    value: Any
    names: tuple[Name, ...]
    compares: bool
    compiles_alike: bool
    """Whether it compiles to the same statement at any time."""


@dataclass(frozen=True, slots=True)
class Question:
    """The SELECT for rows of one form."""

    statement: Statement | None
    """None where nothing can be read before the row is there."""
    attnames: tuple[str, ...]
    """The fields that its columns are for."""
    late: tuple[Maintenance, ...]
    """Those of which it is not certain that what they name will stay as it is."""
    models: frozenset[type[Model]]
    """The tables that are read."""


class FirstValues:
    """What one row that is not there yet begins with."""

    def __init__(
        self,
        using: str,
        change: Change,
        reading: Sequence[FirstValue],
        instance: Model,
        are_locked: bool,
        beforehand: Beforehand | None = None,
    ) -> None:
        """``are_locked``: whether the rows are locked already that they lead to. ``beforehand``:
        what is asked beside it.
        """
        model = change.model
        attnames = tuple([attname for _, attname, _ in reading])
        reads = once(("reads", model, attnames), lambda: [read(model, *each) for each in reading])
        form: list[Any] = []
        self.values: dict[str, Any] = {}
        for each in reads:
            for name in each.names:
                value = held_in(model, name, instance, each.compares)
                is_there = value is not None and value is not UNKNOWN
                form.append(True if is_there else value)
                if is_there:
                    self.values[name.reference] = value
        how = (are_locked, change.unordered, must_write(using), snapshot_is_old(using))

        beside = None if beforehand is None else beforehand.form
        self.beforehand = beforehand

        def find() -> Question:
            found = question(using, change, reads, form, are_locked)
            if beside is None or found.statement is None:
                return found
            return replace(found, statement=found.statement.beside(beside.statement))

        if beforehand is not None:
            self.values |= beforehand.values
        key = ("question", using, model, attnames, tuple(form), how, beside)
        self.is_kept = all(each.compiles_alike for each in reads)
        self.question = once(key, find) if self.is_kept else find()

    def evaluated(self, cursor: Any = None) -> dict[str, Any]:
        """The values, by attribute name."""
        statement = self.question.statement
        return (
            {} if statement is None else self.answered(statement.row(cursor, **self.values) or ())
        )

    def asked(self) -> Asked | None:
        """As a part of another statement; ``answered()`` takes what that returns. None where
        nothing can be read.
        """
        statement = self.question.statement
        return None if statement is None else Asked(statement, self.values, self.is_kept)

    def answered(self, answer: Sequence[Any]) -> dict[str, Any]:
        names = self.question.attnames
        if self.beforehand is not None:
            self.beforehand.take(answer[len(names) :])
        return dict(zip(names, answer[: len(names)], strict=True))


def read(model: type[Model], maintenance: Maintenance, attname: str, value: Any) -> Read:
    names = tuple(named(model, each) for each in dict.fromkeys(references(value, model)))
    return Read(maintenance, attname, value, names, compares(value), compiles_alike(value))


def compares(value: Any) -> bool:
    return any(isinstance(node, (Q, Lookup)) for node in nodes(value))


def named(model: type[Model], reference: str) -> Name:
    def find() -> Name:
        names = reference.split(LOOKUP_SEP)
        infos, last, _, transforms = Query(model).names_to_path(names, model._meta)
        hops = [hop_along(info.join_field) for info in infos]
        if hops and infos[-1].join_field is last:
            del hops[-1]
        readable = is_readable(hops, last, transforms)
        return Name(reference, tuple(hops), last, tuple(transforms), readable)

    return once(("named", model, reference), find)


def is_readable(hops: Sequence[Hop], last: Any, transforms: Sequence[str]) -> bool:
    if not hasattr(last, "attname"):  # A relation that leads backwards.
        return False
    if not hops:
        return not transforms
    forward = all(hop.forward and type(hop.field) in RELATIONS for hop in hops)
    return forward and len(hops[0].columns) == 1


# What a row holds --------------------------------------------------------------------------------


def held_in(model: type[Model], name: Name, instance: Any, compared: bool) -> Any:
    """The value, of the row's own column or of a key, that says what a name stands for; UNKNOWN
    where nothing does before the row is there.
    """
    if not name.is_readable:
        return UNKNOWN
    if not name.hops:
        return own_value(name.last, instance, compared)
    first = name.hops[0]
    ((near, far),) = first.columns
    key = getattr(instance, near)
    if hasattr(key, "resolve_expression") or (first.model is model and may_be(instance, far, key)):
        return UNKNOWN
    return key


def may_be(instance: Any, name: str, key: Any) -> bool:
    """Whether a key names the new row itself."""
    return key is not None and key == getattr(instance, name)


def own_value(field: Any, instance: Any, compared: bool) -> Any:
    """What a column of the row will hold, where that is certain: for values of the types in
    ``PLAIN``, which Django stores as they are, and NULL, in fields that nobody else sets. Text is
    compared as its column compares it, and so by the database.
    """
    if getattr(field, "generated", False) or not takes_none(field):
        return UNKNOWN
    stored = getattr(field, "target_field", field)
    own = getattr(instance, field.attname)
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return UNKNOWN
    if own is None:
        return UNKNOWN if field.primary_key else None
    is_text = isinstance(stored, (models.CharField, models.TextField))
    if compared and (is_text or field.is_relation):
        return UNKNOWN
    kinds = KEYS if isinstance(stored, models.AutoField) else PLAIN.get(type(stored), ())
    if type(own) not in kinds or (type(own) is Decimal and is_rounded(stored, own)):
        return UNKNOWN
    return own


# The SELECT for rows of one form -----------------------------------------------------------------


def question(
    using: str, change: Change, reads: Sequence[Read], form: Sequence[Any], are_locked: bool
) -> Question:
    """``form``: for each name of each expression whether what the row holds is UNKNOWN, None, or
    a value.
    """
    query: Any = Query(None)
    values: dict[str, Any] = {}
    late: list[Maintenance] = []
    found: set[type[Model]] = set()
    forms = iter(form)
    for each in reads:
        meant = {
            name: meaning(using, change, name, held, each.compares, are_locked)
            for name, held in zip(each.names, forms, strict=False)
        }
        if not all(certain for _, certain in meant.values()):
            late.append(each.maintenance)
        if any(expression is None for expression, _ in meant.values()):
            continue
        for name, (expression, _) in meant.items():
            # The names stand for what the row will have; resolving them meets these first.
            resolved = with_types(expression).resolve_expression(query)
            query.annotations[name.reference] = resolved
            found |= {hop.model for hop in name.hops}
        # As if it were read from the field that it is stored in.
        field = column(change.model, each.attname)
        whole = in_full(field, each.value, vendor_of(using))
        values[each.attname] = ExpressionWrapper(whole, output_field=field)
    statement = selecting(using, query, values) if values else None
    return Question(statement, tuple(values), tuple(late), frozenset(found))


def meaning(
    using: str, change: Change, name: Name, held: Any, compared: bool, are_locked: bool
) -> tuple[Any, bool]:
    """An expression for what a name will stand for, and whether that is certain, and locked until
    COMMIT. None stands for nothing that is known before the row is there.
    """
    if held is UNKNOWN:
        return None, False
    if not name.hops:
        own = (
            Value(None, output_field=name.last)
            if held is None
            else Param(name.reference, name.last)
        )
        return own, True
    first, *more = name.hops
    ((_, far),) = first.columns
    key = None if held is None else Param(name.reference, column(first.model, far))
    sources = rows(first.model, using).filter(**{far: key})
    if are_locked:
        sources = locks.reading(sources)
    selected = (sources if more or are_locked else locking(sources)).values(name.rest)
    # A lookup takes no query of which Django cannot see that it gives one row.
    value = Subquery(selected[:1] if compared else selected)
    if are_locked or not more:
        return value, not must_write(using)
    is_locked = has_row_locks(using)
    is_certain = (
        not is_locked
        and not change.unordered
        and all(hop.model is not change.model for hop in more)
    )
    return value, is_certain


def selecting(using: str, query: Any, values: Mapping[str, Any]) -> Statement:
    """A SELECT of one row of expressions, each named as the field that it is for."""
    for name, value in values.items():
        query.add_annotation(with_types(value), f"_syncfields_{name}")
    query.set_annotation_mask([f"_syncfields_{name}" for name in values])
    compiler: Any = query.get_compiler(using)
    text, params = compiler.as_sql()
    return Statement(using, text, params, compiler, selected_by(compiler, compiler.col_count))


def with_types(tree: Any) -> Any:
    """The expression, where each NULL has a type: PostgreSQL cannot add two that have none."""
    return replaced(tree, lambda node: Typed(node) if is_null(node) else None)


def is_null(node: Any) -> bool:
    is_none = type(node) is Value and node.value is None
    return is_none and getattr(node, "_output_field_or_none", None) is not None
