"""Where a stored value is not the value of its expression: found by the database, and repaired."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db import connections, transaction
from django.db.models import (
    BinaryField,
    BooleanField,
    Case,
    CharField,
    DateTimeField,
    DecimalField,
    F,
    FloatField,
    Func,
    JSONField,
    Max,
    Min,
    Q,
    QuerySet,
    TextField,
    TimeField,
    Value,
    When,
)
from django.db.models.expressions import Col, ResolvedOuterRef
from django.db.models.functions import Abs, Cast, Coalesce, Greatest, Round
from django.db.models.lookups import Exact
from django.db.models.sql import Query
from django.db.models.sql.where import WhereNode

from syncfields.declare.paths import Model, column
from syncfields.sql import arrays, statements
from syncfields.sql.databases import (
    has_row_locks,
    takes_arrays,
    updates_read_own_table,
    vendor_of,
)
from syncfields.sql.locks import locking, snapshot_is_old
from syncfields.sql.plain import is_read_as_stored
from syncfields.sql.rows import outer, rows_with
from syncfields.sql.scans import Rows, Scan
from syncfields.sql.trees import One, Typed, nodes, settable
from syncfields.targets import announcing

PrimaryKey = Any

# Two ways of adding up the same floats differ in the last digits.
FLOAT_TOLERANCE = 1e-9
# Less than this is not multiplied by it, which PostgreSQL refuses where nothing would be left.
LEAST_FLOAT = 1e-298
GREATEST_FLOAT = 1.7976931348623157e308
# Up to so many rows it is faster to write values: beyond, Python compiles longer than the database
# evaluates.
FEW = 20
MOST = 500
"""Rows of one statement that is given a value for each."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One stored value that is not the value of its expression."""

    pk: Any
    stored: Any
    expected: Any


class IsDistinct(Func):
    """``a IS DISTINCT FROM b``: unequal, where NULL equals NULL."""

    output_field = BooleanField()
    template = "(%(expressions)s)"
    arg_joiner = " IS DISTINCT FROM "

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, arg_joiner=" IS NOT ", **extra)

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "(NOT ((%(expressions)s)))"  # NOT EXISTS binds less than <=>.
        return self.as_sql(compiler, connection, arg_joiner=") <=> (", template=template, **extra)


def differs(field: Any, name: str, truth: str, vendor: str, exact: bool) -> Q:
    """The condition that the column ``name`` is not at the annotation ``truth``."""
    stored, expected = F(name), F(truth)
    distinct = IsDistinct(comparable(field, stored, vendor), comparable(field, expected, vendor))
    if exact or not isinstance(field, FloatField):
        return Q(distinct)
    one_is_null = Q((f"{name}__isnull", True)) | Q((f"{truth}__isnull", True))
    return Q(distinct) & (one_is_null | beyond_tolerance(stored, expected, vendor))


def beyond_tolerance(stored: Any, expected: Any, vendor: str) -> Q:
    """Whether two floats are further apart than two ways of adding up the same. What is no finite
    number is infinitely far from every other.
    """
    greater = Greatest(Abs(stored), Abs(expected), Value(LEAST_FLOAT), output_field=FloatField())
    allowed = greater * Value(2 * FLOAT_TOLERANCE)
    if vendor == "mysql":  # A subquery gives an average with nine decimal places.
        allowed += Value(FLOAT_TOLERANCE)
    not_finite = GreaterThan(greater, Value(GREATEST_FLOAT))
    return Q(GreaterThan(Abs(stored - expected), allowed)) | Q(not_finite)


# Of these a value is taken as it is, whoever evaluates them.
AS_THEY_ARE = (
    Coalesce,
    Col,
    Exact,
    F,
    Max,
    Min,
    One,
    ResolvedOuterRef,
    Typed,
    Value,
    WhereNode,
)


def is_taken_as_it_is(value: Any) -> bool:
    """Whether an expression gives the very bits of a float that is stored somewhere: nothing is
    calculated on the way.
    """
    return all(map(passes_on, nodes(value)))


def passes_on(node: Any) -> bool:
    if isinstance(node, Query):  # What it selects is none of its nodes.
        selected = node.annotation_select.values()
        return not node.combinator and all(map(is_taken_as_it_is, selected))
    return type(node) in AS_THEY_ARE or not hasattr(node, "resolve_expression")


class Bytes(Func):
    template = "CAST(%(expressions)s AS BINARY)"
    output_field = BinaryField()


class GreaterThan(Func):
    output_field = BooleanField()
    template = "(%(expressions)s)"
    arg_joiner = " > "


def comparable(field: Any, value: Any, vendor: str) -> Any:
    """``value`` as the field would store it, in the form in which the database can compare it."""
    if isinstance(field, DecimalField):
        if vendor == "mysql":  # Which rounds half of a float otherwise than it stores it.
            return Cast(value, field)
        return Round(value, precision=field.decimal_places)
    if isinstance(field, JSONField) and vendor == "sqlite":
        # Stored as text, which Python and SQLite write with other white space.
        return Func(value, function="JSON", output_field=TextField())
    if isinstance(field, (CharField, TextField)) and vendor == "mysql":
        # The default collations of MySQL and MariaDB find "A" and "a" equal.
        return Bytes(value)
    return ordered(field, value, vendor)


