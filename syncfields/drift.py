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
    Q,
    QuerySet,
    TextField,
    TimeField,
    Value,
    When,
)
from django.db.models.functions import Abs, Round

from syncfields import statements
from syncfields.locks import locking, snapshot_is_old
from syncfields.paths import Model, column
from syncfields.scope import own_writes
from syncfields.trees import rows, rows_with, settable

PrimaryKey = Any

# Two ways of adding up the same floats differ in the last digits.
FLOAT_TOLERANCE = 1e-9
# Up to so many rows bulk_update() is the faster way: beyond, Python compiles longer than the
# database evaluates.
FEW = 20


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
        template = "(NOT (%(expressions)s))"
        return self.as_sql(compiler, connection, arg_joiner=" <=> ", template=template, **extra)


def differs(field: Any, name: str, truth: str, vendor: str, exact: bool) -> Q:
    """The condition that the column ``name`` is not at the annotation ``truth``."""
    stored, expected = F(name), F(truth)
    if isinstance(field, FloatField) and not exact:
        distance = Abs(stored - expected)
        allowed = (Abs(stored) + Abs(expected)) * Value(FLOAT_TOLERANCE)
        if vendor == "mysql":  # A subquery gives an average with nine decimal places.
            allowed += Value(FLOAT_TOLERANCE)
        apart = Q((f"{name}__isnull", False), (f"{truth}__isnull", False)) & Q(
            GreaterThan(distance, allowed)
        )
        one_is_null = Q((f"{name}__isnull", True)) ^ Q((f"{truth}__isnull", True))
        return apart | one_is_null
    return Q(IsDistinct(comparable(field, stored, vendor), comparable(field, expected, vendor)))


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


def as_stored(target: Model, values: Mapping[str, Any], vendor: str) -> Mapping[str, Any]:
    """The values in full precision: MySQL and MariaDB show an average with four decimal places."""
    floats = {f.attname for f in target._meta.concrete_fields if isinstance(f, FloatField)}
    if vendor != "mysql":
        return values
    return {name: Double(value) if name in floats else value for name, value in values.items()}


def compared(
    target: Model, values: Mapping[str, Any], queryset: QuerySet[Any]
) -> Iterator[tuple[Any, dict[str, Drift]]]:
    """Stored and expected values of all rows, equal or not: ``(pk, {attname: Drift})``."""
    truths = as_stored(target, values, connections[queryset.db].vendor)
    annotated = queryset.annotate(**{f"_syncfields_{name}": each for name, each in truths.items()})
    for row in annotated.values("pk", *values, *(f"_syncfields_{name}" for name in values)):
        yield (
            row["pk"],
            {name: Drift(row["pk"], row[name], row[f"_syncfields_{name}"]) for name in values},
        )


def apart(
    target: Model, values: Mapping[str, Any], queryset: QuerySet[Any], exact: bool = False
) -> tuple[QuerySet[Any], Mapping[str, Q]]:
    """The rows in which any of the fields has drifted, and the condition that each one has.

    ``exact``: floats are to be just what was evaluated, as they are where that is written at once.
    """
    vendor = connections[queryset.db].vendor
    fields = {field.attname: field for field in target._meta.concrete_fields}
    conditions = {
        name: differs(fields[name], name, f"_syncfields_{name}", vendor, exact) for name in values
    }
    expected = as_stored(target, values, vendor)
    # Naming the columns before the aggregates keeps GROUP BY to them.
    annotated = queryset.values_list("pk", *values)
    annotated = annotated.annotate(**{f"_syncfields_{name}": expected[name] for name in values})
    return annotated.filter(reduce(or_, conditions.values())), conditions


def candidates(
    target: Model, values: Mapping[str, Any], queryset: QuerySet[Any]
) -> Iterable[PrimaryKey]:
    """The primary keys of the rows in which any of the fields has drifted."""
    found, _ = apart(target, values, queryset)
    # MariaDB and MySQL know a column in HAVING only if it is selected.
    return (pk for pk, *_ in found.values_list("pk", *values))


