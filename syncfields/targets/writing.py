"""The statement that writes targets: what is added to them, what joined or left an extreme, and
what is evaluated anew, in one UPDATE for a batch of rows of one target model.

Those for few rows are compiled once. Of more than two rows to which numbers are added there are as
many as the next power of two, the last one being named again, so that few numbers of rows occur.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from syncfields.declare.paths import Model, column
from syncfields.maintenance.changes import Held
from syncfields.maintenance.copies import Copy
from syncfields.plan import registry
from syncfields.sql import statements
from syncfields.sql.databases import has_row_locks, updates_read_own_table, vendor_of
from syncfields.sql.locks import lock, locking, must_write, reading, snapshot_is_old
from syncfields.sql.once import kept, once
from syncfields.sql.plain import is_read_as_stored
from syncfields.sql.proven import compiles_alike
from syncfields.sql.rows import Among, in_lookup, takes_as_one
from syncfields.sql.statements import Row, Statement
from syncfields.targets.assignments import asked, build, chosen_plainly
from syncfields.targets.drift import as_stored
from syncfields.targets.shapes import (
    Lists,
    Params,
    Shape,
    Values,
    is_expression,
    kind_of,
    shape_of,
    values_of,
)
from syncfields.targets.updates import Extremes, Update, without
from syncfields.targets.variables import build_with_variables, can_be_declared
from syncfields.transactions import pending

COMPILED_ROWS = 64
"""Up to so many rows, or different amounts, statements are compiled once."""
ANY = 0
"""Number of rows in a ``Shape`` that does not depend on it."""
PAIR = 2
"""What moving one source row needs, whatever of it is added to which."""
NUMBERS = (int, Decimal)


def write(
    using: str, update: Update, cursor: Any = None, returned: tuple[str, ...] = ()
) -> statements.Written:
    """Send the UPDATE; ``evaluates`` among what it says needs the rows locked before."""
    if asks_before(using, update):
        update = settled(using, update)
        if update.is_empty:  # No value that has left was the extreme.
            return statements.Written(len(update.pks))
    if (few := of_few(using, update, returned)) is not None:
        statement, values = few
        return statement.written_with(values, cursor)
    if not (update.joined or update.evaluated):
        adding = add_numbers if len(update.pks) <= COMPILED_ROWS else add_many
        if (added := adding(using, update, cursor, returned)) is not None and added.number:
            return added
    return build(shape_of(using, update, returned), Values(using, update)).written(cursor)


def of_few(
    using: str, update: Update, returned: tuple[str, ...] = (), locked: bool = False
) -> tuple[Statement, list[Any]] | None:
    """The statement that is compiled once, and the values that it is given; None where it is not
    one of those. ``locked``: the rows are; where it evaluates, it may be a part of a block.
    """
    if (kind := kind_of_few(update)) is None:
        return None
    in_block = locked and asks_before(using, update)
    key, values = kind

    def make() -> Statement | None:
        if in_block and not can_be_declared(update.target, update.evaluated):
            return None
        return compiled(using, update, returned, locked, in_block)

    found = once(("few", using, update.target, returned, locked, in_block, key), make)
    return None if found is None else (found, values)


def kind_of_few(update: Update) -> tuple[Hashable, list[Any]] | None:
    """What the statement depends on, and the values; None where it is not compiled once."""
    return kind_of(update) if compiles(update) else None


def compiled(
    using: str,
    update: Update,
    returned: tuple[str, ...] = (),
    locked: bool = False,
    in_block: bool = False,
) -> Statement:
    shape = shape_of(using, update, returned, locked)
    made = build_with_variables(shape) if in_block else build(shape, Params(update.target))
    return made.in_order([*values_of(update)])


def asks_before(using: str, update: Update) -> bool:
    """Whether what it evaluates is asked before it, and not in it."""
    return update.evaluates and not reads_in_update(using)


def compiles(update: Update) -> bool:
    """Whether the statement is compiled once."""
    if len(update.pks) > PAIR or len(update.target._meta.pk_fields) > 1:
        return False
    if not (update.left or update.anew):
        return True
    return {*update.anew}.union(*update.left.values()) <= steady(update.target)


@kept
def steady(target: Model) -> frozenset[str]:
    """The rules whose expressions compile to the same statement at any time: aggregates over one
    path, of which each row says by itself what it contributes, and proven expressions over what is
    copied from; of no generic relation (the content type of which has another key for another
    tenant).
    """
    return frozenset(
        name
        for each in registry.plan().targets[target]
        for name, value in each.values.items()
        if name in each.grouped or (isinstance(each, Copy) and compiles_alike(value))
        if not any(hop.generic for read in each.dependencies for hop in read.path.hops)
    )


def reads_in_update(using: str) -> bool:
    """Whether an UPDATE is to evaluate the expressions by itself.

    MySQL cannot. MariaDB locks the rows that it reads then, which their writers may hold while they
    wait for this target; at READ COMMITTED a SELECT before it does not.
    """
    if vendor_of(using) == "mysql" and not snapshot_is_old(using):
        return False
    return updates_read_own_table(using)


def prepared(using: str, update: Update, held: Held) -> Update:
    """An UPDATE that evaluates, with its rows locked, and nothing waiting for what it evaluates."""
    if has_row_locks(using) and not held.has(update.target, update.pks):
        update = locked(using, update)
    if (waiting := pending.known(connections[using])) is not None:
        for name, rows in update.anew.items():
            waiting.discard(update.target, rows, (name,))
    return update


def locked(using: str, update: Update) -> Update:
    """Lock the rows, and ask in the same statement which of the values that have left may have been
    the extreme: what is left of the UPDATE.
    """
    if not update.left or must_write(using):
        lock(update.target, using, update.pks)
        return update
    names = sorted({name for row in update.left.values() for name in row})
    asking = Update(update.target, {pk: {} for pk in update.pks}, left=update.left)
    anew = {name: set(pks) for name, pks in update.anew.items()}
    found = flagged("locked", using, asking, names, lambda chosen: locking(chosen.order_by("pk")))
    for pk, name, _ in found:
        anew.setdefault(name, set()).add(pk)
    return Update(update.target, update.deltas, not_flagged(update.joined, found), anew=anew)


def settled(using: str, update: Update) -> Update:
    """The same with values instead of expressions, which one SELECT evaluates; but for those that
    Python does not read as they are.
    """
    target, evaluates = update.target, updates_read_own_table(using)
    names = sorted({*update.anew}.union(*update.left.values()))
    fixed: dict[str, dict[Any, Any]] = defaultdict(dict)
    anew: dict[str, set[Any]] = defaultdict(set)
    found = flagged("settled", using, update, names, reading, evaluates=True)
    for pk, name, value in found:
        if evaluates and not is_read_as_stored(column(target, name), value):
            anew[name].add(pk)
        else:
            fixed[name][pk] = value
    # Rows of which nothing is written are named all the same, as they are counted.
    kept = {pk: update.deltas.get(pk, {}) for pk in update.pks}
    return Update(target, kept, not_flagged(update.joined, found), anew=anew, fixed=fixed)


Flagged = Sequence[tuple[Any, str, Any]]


def flagged(
    what: str,
    using: str,
    update: Update,
    names: Sequence[str],
    reads: Callable[[QuerySet[Any]], QuerySet[Any]],
    evaluates: bool = False,
) -> Flagged:
    """Which fields of which rows are to be evaluated, as one SELECT says: those that are named, and
    those of which a value has left that may have been the extreme. With what they come to, if it
    ``evaluates`` them.
    """

    def select(shape: Shape, given: Params | Values) -> Statement:
        whether, asked_for = asked(shape, given, names)
        values = as_stored(update.target, asked_for, vendor_of(using)) if evaluates else {}
        named = {
            f"_syncfields_{number}": values[name] for number, name in enumerate(names) if values
        }
        flags = {f"_syncfields_is_{number}": whether[name] for number, name in enumerate(names)}
        queryset = reads(chosen_plainly(shape, given)).annotate(**named, **flags)
        return statements.select(queryset.values_list("pk", *named, *flags))

    return [
        (pk, name, row[number] if evaluates else None)
        for pk, row in answers(what, using, update, select)
        for number, (name, is_flagged) in enumerate(zip(names, row[-len(names) :], strict=True))
        if is_flagged
    ]


def not_flagged(joined: Extremes, found: Flagged) -> Extremes:
    """What has joined an extreme that is not evaluated anew."""
    left, evaluated = {pk: dict(row) for pk, row in joined.items()}, defaultdict(set)
    for pk, name, _ in found:
        evaluated[name].add(pk)
    without(left, evaluated)
    return left


def answers(
    what: str, using: str, update: Update, select: Callable[[Shape, Params | Values], Statement]
) -> Iterator[tuple[Any, Row]]:
    """What a SELECT says of the rows of an UPDATE: their primary keys, and the other columns."""
    target, given = update.target, values_of(update)
    shape, width = replace(shape_of(using, update), deltas=()), len(target._meta.pk_fields)
    if compiles(update) and not any(map(is_expression, given.values())):
        found = once((what, shape), lambda: select(shape, Params(target))).rows(**given)
    else:
        found = select(shape, Values(using, update)).rows()
    for row in found:
        yield row[0] if width == 1 else row[:width], row[width:]


def add_numbers(
    using: str, update: Update, cursor: Any = None, returned: tuple[str, ...] = ()
) -> statements.Written | None:
    """The most frequent shape, numbers for the same columns of few rows, asked for without building
    its ``Shape``. None if it is another shape.
    """
    target, pks, deltas = update.target, update.pks, update.deltas
    if len(pks) > PAIR:
        pks = [*pks, *[pks[-1]] * (2 ** (len(pks) - 1).bit_length() - len(pks))]
    names, values, falling = deltas[pks[0]].keys(), {}, set()
    for number, pk in enumerate(pks):
        row = deltas[pk]
        if row.keys() != names:
            return None
        values[f"pk {number}"] = pk
        for name, amount in row.items():
            if type(amount) not in NUMBERS:
                return None
            values[f"{name} {number}"] = amount
            if amount < 0:
                falling.add(name)
    key = ("add", using, target, len(pks), (*names,), frozenset(falling), returned)
    statement = once(key, lambda: of_numbers(using, target, len(pks), names, falling, returned))
    return statement.written(cursor, **values) if statement is not None else None


def of_numbers(
    using: str,
    target: Model,
    number: int,
    names: Iterable[str],
    falling: Collection[str],
    returned: tuple[str, ...],
) -> Statement | None:
    """The statement, unless it needs several columns to find its row."""
    if len(target._meta.pk_fields) > 1:
        return None
    deltas = tuple((name, (True,) * number, name in falling) for name in sorted(names))
    shape = Shape(using, target, number, deltas, returned=returned)
    return build(shape, Params(target))


def add_many(
    using: str, update: Update, cursor: Any = None, returned: tuple[str, ...] = ()
) -> statements.Written | None:
    """Numbers for any number of rows: those to which the same is added are given as one value.
    None if it is another shape.
    """
    target, pks, deltas = update.target, update.pks, update.deltas
    if not takes_as_one(using) or in_lookup(using, target, pks) != Among.lookup_name:
        return None
    alike: dict[str, dict[Any, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for pk in pks:
        for name, amount in deltas[pk].items():
            if type(amount) not in NUMBERS:
                return None
            alike[name][amount].append(pk)
    shapes, values = [], {"pks": pks}
    for name, amounts in sorted(alike.items()):
        is_for_all = len(pks) == sum(map(len, amounts.values()))
        # Rows without an amount fall through to the last branch, which then must add nothing.
        least = len(amounts) + (not is_for_all)
        branches = [*amounts.items()]
        branches += [(0, [])] * (2 ** (least - 1).bit_length() - len(amounts))
        if len(branches) > COMPILED_ROWS:
            return None
        for number, (amount, chosen) in enumerate(branches):
            values |= {f"{name} {number}": amount, f"pks {name} {number}": chosen}
        mask = () if is_for_all and len(amounts) == 1 else (True,) * len(branches)
        shapes.append((name, mask, min(amounts) < 0))
    shape = Shape(using, target, ANY, tuple(shapes), returned=returned)
    return once(shape, lambda: build(shape, Lists(target))).written(cursor, **values)
