"""Before, write, after: a change of source rows becomes updates of their targets.

Every write takes the same three steps, whichever way it came: read what the rows contribute, let
the write happen, read again and apply the difference. All of it is one transaction, without a
savepoint of its own. What the engine writes is a change like any other, so that rules that read
synced fields follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from django.db import connections

from syncfields.keep.follows import follow_up, ready, what_follows
from syncfields.keep.keeping import Keeping
from syncfields.keep.together import Together
from syncfields.maintenance.base import Effects, Maintenance
from syncfields.maintenance.changes import NOTHING, Change, Held, Learnt
from syncfields.maintenance.copies import Copy
from syncfields.memory import dropped
from syncfields.memory.given import Given
from syncfields.plan import registry
from syncfields.plan.routes import concerned, route
from syncfields.programs import absent, initial, locking
from syncfields.programs.beforehand import Beforehand, beforehand
from syncfields.programs.contributions import Contributions, ways_of_new
from syncfields.programs.order import goes_both_ways, lock_copied, ranks
from syncfields.sql.along import lock_path
from syncfields.sql.databases import has_row_locks
from syncfields.sql.locks import lock
from syncfields.targets import evaluating, writing
from syncfields.targets.updates import Update, next_target, sorted_pks, take
from syncfields.transactions import pending, scope
from syncfields.transactions.atomic import persistently, together

Result = TypeVar("Result")
Steps: TypeAlias = Callable[[], Iterator[Result]]


def known_before(using: str, instances: Sequence[Any]) -> bool:
    """Whether other rows can refer to keys whose rows are yet to be inserted."""
    for instance in instances:
        if instance.pk is not None:
            return bool(connections[using].features.can_defer_constraint_checks)
    return False


def finish(keeping: Keeping, effects: Effects | None = None) -> None:
    """Write what follows from a write, let it wait, or add it to ``effects``."""
    if keeping.is_over:
        return
    if effects is not None:
        keeping.collect(effects)
    elif keeping.summed is not None and not pending.waits(keeping.connection):
        keeping.write_sums(keeping.summed)
    else:
        held = keeping.held
        if has_row_locks(keeping.using):
            held = held.with_written(keeping.changes, registry.plan().targets.keys())
        cursor = None if keeping.row is None else keeping.row.cursor()
        settle(keeping.connection, keeping.collect, keeping.repairs, held, cursor)


def settle(
    connection: Any,
    collect: Callable[[Effects], None],
    at_once: bool = False,
    held: Held = NOTHING,
    cursor: Any = None,
) -> None:
    """Collect effects, and write them, or let them wait."""
    if not at_once and pending.waits(connection):
        effects = pending.of(connection, apply).effects()
        collect(effects)
        effects.leave_extremes(registry.plan().targets)
        return
    effects = Effects()
    collect(effects)
    apply(connection.alias, effects, held, cursor)


def perform(
    using: str,
    changes: Sequence[Change],
    write: Callable[[], Result],
    held: Held = NOTHING,
    effects: Effects | None = None,
    given: Sequence[Any] = (),
    contributions: Contributions | None = None,
) -> Result:
    """Carry out ``write``, which makes ``changes``, and keep all targets right: at once, or by what
    is added to ``effects``. ``given``: instances that it fills; ``contributions``: what was read
    of the rows when all was locked.
    """
    connection = connections[using]
    steps = steps_of(connection, changes, write, held, effects, contributions)
    if steps is None:
        return write()
    if (suspension := scope.suspended()) is not None:
        return suspension.watch(using, concerned(changes), changes, write)
    return persistently(
        connection, partial(whole, steps), [*(each.learnt for each in changes), Given(given)]
    )


def insert(
    using: str, change: Change, instances: Sequence[Any], write: Callable[[], Result]
) -> Result:
    """Insert targets: their synced fields start at the values of their expressions."""
    connection = connections[using]
    attempt = partial(whole, steps_of_insert(connection, change, instances, write))
    return persistently(connection, attempt, [change.learnt, Given(instances)])


def steps_of(
    connection: Any,
    changes: Sequence[Change],
    write: Callable[[], Result],
    held: Held = NOTHING,
    effects: Effects | None = None,
    contributions: Contributions | None = None,
    cursor: Any = None,
    asked: Beforehand | None = None,
) -> Steps[Result] | None:
    """The steps of a write, to be begun inside a transaction: what ``write`` gives is yielded, and
    then comes what follows from it. None where no rule is concerned.
    """
    found = route(changes[0])
    maintenances = found.maintenances if len(changes) == 1 else concerned(changes)
    if not maintenances:
        return None

    meeting = absent.meeting(connection.alias, changes[0], write)

    def steps() -> Iterator[Result]:
        keeping = Keeping(
            *(connection, changes, None, maintenances, held, found, contributions, cursor, asked)
        )
        keeping.before()
        changes[0].learnt.cursor = keeping.opened()
        yield meeting()
        finish(keeping, effects)

    return steps


def steps_of_insert(
    connection: Any, change: Change, instances: Sequence[Any], write: Callable[[], Result]
) -> Steps[Result]:
    """As ``steps_of()``, for new targets."""
    using: str = connection.alias

    def steps() -> Iterator[Result]:
        asked = beforehand(using, change, ways_of_new(change))
        start = initial.Start(using, change, instances, asked)
        held = locking.lock(connection, change, start) or NOTHING
        cursor = connection.cursor() if start.reading else None
        late = start.finish(held, cursor)
        late += of_absent(using, change, instances, late, held)
        if late and not held.complete and leads_back(connection, change):
            lock_copied(using, [change], inserts=True)
        others = steps_of(connection, [change], write, held, cursor=cursor, asked=asked)
        if others is None:
            yield absent.meeting(using, change, write)()
        else:
            yield from others()
        held = held.with_written([change], registry.plan().targets.keys()) if late else held
        for maintenance in late:
            evaluate(using, maintenance, set(change.learnt.pks), held)
            for instance in instances:
                dropped.drop(instance, maintenance.values, using)

    return steps


def leads_back(connection: Any, change: Change) -> bool:
    """Whether others may lock new rows and what these copy from in another order."""
    return connection.vendor == "mysql" or goes_both_ways(change.model)


def of_absent(
    using: str,
    change: Change,
    instances: Sequence[Any],
    late: Collection[Maintenance],
    held: Held = NOTHING,
) -> list[Maintenance]:
    """What new rows begin with that is read of rows that may have been absent, and come since."""
    if held.complete or not has_row_locks(using):
        return []
    unsure = [
        each
        for each in registry.plan().targets.get(change.model, ())
        if each not in late and not all(absent.tells(each, instance) for instance in instances)
    ]
    found = absent.uncertain(using, change, unsure, held.rows)
    absent.leave_out(using, [change], found, held.rows)
    return found


def whole(steps: Steps[Result]) -> Result:
    """Take all steps, one right after the other."""
    begun = steps()
    result = next(begun)
    next(begun, None)
    return result


def apply(using: str, effects: Effects, held: Held = NOTHING, cursor: Any = None) -> None:
    """Write the effects to the targets, table after table, with all that follows from that; some
    rows are ``held``.
    """
    plan, waiting = registry.plan(), Together(using, effects, held, cursor)
    while (target := next_target(effects, plan)) is not None or waiting.updates:
        if target is None or target in waiting.barred:
            waiting.write()
            continue
        taken = take(effects, plan, target, is_by_itself)
        if taken is None or (waiting.is_possible and waiting.takes(taken)):
            continue
        if target in waiting.read_by:
            waiting.write()
        if isinstance(taken, Update):
            write(using, taken, effects, held, cursor)
        else:
            recompute(using, *taken, held, effects)


def is_by_itself(maintenance: Maintenance) -> bool:
    """Whether the rows of a maintenance must be compared before they are written: what is touched
    tells which of them have changed, and what a fixture lacks is left as it is.
    """
    return scope.loading() or maintenance.is_touching


def write(using: str, update: Update, effects: Effects, held: Held, cursor: Any = None) -> None:
    """Write to the rows of one target model; what reads them is added to ``effects``."""
    is_locked = update.evaluates
    if is_locked:
        update = writing.prepared(using, update, held)
        if update.is_empty:  # No value that has left was the extreme.
            return
    if (found := ready(using, update)) is not None:
        (statement, follows), values = found
        outcome = evaluating.outcome(using, update, statement.written_with(values, cursor))
        if follows is not None:
            follow_up(using, update, follows, outcome, effects, held)
        return
    follows = what_follows(using, update)
    if follows is None:
        evaluating.write(using, update, cursor)
        return
    keeping = None
    if follows.others:
        written = Learnt(update.pks, follows.columns, locked=is_locked)
        change = Change(update.target, "update", written)
        keeping = Keeping(connections[using], [change], None, follows.others, held)
        keeping.before()
    outcome = evaluating.write(using, update, cursor, follows.returned)
    if keeping is not None:
        keeping.collect(effects)
    follow_up(using, update, follows, outcome, effects, held)


def evaluate(using: str, maintenance: Maintenance, pks: set[Any], held: Held = NOTHING) -> None:
    """Evaluate anew what was not followed step by step, with all that copies read locked: what new
    rows begin with may be ``held``.
    """
    with together(connections[using]):
        paths = [each.path for each in maintenance.dependencies]
        if not isinstance(maintenance, Copy):
            paths = list(dict.fromkeys(path.forwards for path in paths))
        for path in paths if not held.complete else ():
            lock_path(path, using, pks, ranks())
        recompute(using, maintenance, pks, held)


def recompute(
    using: str,
    maintenance: Maintenance,
    pks: set[Any],
    held: Held = NOTHING,
    effects: Effects | None = None,
) -> None:
    """Evaluate the rules of a maintenance anew for the targets ``pks``; what reads them is added
    to ``effects``, or follows at once.
    """
    with together(connections[using]):
        if not held.has(maintenance.target, pks):
            lock(maintenance.target, using, pks)
        if (waiting := pending.known(connections[using])) is not None:
            waiting.discard(maintenance.target, pks, maintenance.values.keys())
        columns = evaluating.written(maintenance.target, frozenset(maintenance.values))
        learnt = Learnt(sorted_pks(pks), columns, locked=True)
        change = Change(maintenance.target, "update", learnt)

        def write() -> None:
            evaluating.evaluate(using, maintenance, learnt.pks)

        perform(using, [change], write, held, effects)


def in_plan_order(
    touched: Mapping[tuple[str, Maintenance], set[Any]],
) -> list[tuple[tuple[str, Maintenance], set[Any]]]:
    position = registry.plan().position
    return sorted(
        (item for item in touched.items() if item[1]), key=lambda item: position[item[0][1]]
    )
