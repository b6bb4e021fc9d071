"""One row saved or deleted by the short way: see ``maintenance/direct.py``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Subquery, Value
from django.db.models.functions import Coalesce

from syncfields.declare.paths import Model, column
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.changes import Change
from syncfields.maintenance.direct import Direct, Part
from syncfields.maintenance.extreme import Extreme
from syncfields.maintenance.folding import Ask, folding, plain
from syncfields.plan import registry
from syncfields.programs.chosen import Asked
from syncfields.programs.order import lock_relatives
from syncfields.sql import statements
from syncfields.sql.holding import UNKNOWN, Backend, keeping
from syncfields.sql.locks import locking
from syncfields.sql.once import kept
from syncfields.sql.rows import rows
from syncfields.sql.statements import Param, Statement
from syncfields.sql.trees import name_of
from syncfields.transactions import pending


@kept
def reader(using: str, model: Model, lock: bool) -> Statement:
    """Reads what matters of one row: its columns, and what it contributes by each short way."""
    keys = {f.attname: Param(f"pk{n}", f) for n, f in enumerate(model._meta.pk_fields)}
    what = contents_of(using, model)
    queryset = rows(model, using).filter(**keys).annotate(**what.selected)
    queryset = queryset.values_list(*what.names, *what.selected)
    return statements.select(locking(queryset) if lock else queryset)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is read of a row of a model."""

    names: tuple[str, ...]
    selected: Mapping[str, Any]
    """What is read behind the columns of these names."""
    places: Mapping[Part, int]
    """Where what a part adds is found."""
    parts: Mapping[Part, Ask]
    """What each adds, as far as memory says it."""
    keeps: Mapping[str, Callable[[Any, Any], bool]]
    """Of each column, whether it is surely left as it is: see ``sql/holding.py``."""
    keys: Mapping[str, Ask]
    """Of each key of a target, what it is as the database gives it, as far as that is known."""


@kept
def contents_of(using: str, model: Model) -> Contents:
    backend, plan = Backend.of(using), registry.plan()
    names = sorted(plan.columns[model])
    keeps = {name: keeping(column(model, name), backend) for name in names}
    asks: dict[Any, Ask] = {}
    parts = {}
    for part in all_parts(model):
        # Parts that add the same column are asked once: see Row.present().
        name = column_of(part)
        alike = part if name is None else (name, part.sign == 0)
        parts[part] = asks.setdefault(alike, folding(part, model, backend))
    keys = {way.key: plain(model, way.key, backend) for way in ways_of(model)}
    selected: dict[str, Any] = {}
    places = {part: place(part, names, selected) for part in parts}
    return Contents(tuple(names), selected, places, parts, keeps, keys)


def place(part: Part, names: Sequence[str], selected: dict[str, Any]) -> int:
    """The number of the column that holds what a part adds; it is selected, if it is not one of the
    columns by these names.
    """
    if (name := column_of(part)) in names:
        return names.index(name)
    selected[f"_syncfields_{len(selected)}"] = part.expression
    return len(names) + len(selected) - 1


def column_of(part: Part) -> str | None:
    """The name of the column that a part adds, if it adds one as it is."""
    return name_of(part.expression) if type(part.expression) is F else None


def fold(part: Part, model: Model, row: Mapping[str, Any], using: str) -> Any:
    """What a row contributes, as far as memory says it."""
    return contents_of(using, model).parts[part](row)


def ways_of(model: Model) -> Collection[Direct]:
    return registry.plan().directs.get(model, {}).values()


def all_parts(model: Model) -> list[Part]:
    return [part for way in ways_of(model) for part in way.parts]


def changed(
    what: Contents, columns: Mapping[str, Any], written: Mapping[str, Any]
) -> frozenset[str]:
    """The columns that matter and that a write may change, of a row that holds ``columns``."""
    return frozenset(
        [
            name
            for name, old in columns.items()
            if name in written and not what.keeps[name](old, written[name])
        ]
    )


Known = dict[Any, Sequence[Any]]
"""What a row contributes to its target, part by part: ``{primary key: amounts}``."""


