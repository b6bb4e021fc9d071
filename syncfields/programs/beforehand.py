"""What a row is going to contribute, asked before it is written.

It is asked with the locks, with what a new row begins with, or with what an old one has
contributed: so nothing has to be read after the write. The row stands in the SELECT of ``ways.py``
as what it is given, in a part of the statement that is named as its table::

    WITH "comment" ("id", "post_id") AS (SELECT 1, 7)
    SELECT ... FROM "comment" LEFT OUTER JOIN "post" ON ...

This is done where it is proven what the columns that are read will hold, and where it compares
alike, whether a column or a constant says it. The key, which the database may be going to make, is
only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import BooleanField, Count, DateField, DateTimeField, Field, QuerySet
from django.db.models.expressions import Col
from django.db.models.sql.datastructures import Join
from django.db.models.sql.query import Query

from syncfields.declare.paths import Model
from syncfields.maintenance.changes import Change
from syncfields.maintenance.folding import known
from syncfields.plan import registry
from syncfields.programs.chosen import Asked
from syncfields.programs.ways import Known, Selection, Way, selection_of_all
from syncfields.sql.blocks import can_read_both
from syncfields.sql.databases import vendor_of
from syncfields.sql.fields import takes_integers
from syncfields.sql.holding import UNKNOWN, holding_of
from syncfields.sql.once import kept
from syncfields.sql.statements import Param, Statement
from syncfields.sql.trees import nodes, parts_of

PREFIX = "given "
# A text is compared as its column compares it. SQLite's decimals are what their columns make of
# them; its dates are texts, and of other digits where the database made them.
ALIKE = {
    "mysql": (BooleanField,),
    "postgresql": (BooleanField, DateField, DateTimeField),
    "sqlite": (BooleanField,),
}


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """The SELECT for rows of a model."""

    selection: Selection
    statement: Statement
    """Its columns are not converted, as it is a part of another one."""
    converting: Statement
    holds: Mapping[str, Callable[[Any], Any]]
    """What the columns that it reads will hold, by attribute name."""
    tables: frozenset[str]
    """Those of the other rows that it reads."""


class Beforehand:
    """What one row is going to contribute."""

    def __init__(self, form: Form, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        self.form = form
        self.values = values
        """What ``form.statement`` is given."""
        self.given = given
        """The same as the instance has it, by attribute name."""
        self.known: Mapping[Way, Known] = {}
        """By way, when it has been asked."""

    def reads_only(self, models: Collection[Model]) -> bool:
        return self.form.tables <= {each._meta.db_table for each in models}

    def asked(self) -> Asked:
        """As a part of another statement; ``take()`` takes what that returns."""
        return Asked(self.form.statement, self.values, is_kept=True)

    def known_of(self, written: Mapping[str, Any] | None) -> Mapping[Way, Known]:
        """What is known of a row; nothing where it was ``written`` otherwise than it was given: the
        ``pre_save()`` of a field may give another field another value.
        """
        stays = written is None or self.given.items() <= written.items()
        return self.known if stays else {}

    def take(self, found: Sequence[Any]) -> None:
        """``found``: what the statement returned, not converted."""
        selection, statement = self.form.selection, self.form.converting
        row = statement.converted(tuple(found), connections[statement.using])
        self.known = dict(zip(selection.ways, selection.known([row]), strict=True))


def beforehand(using: str, change: Change, ways: tuple[Way, ...]) -> Beforehand | None:
    """What is asked of the row of an INSERT, or of the one row of an UPDATE, as it is going to be;
    None where that is nothing, or not proven.
    """
    if not ways or not change.is_single or change.kind == "delete" or vendor_of(using) not in ALIKE:
        return None
    if change.kind == "insert" and vendor_of(using) == "mysql" and not can_read_both(using):
        return None  # Nothing is asked there with the locks.
    if change.partial or change.loaded or change.unordered or change.inserted:
        return None
    form = form_of(using, change.model, ways)
    if form is None:
        return None
    held = row_after(change)
    values, given = {}, {}
    for name, holds in form.holds.items():
        given[name] = held.get(name, UNKNOWN)
        if (value := holds(given[name])) is UNKNOWN:
            return None
        values[PREFIX + name] = value
    return Beforehand(form, values, given)


def row_after(change: Change) -> Mapping[str, Any]:
    """What the row is given, and what else it holds."""
    given = change.values or {}
    return {**change.learnt.former[0], **given} if change.learnt.former else given


@kept
def form_of(using: str, model: Model, ways: tuple[Way, ...]) -> Form | None:
    selection, statement = selection_of_all(using, model, ways)
    tables, table, key = selection.tables, model._meta.db_table, model._meta.pk
    if tables.count(table) != 1 or '"' in table or len(model._meta.pk_fields) > 1:
        return None
    connection: Any = connections[using]
    quote, vendor = connection.ops.quote_name, connection.vendor
    told = fields_read(selection.queryset.query, model)
    if told is None or not all(is_told(each, vendor) for each in told):
        return None
    names = ", ".join(quote(each.column) for each in (key, *told))
    given = ", ".join(["1", *(typed(each, connection) for each in told)])
    row = f"WITH {quote(table)} ({names}) AS (SELECT {given}) "
    params = [Param(PREFIX + each.attname, each) for each in told]
    holds = {each.attname: holding_of(using, model, each.attname) for each in told}
    others = frozenset(tables) - {table}
    whole = statement.behind(row, params)
    return Form(selection, whole.unconverted(), whole, holds, others)


def typed(field: Any, connection: Any) -> str:
    """A place of a value. Without a type, SQLite would compare a number with a text as texts."""
    return "%s" if connection.vendor == "mysql" else f"CAST(%s AS {field.db_type(connection)})"


def fields_read(query: Query, model: Model) -> dict[Field[Any, Any], None] | None:
    """The fields of the model that a query for its rows reads. None where it is not certain which,
    or where the key is not only counted.
    """
    base = query.get_initial_alias()
    found: dict[Field[Any, Any], None] = {}
    for join in query.alias_map.values():
        if isinstance(join, Join) and join.parent_alias == base:
            relation: Any = join.join_field
            found |= dict.fromkeys(near for near, _ in relation.get_joining_fields())
    for tree in query.annotation_select.values():
        for node in nodes(without_counted_key(tree, base, model)):
            if isinstance(node, (QuerySet, Query)) or hasattr(node, "query"):
                return None
            if isinstance(node, Col) and node.alias == base:
                found[node.target] = None
    return None if model._meta.pk in found else found


def without_counted_key(tree: Any, base: str, model: Model) -> Any:
    """What else an expression reads."""
    counts = type(tree) is Count and isinstance(counted := tree.get_source_expressions()[0], Col)
    if counts and counted.alias == base and counted.target is model._meta.pk:
        return [each for each in list(parts_of(tree))[1:] if each is not None]
    return tree


def is_told(field: Any, vendor: str) -> bool:
    """Whether what a row is going to hold in a column is what it is given, and compares as that."""
    if known(field.model, field.attname) is None:
        return False
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return False
    if field.attname in registry.plan().owned.get(field.model, ()):
        return False
    return takes_integers(field) or type(field) in ALIKE[vendor]