def ordered(field: Any, value: Any, vendor: str) -> Any:
    """``value`` in a form in which the database can say which of two is greater."""
    if isinstance(field, (DateTimeField, TimeField)) and vendor == "sqlite":
        # Stored as text, of which SQLite itself writes three digits of a second, and Python six or
        # none. Seconds have two digits, so that no other zero is lost.
        return Func(value, Value("0."), function="RTRIM", output_field=TextField())
    return value


class Double(Func):
    template = "(%(expressions)s + 0e0)"
    output_field = FloatField()


class Places(Func):
    """A decimal with all the places of a field, and any number of digits before them."""

    template = "CAST(%(expressions)s AS DECIMAL(65, %(places)s))"

    def __init__(self, value: Any, field: Any) -> None:
        places = field.decimal_places
        output_field: Any = DecimalField(max_digits=65, decimal_places=places)
        super().__init__(value, output_field=output_field, places=places)


def as_stored(target: Model, values: Mapping[str, Any], vendor: str) -> Mapping[str, Any]:
    """The values in full precision, as a SELECT is to give them."""
    fields = {field.attname: field for field in target._meta.concrete_fields}
    return {name: in_full(fields[name], value, vendor) for name, value in values.items()}


def in_full(field: Any, value: Any, vendor: str) -> Any:
    """``value`` with all that is stored of it: MySQL and MariaDB show an average, or a quotient,
    with four decimal places more than what is divided has, and calculate with others.
    """
    if vendor != "mysql":
        return value
    if isinstance(field, FloatField):
        return Double(value)
    if isinstance(field, DecimalField):
        return Places(value, field)
    return value


def compared(scan: Scan, chosen: Rows) -> Iterator[tuple[Any, dict[str, Drift]]]:
    """Stored and expected values of all rows, equal or not: ``(pk, {attname: Drift})``."""
    annotated, names = expected(scan, chosen), list(scan.values)
    for pk, *row in annotated.values_list("pk", *names, *map(truth, names)):
        pairs = zip(names, row[: len(names)], row[len(names) :], strict=True)
        yield pk, {name: Drift(pk, *pair) for name, *pair in pairs}


def truth(name: str) -> str:
    return f"_syncfields_{name}"


def expected(scan: Scan, chosen: Rows) -> QuerySet[Any]:
    """The rows, with the values of their expressions."""
    queryset, values = scan.annotated(chosen)
    values = as_stored(chosen.model, values, vendor_of(chosen.using))
    # Naming the columns before the aggregates keeps GROUP BY to them.
    queryset = queryset.values_list("pk", *values)
    # A key without a constraint may name a row that is gone. Django does not reckon with that.
    return outer(queryset.annotate(**{truth(name): value for name, value in values.items()}))


def apart(scan: Scan, chosen: Rows, exact: bool = False) -> tuple[QuerySet[Any], Mapping[str, Q]]:
    """The rows in which any of the fields has drifted, and the condition that each one has.

    ``exact``: floats are to be just what was evaluated, as they are where that is written at once.
    """
    vendor = vendor_of(chosen.using)
    fields = {field.attname: field for field in chosen.model._meta.concrete_fields}
    conditions = {
        name: differs(fields[name], name, truth(name), vendor, exact or is_taken_as_it_is(value))
        for name, value in scan.values.items()
    }
    return expected(scan, chosen).filter(reduce(or_, conditions.values())), conditions


def candidates(scan: Scan, chosen: Rows) -> Iterable[PrimaryKey]:
    """The primary keys of the rows in which any of the fields has drifted."""
    found, _ = apart(scan, chosen)
    # MariaDB and MySQL know a column in HAVING only if it is selected.
    return (pk for pk, *_ in found.values_list("pk", *scan.values))


def differing(
    scan: Scan, chosen: Rows, exact: bool = False
) -> Iterator[tuple[PrimaryKey, dict[str, Drift]]]:
    """The rows in which any of the fields has drifted: ``(pk, {attname: Drift})``."""
    count = len(scan.values)
    for pk, *row in told_apart(scan, chosen, exact):
        which = row[2 * count :]
        drifts = zip(scan.values, row[:count], row[count : 2 * count], which, strict=True)
        yield pk, {name: Drift(pk, *pair) for name, *pair, differ in drifts if differ}


def told_apart(scan: Scan, chosen: Rows, exact: bool) -> QuerySet[Any]:
    """The rows in which any of the fields has drifted: the primary key, what is stored, what is
    expected, and of each field whether it has.
    """
    found, conditions = apart(scan, chosen, exact)
    flags = {
        f"_syncfields_is_{name}": Case(When(each, then=True), default=False)
        for name, each in conditions.items()
    }
    return found.annotate(**flags)


