"""How targets are written by the engine: added to, evaluated anew, healed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import F, QuerySet, Subquery
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from syncfields import signals
from syncfields.declare.paths import Model, Path, column
from syncfields.maintenance.base import Maintenance
from syncfields.maintenance.delta import Delta
from syncfields.plan import registry
from syncfields.sql import meetings, statements
from syncfields.sql.databases import updates_read_own_table, vendor_of
from syncfields.sql.locks import reading, snapshot_is_old
from syncfields.sql.once import once
from syncfields.sql.rows import connected, in_lookup, rows, rows_with, takes_as_one
from syncfields.sql.scans import Rows, Scan
from syncfields.sql.statements import Param, Statement
from syncfields.sql.trees import nodes, references, renamed, settable
from syncfields.targets import announcing, assignments, drift, writing
from syncfields.targets.drift import Drift
from syncfields.targets.updates import Update
from syncfields.targets.writing import reads_in_update
from syncfields.transactions import scope

logger = logging.getLogger("syncfields.drift")
BATCH = 500
MANY = 10_000


class Outcome(NamedTuple):
    """What an UPDATE of targets came to."""

    healed: Sequence[Any]
    """The rows of which a value had drifted."""
    rows: Sequence[Any]
    """The columns that were returned."""
    whole: bool
    """Whether each row took what was added."""


def batches(items: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def written(target: Model, names: frozenset[str]) -> frozenset[str]:
    """The columns that an UPDATE of synced fields writes: those, and the fields they touch."""
    return once(("written", target, names), lambda: names.union(assignments.touches(target, names)))


def evaluate(using: str, maintenance: Maintenance, pks: Sequence[Any], locked: bool = True) -> None:
    """Set the synced fields of the targets ``pks`` to the values of their expressions."""
    target, values = maintenance.target, maintenance.values
    touched = assignments.touches(target, list(values))
    may_be_missing = scope.loading() or leaves_out(maintenance)
    for batch in batches(pks):
        queryset = rows_with(target, using, batch)
        anew = {name: settable(target, value) for name, value in values.items()}
        if may_be_missing:
            anew = kept(maintenance, anew)
        if reads_in_update(using) and not touched:
            statements.update(queryset, anew).update()
            announcing.note(using, target, batch, values)
            continue
        if snapshot_is_old(using):
            evaluate_and_touch(using, target, anew, queryset)
            announcing.note(using, target, batch, values)
            continue
        if may_be_missing:
            values = kept(maintenance, maintenance.values)
        repaired = drift.repair([Scan(values)], values, Rows(target, using, batch), locked)
        for name, drifts in repaired.items():
            if touch := assignments.touches(target, [name]):
                changed = rows(target, using).filter(pk__in=[each.pk for each in drifts])
                statements.update(changed, touch).update()


def leaves_out(maintenance: Maintenance) -> bool:
    """Whether there may be no value for a row, as ``annotate()`` leaves it out."""
    return any(each.path.leaves_out for each in maintenance.dependencies)


def kept(maintenance: Maintenance, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a row refers to may be missing: while a fixture is loaded, or for lack of a constraint.
    A field that cannot be NULL keeps its value until it comes; what is added to starts at 0.
    """
    found = dict(values)
    for name, value in values.items():
        field = column(maintenance.target, name)
        if isinstance(maintenance, Delta):
            found[name] = Coalesce(value, 0, output_field=field)
        elif not field.null:
            found[name] = Coalesce(value, F(name), output_field=field)
    return found


def evaluate_and_touch(
    using: str, target: Model, anew: Mapping[str, Any], queryset: QuerySet[Any]
) -> None:
    """Find what an UPDATE changes by reading before and after it: unlike a SELECT of the truth, it
    sees what others have committed.
    """
    before = {pk: row for pk, *row in reading(queryset.values_list("pk", *anew))}
    statements.update(queryset, anew).update()
    after = {pk: row for pk, *row in queryset.values_list("pk", *anew)}
    for number, name in enumerate(anew):
        changed = [pk for pk, row in after.items() if row[number] != before[pk][number]]
        if changed and (touch := assignments.touches(target, [name])):
            statements.update(rows(target, using).filter(pk__in=changed), touch).update()


def follow(using: str, maintenance: Maintenance, path: Path, pk: Any, cursor: Any) -> None:
    """Evaluate all targets anew that are connected with one row, in one UPDATE."""
    target, values = maintenance.target, maintenance.values
    composite = len(path.model._meta.pk_fields) > 1
    touched = assignments.touches(target, list(values))
    at_once = updates_read_own_table(using) and not scope.loading()
    at_once = at_once and not announcing.is_heard(target)
    if composite or touched or not at_once:
        pks = reading(connected(using, [(path, [pk])])).values_list("pk", flat=True)
        return evaluate(using, maintenance, list(pks), locked=False)

    def make() -> Statement:
        key = Param("pk", path.model._meta.pk)
        anew = {
            name: at_source(path, value, key) or settable(target, value)
            for name, value in values.items()
        }
        if leaves_out(maintenance):
            anew = kept(maintenance, anew)
        return statements.update(rows(target, using).filter(**{path.pk_lookup(""): key}), anew)

    once(("follow", using, maintenance, path), make).update(cursor, pk=pk)
    return None