def differing(
    target: Model,
    values: Mapping[str, Any],
    queryset: QuerySet[Any],
    exact: bool = False,
    repaired: bool = False,
) -> Iterator[tuple[PrimaryKey, dict[str, Drift]]]:
    """The rows in which any of the fields has drifted: ``(pk, {attname: Drift})``.

    ``repaired``: they are set to what is expected by the statement that finds them.
    """
    found, conditions = apart(target, values, queryset, exact)
    names, count = list(values), len(values)
    if count > 1:  # which of them?
        found = found.annotate(
            **{
                f"_syncfields_is_{name}": Case(When(each, then=True), default=False)
                for name, each in conditions.items()
            }
        )
    drifted: Iterable[Any] = found
    if repaired:
        places = {column(target, name): 1 + count + n for n, name in enumerate(names)}
        drifted = statements.assign_selected(statements.select(found), target, places).rows()
    for pk, *row in drifted:
        stored, expected = row[:count], row[count : 2 * count]
        which = row[2 * count :] or [True]
        yield (
            pk,
            {
                name: Drift(pk, *pair)
                for name, *pair, differ in zip(names, stored, expected, which, strict=True)
                if differ
            },
        )


def repairs_at_once(using: str, target: Model, values: Iterable[str]) -> bool:
    """Whether the statement that finds drift can repair it, whatever the number of rows."""
    fields = [target._meta.pk, *(column(target, name) for name in values)]
    own = all(field in target._meta.local_concrete_fields for field in fields)
    return own and statements.takes_arrays(using, fields)


def repair(
    using: str,
    target: Model,
    values: Mapping[str, Any],
    queryset: QuerySet[Any],
    scans: Sequence[Mapping[str, Any]] = (),
    locked: bool = False,
    exact: bool = True,
    many: bool = False,
) -> dict[str, list[Drift]]:
    """Lock the rows, evaluate in a later statement, and write only what still differs.

    ``scans`` are the ``values`` as they can be asked together, where that is faster. ``many``: most
    of the rows are expected to differ.
    """
    drifted: dict[PrimaryKey, dict[str, Drift]] = {}
    with transaction.atomic(using=using, savepoint=False):
        if connections[using].features.has_select_for_update and not locked:
            pks = list(locking(queryset.order_by("pk")).values_list("pk", flat=True))
            queryset = rows_with(target, using, pks)
        at_once = many and repairs_at_once(using, target, values)
        for each in scans or [values]:
            for pk, drifts in differing(target, each, queryset, exact, repaired=at_once):
                drifted.setdefault(pk, {}).update(drifts)
        if not at_once:
            write(using, target, values, drifted)
    found: dict[str, list[Drift]] = defaultdict(list)
    for drifts in drifted.values():
        for name, drift in drifts.items():
            found[name].append(drift)
    return dict(found)


def write(
    using: str,
    target: Model,
    values_of: Mapping[str, Any],
    drifted: Mapping[PrimaryKey, Mapping[str, Drift]],
) -> None:
    """Set the drifted fields, and no others, to what was expected."""
    alike: dict[tuple[str, ...], list[PrimaryKey]] = defaultdict(list)
    for pk, drifts in drifted.items():
        alike[tuple(drifts)].append(pk)
    for names, pks in alike.items():
        fields = [column(target, name) for name in names]
        if len(pks) > FEW and statements.takes_arrays(using, [target._meta.pk, *fields]):
            columns = [[drifted[pk][name].expected for pk in pks] for name in names]
            statements.assign(using, target, pks, fields, columns)
        elif many_or_unsure(using, pks) and connections[using].features.update_can_self_select:
            anew = {name: settable(target, values_of[name]) for name in names}
            statements.update(rows_with(target, using, pks), anew).update()
        else:
            instances = [instance_of(using, target, pk, drifted[pk]) for pk in pks]
            with own_writes():
                rows(target, using).bulk_update(instances, names, batch_size=500)


def many_or_unsure(using: str, pks: Sequence[PrimaryKey]) -> bool:
    """Whether the UPDATE had better evaluate by itself. Within a transaction of the caller's, what
    was expected may be older than what others have committed.
    """
    return len(pks) > FEW or snapshot_is_old(using)


def instance_of(using: str, target: Model, pk: PrimaryKey, drifts: Mapping[str, Drift]) -> Any:
    """An instance that knows its key and what is expected of it."""
    keys = [field.attname for field in target._meta.pk_fields]
    values = dict(zip(keys, pk if len(keys) > 1 else (pk,), strict=True))
    values |= {name: drift.expected for name, drift in drifts.items()}
    # from_db() takes the values in the order of the model's columns, whatever the names say.
    columns = [f.attname for f in target._meta.concrete_fields if f.attname in values]
    return target.from_db(using, columns, [values[name] for name in columns])
