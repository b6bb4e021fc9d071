"""The values with which the synced fields of a new row start.

Those that are known before the INSERT are a part of it: constants (see ``plan/newborn.py``), and
what is made of the row's own columns and of rows next to it, which one SELECT reads and locks.
Everything else, and what is not certain, is evaluated by the database after the INSERT.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models import ExpressionWrapper, Lookup, Model, Q, Subquery, Value
from django.db.models.constants import LOOKUP_SEP
from django.db.models.sql import Query

from syncfields.declare.ownership import warn
from syncfields.declare.paths import Hop, Path, column, hop_along
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.changes import NOTHING, Change, Held
from syncfields.maintenance.copies import Copy
from syncfields.maintenance.delta import Delta
from syncfields.plan import newborn, registry
from syncfields.sql import locks
from syncfields.sql.fields import RELATIONS
from syncfields.sql.holding import takes_none
from syncfields.sql.locks import lock_far, locking, must_write
from syncfields.sql.plain import PLAIN, is_plain, is_rounded, is_unclear
from syncfields.sql.statements import Statement, once
from syncfields.sql.trees import Typed, nodes, references, replaced, rows
from syncfields.targets.drift import in_full

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)
# What a column takes that cannot be NULL, until its value is evaluated a statement later.
PLACEHOLDERS: tuple[tuple[type[models.Field[Any, Any]], Any], ...] = (
    (models.BooleanField, False),
    (models.IntegerField, 0),
    (models.DecimalField, 0),
    (models.FloatField, 0.0),
    (models.CharField, ""),
    (models.TextField, ""),
    (models.DateTimeField, LONG_AGO),
    (models.DateField, LONG_AGO.date()),
    (models.TimeField, LONG_AGO.time()),
    (models.DurationField, dt.timedelta(0)),
    (models.UUIDField, UUID(int=0)),
    (models.JSONField, {}),
    (models.BinaryField, b""),
    (models.GenericIPAddressField, "0.0.0.0"),  # noqa: S104 - no address to listen at
)

Reading = tuple[Maintenance, str, Any]
"""An expression over a row that is not there yet, and the name of the field that it is for."""


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """How the fields of one maintenance start in one database."""

    maintenance: Maintenance
    constants: tuple[tuple[str, Any], ...]
    """Values, by attribute name."""
    rows: tuple[Reading, ...]
    late: bool
    """Whether they must be evaluated after the INSERT in any case."""
    late_if_unordered: bool
    picky: bool


def beginnings(using: str, change: Change) -> tuple[Beginning, ...]:
    """Of all that is kept of a new row; a tally of a fixture has been counting already."""

    def find() -> tuple[Beginning, ...]:
        found = registry.plan().targets.get(change.model, ())
        kept = [each for each in found if each.reconcilable or not change.loaded]
        return tuple(beginning(using, each, change.inserted) for each in kept)

    return once(("beginnings", using, change.model, change.inserted, change.loaded), find)


def beginning(using: str, maintenance: Maintenance, inserted: frozenset[Any]) -> Beginning:
    """``inserted``: the parents, of a row of a multi-table model, that were inserted with it."""
    if not maintenance.reconcilable:
        fields = [rule.field for rule in maintenance.rules]
        counting = tuple((field.attname, start_of_counting(field)) for field in fields)
        return Beginning(
            maintenance, counting, (), late=False, late_if_unordered=False, picky=False
        )
    start = newborn.start(maintenance, inserted)
    constants = tuple(
        (name, first_of(using, maintenance, name, value)) for name, value in start.constants.items()
    )
    rows = tuple((maintenance, name, value) for name, value in start.rows.items())
    checks_keys = connections[using].features.supports_foreign_keys
    late = not start.certain or (start.empty and not checks_keys)
    return Beginning(maintenance, constants, rows, late, start.empty, picky(maintenance))


def start_of_counting(field: Any) -> Any:
    default = field.get_default()
    return 0 if default in ("", None) and not field.null else default


class Start:
    """The first values of new rows. Those that nothing needs to be read for are given at once."""

    def __init__(self, using: str, change: Change, instances: Sequence[Model]) -> None:
        self.using = using
        self.change = change
        self.instances = instances
        self.late: list[Maintenance] = []
        """What must be evaluated after the INSERT."""
        self.reading: list[Reading] = []
        for each in beginnings(using, change):
            for name, value in each.constants:
                give(each.maintenance, name, value, change, instances)
                if value is not None and is_unclear(column(change.model, name), value):
                    self.late.append(each.maintenance)
            reads = bool(each.rows) and (each.picky or len(instances) == 1)
            if reads:
                self.reading += each.rows
            if is_late(each, change.unordered, reads):
                self.late.append(each.maintenance)

        self.asking: Asking | None = None

    def asked(self, locked: Collection[type[Model]]) -> Statement | None:
        """What a row begins with, read of rows of these tables, which are locked; None where that
        is nothing, or not all.
        """
        if not self.reading or len(self.instances) > 1:
            return None
        self.asking = self.ask(self.instances[0], are_locked=True)
        return self.asking.statement() if self.asking.models <= set(locked) else None

    def ask(self, instance: Model, are_locked: bool) -> Asking:
        return Asking(self.using, self.change, self.reading, instance, are_locked)

    def finish(self, held: Held = NOTHING) -> list[Maintenance]:
        """Give the other values, too; returns what must be evaluated after the INSERT."""
        late = [*self.late]
        for instance in self.instances if self.reading else ():
            late += self.read(instance, held)
        late = list(dict.fromkeys(late))
        read_of_fixture = [each for each, _, _ in self.reading] if self.change.loaded else []
        for maintenance in dict.fromkeys([*late, *read_of_fixture]):
            hold_places(maintenance, self.instances)
        return late

    def read(self, instance: Model, held: Held) -> list[Maintenance]:
        """Give a row what it begins with, as far as it is made of itself and of rows next to it.

        Returns those whose value is not final: what they read could not be locked on the way, or
        may not be what will be stored.
        """
        model, makers = self.change.model, {name: each for each, name, _ in self.reading}
        if self.asking is not None and held.complete and held.answer is not None:
            asking, results = self.asking, self.asking.answered(held.answer)
        else:
            for path in ahead(makers.values()) if not held.complete else ():
                lock_far(path, self.using, vars(instance))
            asking = self.ask(instance, held.complete)
            results = asking.evaluated()
        late = [*asking.late]
        late += [makers[name] for name in results if is_unclear(column(model, name), results[name])]
        for name, result in results.items():
            provisional = self.change.loaded or makers[name] in late
            if can_be_given(column(model, name), result, provisional):
                give(makers[name], name, result, self.change, [instance])
        return late


def assign(using: str, change: Change, instances: Sequence[Model]) -> list[Maintenance]:
    """Give new instances their first values; returns what must be evaluated after the INSERT."""
    return Start(using, change, instances).finish()


def is_late(beginning: Beginning, unordered: bool, reads: bool) -> bool:
    """Whether what a row starts with must be evaluated again after the INSERT."""
    if beginning.late or (unordered and beginning.late_if_unordered):
        return True
    return bool(beginning.rows) and not reads


def give(
    maintenance: Maintenance, name: str, value: Any, change: Change, instances: Sequence[Model]
) -> None:
    """Let a field of new rows start at a value."""
    others = []
    for instance in instances:
        given = vars(instance).get(name, value)
        if given is not value and given != value:
            others.append((instance, given))
        setattr(instance, name, value)
    if others and not change.loaded:
        warn(registry.plan().owned[maintenance.target][name], value, others)


def placeholder(field: Any) -> Any:
    return next((value for kind, value in PLACEHOLDERS if isinstance(field, kind)), None)


def picky(maintenance: Maintenance) -> bool:
    """Whether a field takes no placeholder until it is evaluated after the INSERT."""
    return any(
        rule.field.unique or (not rule.field.null and placeholder(rule.field) is None)
        for rule in maintenance.rules
    )


def hold_places(maintenance: Maintenance, instances: Sequence[Model]) -> None:
    """Give each field that cannot be NULL something to hold until it is evaluated. What a fixture
    says it holds is as good as anything, unless rows that come later are added to it.
    """
    for rule in maintenance.rules:
        field = rule.field
        for instance in instances:
            if isinstance(maintenance, Delta):
                setattr(instance, field.attname, 0)
            if getattr(instance, field.attname) is None and not field.null:
                setattr(instance, field.attname, placeholder(field))


def first_of(using: str, maintenance: Maintenance, name: str, constant: Any) -> Any:
    """The value of an expression without references, evaluated once."""
    if isinstance(constant, Value):
        value = constant.value
        return value.value if isinstance(value, models.Choices) else value
    field = column(maintenance.target, name)
    return evaluated(using, Query(None), {name: ExpressionWrapper(constant, field)})[name]


def evaluated(using: str, query: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    (row,) = compiled(using, query, values).results_iter()
    return dict(zip(values, row, strict=False))


def compiled(using: str, query: Any, values: Mapping[str, Any]) -> Any:
    for name, value in values.items():
        query.add_annotation(with_types(value), f"_syncfields_{name}")
    query.set_annotation_mask([f"_syncfields_{name}" for name in values])
    return query.get_compiler(using)


def with_types(tree: Any) -> Any:
    """The expression, where each NULL has a type: PostgreSQL cannot add two that have none."""
    return replaced(tree, lambda node: Typed(node) if is_null(node) else None)


def is_null(node: Any) -> bool:
    is_none = type(node) is Value and node.value is None
    return is_none and getattr(node, "_output_field_or_none", None) is not None


# What is made of the row itself, and of rows next to it -----------------------------------------


class Asking:
    """Row expressions for a row that is not there yet, to be evaluated in one SELECT."""

    def __init__(
        self,
        using: str,
        change: Change,
        reading: Sequence[Reading],
        instance: Model,
        are_locked: bool,
    ) -> None:
        """``are_locked``: whether the rows are locked already that they lead to."""
        self.using = using
        self.query: Any = Query(None)
        self.values: dict[str, Any] = {}
        self.late: list[Maintenance] = []
        """Those of which it is not certain that what they name will stay as it is."""
        self.models: set[type[Model]] = set()
        """The tables that are read."""
        model = change.model
        for maintenance, name, value in reading:
            compared, names = compares(value), set(references(value, model))
            found = {
                each: known(using, change, each, instance, compared, are_locked) for each in names
            }
            if not all(certain for _, certain in found.values()):
                self.late.append(maintenance)
            if any(meant is None for meant, _ in found.values()):
                continue
            for each, (meant, _) in found.items():
                # The names stand for what the row will have; resolving them meets these first.
                self.query.annotations[each] = with_types(meant).resolve_expression(self.query)
                self.models |= named(model, each).models
            # As if it were read from the field that it is stored in.
            field = column(model, name)
            whole = in_full(field, value, connections[using].vendor)
            self.values[name] = ExpressionWrapper(whole, output_field=field)

    def evaluated(self) -> dict[str, Any]:
        """The values, by attribute name."""
        return evaluated(self.using, self.query, self.values) if self.values else {}

    def statement(self) -> Statement | None:
        """As a part of another statement; ``answered()`` takes what that returns."""
        if not self.values:
            return None
        compiler = compiled(self.using, self.query, self.values)
        text, params = compiler.as_sql()
        return Statement(self.using, text, params, compiler, compiler.col_count)

    def answered(self, answer: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.values, answer, strict=True))


def can_be_given(field: Any, value: Any, provisional: bool) -> bool:
    """Whether the row can be inserted with a value, which a ``provisional`` one need not have."""
    if not provisional:
        return True
    return is_plain(field, value) and (value is not None or field.null)


def ahead(maintenances: Iterable[Maintenance]) -> Iterator[Path]:
    """The paths from the row to rows that it refers to."""
    for maintenance in dict.fromkeys(maintenances):
        for dependency in maintenance.dependencies:
            path = dependency.path
            if path.forwards.hops:
                yield path if isinstance(maintenance, Copy) else path.forwards


def compares(value: Any) -> bool:
    return any(isinstance(node, (Q, Lookup)) for node in nodes(value))


@dataclass(frozen=True, slots=True)
class Name:
    """What a name stands for, seen from a new row."""

    hops: tuple[Hop, ...]
    """The relations to the row that has it, except where a key says itself what it names."""
    last: Any
    transforms: tuple[str, ...]

    @property
    def models(self) -> set[type[Model]]:
        return {hop.model for hop in self.hops}

    @property
    def rest(self) -> str:
        """The name, as the row next to the new one sees it."""
        names = (hop.name for hop in self.hops[1:])
        return LOOKUP_SEP.join([*names, self.last.attname, *self.transforms])


def named(model: type[Model], reference: str) -> Name:
    def find() -> Name:
        names = reference.split(LOOKUP_SEP)
        infos, last, _, transforms = Query(model).names_to_path(names, model._meta)
        hops = [hop_along(info.join_field) for info in infos]
        if hops and infos[-1].join_field is last:
            del hops[-1]
        return Name(tuple(hops), last, tuple(transforms))

    return once(("named", model, reference), find)


def known(
    using: str,
    change: Change,
    reference: str,
    instance: Any,
    compared: bool = False,
    are_locked: bool = False,
) -> tuple[Any, bool]:
    """An expression for what a name will stand for, and whether that is certain, and locked until
    COMMIT. None stands for nothing that is known before the row is there.

    ``are_locked``: whether the rows that it leads to are locked already.
    """
    model, name = change.model, named(change.model, reference)
    if not hasattr(name.last, "attname"):  # A relation that leads backwards.
        return None, False
    if not name.hops:
        if name.transforms:
            return None, False
        return own_column(name.last, instance, compared)
    first, *more = name.hops
    if (
        not all(hop.forward and type(hop.field) in RELATIONS for hop in name.hops)
        or len(first.columns) > 1
    ):
        return None, False
    ((near, far),) = first.columns
    own = getattr(instance, near)
    if hasattr(own, "resolve_expression") or (first.model is model and may_be(instance, far, own)):
        return None, False
    sources = rows(first.model, using).filter(**{far: own})
    if are_locked:
        sources = locks.reading(sources)
    read = (sources if more or are_locked else locking(sources)).values(name.rest)
    # A lookup takes no query of which Django cannot see that it gives one row.
    value = Subquery(read[:1] if compared else read)
    if are_locked or not more:
        return value, not must_write(using)
    is_locked = connections[using].features.has_select_for_update
    is_certain = (
        not is_locked and not change.unordered and all(hop.model is not model for hop in more)
    )
    return value, is_certain


def may_be(instance: Any, name: str, key: Any) -> bool:
    """Whether a key names the new row itself."""
    return key is not None and key == getattr(instance, name)


def own_column(field: Any, instance: Any, compared: bool) -> tuple[Any, bool]:
    """What a column of the row will hold, where that is certain: for values of the types in
    ``PLAIN``, which Django stores as they are, and NULL, in fields that nobody else sets. Text is
    compared as its column compares it, and so by the database.
    """
    unknown = None, False
    if getattr(field, "generated", False) or not takes_none(field):
        return unknown
    stored = getattr(field, "target_field", field)
    own = getattr(instance, field.attname)
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return unknown
    if own is None:
        return unknown if field.primary_key else (Value(None, output_field=field), True)
    is_text = isinstance(stored, (models.CharField, models.TextField))
    if compared and (is_text or field.is_relation):
        return unknown
    if type(own) not in PLAIN.get(type(stored), ()) or (
        type(own) is Decimal and is_rounded(stored, own)
    ):
        return unknown
    return Value(own, output_field=field), True