def repairs_at_once(using: str, target: Model, values: Iterable[str]) -> bool:
    """Whether the statement that finds drift can repair it, whatever the number of rows."""
    fields = [target._meta.pk, *(column(target, name) for name in values)]
    own = all(field in target._meta.local_concrete_fields for field in fields)
    return own and takes_arrays(using, fields)


def repair_at_once(
    scans: Iterable[Scan], chosen: Rows, examples: int
) -> Iterator[tuple[str, int, list[Drift]]]:
    """Repair rows that are locked, by the statement that finds them: of each field the number of
    those that had drifted, and the first ``examples`` of them.
    """
    for scan in scans:
        count = len(scan.values)
        selected = statements.select(told_apart(scan, chosen, exact=False))
        fields = [column(chosen.model, name) for name in scan.values]
        found = arrays.assign_selected(selected, chosen.model, fields, examples).rows()
        for n, name in enumerate(scan.values, 1):
            drifts = [Drift(row[0], row[n], row[n + count]) for row in found if row[n + 2 * count]]
            number = found[0][n + 3 * count] if found else 0
            yield name, number, drifts[:examples]


def repair(
    scans: Iterable[Scan],
    values: Mapping[str, Any],
    chosen: Rows,
    locked: bool = False,
    exact: bool = True,
) -> dict[str, list[Drift]]:
    """Lock the rows, evaluate in a later statement, and write only what still differs.

    ``values`` are what the ``scans`` together ask for, as one row after the other can be asked.
    """
    using, drifted = chosen.using, dict[PrimaryKey, dict[str, Drift]]()
    with transaction.atomic(using=using, savepoint=False):
        if has_row_locks(using) and not locked:
            pks = locking(chosen.queryset().order_by("pk")).values_list("pk", flat=True)
            chosen = Rows(chosen.model, using, list(pks))
        for scan in scans:
            for pk, drifts in differing(scan, chosen, exact):
                drifted.setdefault(pk, {}).update(drifts)
        write(using, chosen.model, values, drifted)
        names = {name for drifts in drifted.values() for name in drifts}
        announcing.note(using, chosen.model, drifted.keys(), names)
    return by_field(drifted.values())


def by_field(found: Iterable[Mapping[str, Drift]]) -> dict[str, list[Drift]]:
    fields: dict[str, list[Drift]] = defaultdict(list)
    for drifts in found:
        for name, drift in drifts.items():
            fields[name].append(drift)
    return dict(fields)


def write(
    using: str,
    target: Model,
    values_of: Mapping[str, Any],
    drifted: Mapping[PrimaryKey, Mapping[str, Drift]],
) -> None:
    """Set the drifted fields, and no others, to what was expected."""
    evaluates = updates_read_own_table(using)
    alike: dict[tuple[str, ...], list[PrimaryKey]] = defaultdict(list)
    for pk, drifts in drifted.items():
        alike[tuple(drifts)].append(pk)
    for names, pks in alike.items():
        fields = [column(target, name) for name in names]
        clear = all(
            is_read_as_stored(field, drifted[pk][field.attname].expected)
            for field in fields
            for pk in pks
        )
        in_arrays = clear and takes_arrays(using, [target._meta.pk, *fields])
        if len(pks) > FEW and in_arrays:
            columns = [[drifted[pk][name].expected for pk in pks] for name in names]
            arrays.assign(using, target, pks, fields, columns)
        elif evaluates and (many_or_unsure(using, pks) or not clear):
            anew = {name: settable(target, values_of[name]) for name in names}
            statements.update(rows_with(target, using, pks), anew).update()
        else:
            write_each(using, target, fields, pks, drifted)


def write_each(
    using: str,
    target: Model,
    fields: Sequence[Any],
    pks: Sequence[PrimaryKey],
    drifted: Mapping[PrimaryKey, Mapping[str, Drift]],
) -> None:
    """As ``bulk_update()``, which would need instances: a CASE with one branch for each row."""
    connection = connections[using]
    size = connection.ops.bulk_batch_size([target._meta.pk, target._meta.pk, *fields], pks)
    for start in range(0, len(pks), min(size, MOST)):
        batch = pks[start : start + min(size, MOST)]
        values = {
            field.attname: one_by_one(
                field, {pk: drifted[pk][field.attname].expected for pk in batch}, connection
            )
            for field in fields
        }
        statements.update(rows_with(target, using, batch), values).update()


def one_by_one(field: Any, values: Mapping[PrimaryKey, Any], connection: Any) -> Any:
    """A value for each row."""
    whens = (When(pk=pk, then=Value(each, output_field=field)) for pk, each in values.items())
    case = Case(*whens, output_field=field)
    casts = connection.features.requires_casted_case_in_updates
    return Cast(case, output_field=field) if casts else case


def many_or_unsure(using: str, pks: Sequence[PrimaryKey]) -> bool:
    """Whether the UPDATE had better evaluate by itself. Within a transaction of the caller's, what
    was expected may be older than what others have committed.
    """
    return len(pks) > FEW or snapshot_is_old(using)