class Row:
    """One row of a source model, before and after a write."""

    def __init__(self, connection: Any, change: Change, cursor: Any = None) -> None:
        self.connection = connection
        self.using: str = connection.alias
        self.change = change
        self.model = change.model
        self.contents = contents_of(self.using, change.model)
        self.columns: Mapping[str, Any] = {}
        self.contributions: dict[Part, Any] = {}
        self.beside: Sequence[Any] | None = None
        """What was asked beside, and found."""
        self.held: dict[Ask, Any] = {}
        """What it contributes now, as far as memory has been asked."""
        self.now: Row | None = None
        self.opened = cursor

    def cursor(self) -> Any:
        """One for all statements: making one takes longer than SQLite takes to execute. It is
        closed when the row goes.
        """
        if self.opened is None:
            self.opened = self.connection.cursor()
        return self.opened

    def find(self, asked: Asked | None = None) -> bool:
        """Take the old values from memory, or lock the row and read it, and what is ``asked``: the
        change learns what it held, and which columns may change. False where there is no such row.
        """
        change, learnt = self.change, self.change.learnt
        learnt.locked = True
        if change.previous is not None and self.remember(change.previous, learnt.columns or ()):
            return True
        if change.kind == "update":
            lock_relatives(self.connection, change, lambda: learnt.pks)
        if not self.read(lock=True, asked=asked):
            learnt.pks = ()
            return False
        learnt.former = (self.columns,)
        if change.kind == "update":
            learnt.columns = changed(self.contents, self.columns, change.values or {})
        return True

    def read(self, lock: bool, asked: Asked | None = None) -> bool:
        """Read the row and, if wanted, lock it. False where there is none."""
        pk, own = self.change.learnt.pks[0], reader(self.using, self.model, lock)
        pks = pk if len(self.model._meta.pk_fields) > 1 else (pk,)
        whole = Asked(own, {f"pk{number}": value for number, value in enumerate(pks)}, is_kept=True)
        if asked is not None:
            whole = whole.beside(asked)
        try:
            found = whole.statement.row(self.cursor(), **whole.values)
        except OverflowError:  # SQLite is not even asked for a key that is out of range.
            found = None
        if found is None:
            return False
        what = self.contents
        self.columns = dict(zip(what.names, found, strict=False))
        self.contributions = {part: found[place] for part, place in what.places.items()}
        if asked is not None:
            width = len(what.names) + len(what.selected)
            self.beside = asked.statement.converted(found[width:], self.connection)
        return True

    def remember(self, previous: Mapping[str, Any], changed: Collection[str]) -> bool:
        """Take the old values from memory. False where they do not say all that must be known."""
        self.columns = columns = {**previous}
        for way in ways_of(self.model):
            if way.columns.isdisjoint(changed):
                continue
            columns[way.key] = self.contents.keys[way.key](previous)
            if columns[way.key] is UNKNOWN:
                return False
            for part in way.parts:
                old = self.contents.parts[part](previous)
                if old is UNKNOWN or hasattr(old, "resolve_expression"):
                    return False
                self.contributions[part] = old
        return True

    def after(self, ways: Mapping[Maintenance, Direct], effects: Effects) -> None:
        """Add to ``effects`` what the write of this row did, way by way."""
        if not self.change.learnt.pks:
            return
        written = self.written()
        keys: dict[str, tuple[Any, Any]] = {}
        for maintenance, way in ways.items():
            if way.key not in keys:
                keys[way.key] = self.keys(way, written)
            known = self.known(maintenance, way, keys[way.key], written)
            maintenance.compare(*known, effects)

    def written(self) -> Mapping[str, Any]:
        """The columns after the write, as far as they are known."""
        values = self.change.learnt.written or self.change.values or {}
        return {**self.columns, **values} if self.columns else values

    def known(
        self,
        maintenance: Maintenance,
        way: Direct,
        keys: tuple[Any, Any],
        written: Mapping[str, Any],
    ) -> tuple[Known, Known]:
        """What the row has contributed to its target, and what it contributes now. ``keys``: those
        of the target before the write and after it.
        """
        old_key, new_key = keys
        before: Known = {}
        after: Known = {}
        if old_key is not None:
            before[old_key] = [self.contributions.get(part) for part in way.parts]
        if new_key is not None:
            after[new_key] = [self.present(maintenance, part, written) for part in way.parts]
        return before, after

    def keys(self, way: Direct, written: Mapping[str, Any]) -> tuple[Any, Any]:
        """The target's key before the write and after it."""
        kind = self.change.kind
        before = None if kind == "insert" else self.columns.get(way.key)
        after = None if kind == "delete" else self.contents.keys[way.key](written)
        return before, self.again().columns[way.key] if after is UNKNOWN else after

    def again(self) -> Row:
        """The row as it is after the write."""
        if self.now is None:
            self.now = Row(self.connection, self.change, self.opened)
            self.now.read(lock=False)
        return self.now

    def present(self, maintenance: Maintenance, part: Part, written: Mapping[str, Any]) -> Any:
        """What the row contributes now: a value, or an expression over the row."""
        ask = self.contents.parts[part]
        if ask in self.held:
            return self.held[ask]
        folded = ask(written)
        if folded is not UNKNOWN and not hasattr(folded, "resolve_expression"):
            self.held[ask] = folded
            return folded
        is_expression = hasattr(folded, "resolve_expression")
        if is_expression and self.can_be_late(maintenance):
            return self.late(maintenance, part)
        return self.again().contributions.get(part)

    def can_be_late(self, maintenance: Maintenance) -> bool:
        can_read_itself = self.connection.features.update_can_self_select
        reads_itself = maintenance.target is self.model and not can_read_itself
        return not reads_itself and not pending.waits(self.connection)

    def late(self, maintenance: Maintenance, part: Part) -> Any:
        """An amount that the UPDATE of the target reads itself, from the row just written."""
        source = rows(self.model).filter(pk=self.change.learnt.pks[0])
        amount = Subquery(source.values(_syncfields_value=part.expression))
        if isinstance(maintenance, Extreme):
            return amount
        return Coalesce(amount, Value(0), output_field=column(maintenance.target, part.attname))
