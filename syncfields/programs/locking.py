"""What is foreseen of the write of a row, or of new ones (``foresight.py``), locked before it.

PostgreSQL is sent one statement (``chained.py``). MariaDB and MySQL are sent a locking SELECT for
each table (``by_table.py``); MariaDB one for all, where each has one row (``joined.py``). The rows
that an ``update()`` or a DELETE is about to write are locked with what it will touch
(``several.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncfields.declare.paths import Model
from syncfields.maintenance.changes import Change, Held
from syncfields.programs import initial, joined
from syncfields.programs.by_table import lock_each, names_read
from syncfields.programs.chained import lock_chained
from syncfields.programs.chosen import Asking
from syncfields.programs.foresight import Foresight, Named, Starts, Step, foresight
from syncfields.sql import meetings
from syncfields.sql.blocks import can_read_both
from syncfields.sql.holding import UNKNOWN, holding_of
from syncfields.sql.locks import must_write
from syncfields.transactions import pending, scope


def lock(
    connection: Any,
    change: Change,
    start: initial.Start | None = None,
    asking: Asking | None = None,
) -> Held | None:
    """Lock all that the write of a row, or of new rows, will touch, these themselves apart. None,
    and nothing is locked, where that is not to be foreseen, or not needed.

    ``start``: what the synced fields of new rows begin with is read, and locked with it.
    ``asking``: what else is to be read of them, which is answered where it can be.
    """
    using = connection.alias
    if not may_lock(connection) or change.inserted:
        return None
    if not (change.is_single or (change.kind == "insert" and not change.partial)):
        return None
    if change.kind != "insert" and len(change.learnt.former) != 1:
        return None
    found = foresight(using, change, Starts.of(start))
    if found is None or (keys := named_keys(using, change, found.steps)) is None:
        return None
    if not any(keys.values()):  # Or there are no steps.
        return None
    is_postgresql = connection.vendor == "postgresql"
    if start is not None:
        asking = start.asked if start.is_of_one or is_postgresql else None
    elif not (is_postgresql or can_read_both(using)):
        asking = None
    if is_postgresql:
        several = start is not None and not start.is_of_one
        held = lock_chained(using, found, keys, asking, several=several)
        if lacks_any(using, keys, held):
            held = lock_chained(using, found, keys, asking, several=several)
    else:
        at_once = lock_joined(using, change, found, start, asking)
        held = at_once or lock_each(using, found, keys, start, asking)
    are_there = all(pks.issubset(held.rows[model]) for model, pks in keys.items())
    # Rows that nobody has named may refer to one that was there before.
    return replace(held, complete=held.complete and are_there and not change.unordered)


def lacks_any(using: str, keys: Mapping[Model, set[Any]], held: Held) -> bool:
    """Whether rows of these keys were absent. Those who insert them by now were waited for."""
    lacking = {model: pks.difference(held.rows[model]) for model, pks in keys.items()}
    for model, pks in lacking.items():
        meetings.wait(using, model, model._meta.pk.attname, pks)
    return any(lacking.values())


def lock_joined(
    using: str,
    change: Change,
    found: Foresight,
    start: initial.Start | None,
    asking: Asking | None,
) -> Held | None:
    """Lock one row of each table by one statement, or two; None where there are more, or it would
    take a statement more than one for each table, the last of which says what a new row begins
    with.
    """
    steps, asks = (*found.steps, *found.last), start is not None and bool(start.reading)
    apart = asks and not can_read_both(using)
    keys = named_keys(using, change, steps)
    if keys is None or len(found.steps) < 1 + apart or not joined.fits(using, steps, keys):
        return None
    more = {} if start is None else start.columns()
    return joined.lock(using, steps, found.whole, keys, names_read(steps, more), asking)


def may_lock(connection: Any) -> bool:
    """Whether what follows from a write is to be locked before it."""
    return (
        connection.features.has_select_for_update
        and not must_write(connection.alias)
        and not pending.waits(connection)
        and not scope.loading()
    )


def named_keys(using: str, change: Change, steps: Sequence[Step]) -> dict[Model, set[Any]] | None:
    """The keys that the written row holds and is going to hold; None where these are unknown."""
    found: dict[Model, set[Any]] = {}
    for step in steps:
        keys = [key for each in step.named for key in keys_in(using, change, each)]
        if UNKNOWN in keys:
            return None
        found[step.model] = set(keys) - {None}
    return found


def keys_in(using: str, change: Change, named: Named) -> Iterator[Any]:
    name = named.column
    is_written = change.kind == "insert" or (change.kind == "update" and change.writes((name,)))
    for row in change.rows if is_written else ():
        holds = holding_of(using, change.model, name)
        yield holds(row[name]) if name in row else UNKNOWN
    if not (is_written and named.as_written):
        own = change.model._meta.pk.attname
        for row in change.learnt.former:
            yield change.learnt.pks[0] if name == own else row.get(name, UNKNOWN)