def at_source(path: Path, value: Any, key: Param) -> Subquery | None:
    """``value`` read once from the source row itself, if it names nothing else."""
    prefix = path.lookup + LOOKUP_SEP
    names = list(references(value, path.target))
    opaque = any(isinstance(node, (Subquery, RawSQL)) for node in nodes(value))
    if opaque or not names or not all(name.startswith(prefix) for name in names):
        return None
    there = renamed(value, lambda name: name.removeprefix(prefix))
    return Subquery(rows(path.model).filter(pk=key).values(_syncfields_value=there))


def write(
    using: str, update: Update, cursor: Any = None, returned: tuple[str, ...] = ()
) -> Outcome:
    """Send an UPDATE; heal the rows that cannot take what is added."""
    if len(update.pks) <= BATCH:
        return outcome(using, update, writing.write(using, update, cursor, returned))
    found = [
        outcome(using, part, writing.write(using, part, cursor, returned))
        for part in map(update.of, batches_to_write(using, update))
    ]
    return Outcome(
        [pk for each in found for pk in each.healed],
        [row for each in found for row in each.rows],
        all(each.whole for each in found),
    )


def outcome(using: str, update: Update, written: statements.Written) -> Outcome:
    """What an UPDATE came to that was sent; rows that could not take what is added are healed."""
    healed: Sequence[Any] = ()
    if not (whole := written.number == len(update.pks)):
        healed = heal(using, update.target, update.names, update.pks, update.deltas)
    if announcing.is_heard(update.target):  # Else its names are collected for nothing.
        announcing.note(using, update.target, update.pks, update.names)
    return Outcome(healed, written.rows, whole)


def batches_to_write(using: str, update: Update) -> Iterable[Sequence[Any]]:
    """Batches of rows: large ones where few different amounts are added, each of which is a branch
    of the UPDATE.
    """
    pks = update.pks
    only_adds = not (update.joined or update.evaluates)
    if not (only_adds and takes_as_one(using)) or in_lookup(using, update.target, pks) == "in":
        return batches(pks)
    found: list[Sequence[Any]] = []
    for batch in batches(pks, MANY):
        amounts = {amount for pk in batch for amount in update.deltas[pk].values()}
        found += batches(batch) if len(amounts) > BATCH else [batch]
    return found


def heal(
    using: str,
    target: Model,
    columns: Collection[str],
    pks: Sequence[Any],
    deltas: Mapping[Any, Any],
) -> list[Any]:
    """Evaluate targets anew that could not take a delta, and report those that had drifted."""
    healed: list[Any] = []
    wait_for_absent(using, target, pks)
    for maintenance in registry.plan().targets[target]:
        values = {name: value for name, value in maintenance.values.items() if name in columns}
        if not values:
            continue
        if snapshot_is_old(using):  # What a SELECT finds there says nothing; an UPDATE does.
            evaluate(using, maintenance, pks)
            healed += pks
            continue
        scan, chosen = Scan(values), Rows(target, using, pks)
        compared = dict(drift.compared(scan, chosen))
        drift.repair([scan], values, chosen)
        for name in values:
            drifts = [
                before(each[name], deltas[pk][name])
                for pk, each in compared.items()
                if name in deltas.get(pk, {})
                and had_drifted(each[name], deltas[pk][name], certain=len(pks) == 1)
            ]
            if drifts:
                report(using, target, name, drifts)
                healed += [each.pk for each in drifts]
    return healed


def wait_for_absent(using: str, target: Model, pks: Collection[Any]) -> None:
    """Where rows are not there that something is added to: wait for those who insert them."""
    if vendor_of(using) == "postgresql" and len(target._meta.pk_fields) == 1:
        there = set(rows_with(target, using, pks).values_list("pk", flat=True))
        absent = [pk for pk in pks if pk not in there]
        meetings.wait(using, target, target._meta.pk.attname, absent)


def had_drifted(drift: Drift, amount: Any, certain: bool) -> bool:
    """Whether the value was wrong already, and not only behind by the delta left out.

    Unless it is ``certain`` that this row is the one left out, a value that is right is not.
    """
    if not certain and drift.stored == drift.expected:
        return False
    if drift.stored is None:
        return drift.stored != drift.expected
    if hasattr(amount, "resolve_expression"):
        return False  # The database has added it up, and nobody else knows it.
    return drift.stored + amount != drift.expected


def before(found: Drift, amount: Any) -> Drift:
    """The drift as the write met it: what was right then, and not with the ``amount`` that it adds,
    which may be what is stored. Where only the database knows that, what is right now.
    """
    if hasattr(amount, "resolve_expression"):
        return found
    return replace(found, expected=found.expected - amount)


def report(using: str, target: Model, name: str, drifts: list[Drift]) -> None:
    label = registry.plan().owned[target][name].label
    extra = {"rule": label, "database": using, "drifts": drifts}
    logger.warning(
        "%s had drifted before a write, and was repaired: %r", label, drifts, extra=extra
    )
    signals.drift_found.send(sender=target, rule=label, using=using, drifts=drifts)
