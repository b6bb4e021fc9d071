"""Two transactions on a stage: one is stopped before a step of its own, the other then acts.

The step is a statement or the COMMIT. The other one acts to its end, or until the database says
that it waits for a lock; then the first goes on. Done for every step of the first, and then with
the parts exchanged, these are all the orders that matter of two transactions: what is not
committed is seen by nobody, so it only matters before which step of the one the other commits, or
at which step it has to wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from django.db import ProgrammingError, connection, connections, models, transaction

from tests.statements import shape
from tests.truth import drifts

PATIENCE = 60
Act = Callable[[], Any]
Part = Callable[[], Act]
"""A write that can meet another: it loads what it needs, and gives back what it will do then."""


class Actor:
    """A thread with a connection of its own, which can be stopped before any step."""

    def __init__(self, isolation: str | None = None) -> None:
        self.isolation = isolation
        self.thread = ThreadPoolExecutor(1)
        self.steps: list[str] = []
        self.stop_before = 0
        self.said: SimpleQueue[str] = SimpleQueue()
        self.go_on = Event()
        self.result: Future[Exception | None] | None = None
        self.returned: Any = None
        """What the act gave back, if it did not fail."""
        self.connection_id = self.thread.submit(self.connect).result(PATIENCE)

    def connect(self) -> int | None:
        own = connections["default"]
        if self.isolation is not None and own.vendor != "sqlite":
            own.settings_dict = with_isolation(own, self.isolation)
        own.ensure_connection()
        commit = own._commit

        def stopping_commit() -> None:
            self.step("COMMIT")
            commit()

        own._commit = stopping_commit
        own.execute_wrappers.append(self.execute)
        if own.vendor == "sqlite":
            return None
        with own.cursor() as cursor:
            if own.vendor == "postgresql":
                with suppress(ProgrammingError):  # For a superuser only; others wait a second.
                    cursor.execute("SET deadlock_timeout = '20ms'")
                cursor.execute("SELECT pg_backend_pid()")
            else:
                cursor.execute("SELECT connection_id()")
            return cursor.fetchone()[0]

    def execute(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.step(shape(sql))
        return execute(sql, params, many, context)

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self.stop_before:
            self.said.put("stopped")
            assert self.go_on.wait(PATIENCE), "nobody told it to go on"

    def prepare(self, part: Part) -> Act:
        """Let the actor load what it needs, unstopped."""
        self.stop_before = 0
        return self.thread.submit(part).result(PATIENCE)

    def start(self, act: Act, stop_before: int = 0) -> None:
        self.steps, self.stop_before = [], stop_before
        self.said = SimpleQueue()
        self.go_on.clear()
        self.result = self.thread.submit(self.perform, act)

    def perform(self, act: Act) -> Exception | None:
        self.returned = None
        try:
            self.returned = act()
        except Exception as error:  # noqa: BLE001 - the test judges
            return error
        else:
            return None
        finally:
            self.said.put("done")

    def wait(self) -> str:
        """Wait until the actor has stopped or is done."""
        return self.said.get(timeout=PATIENCE)

    def wait_or_meet_lock(self) -> None:
        """Wait until the actor is done, or waits itself for a lock of somebody's."""
        while True:
            try:
                self.said.get(timeout=0.002)
            except Empty:
                if waits_for_lock(self.connection_id):
                    return
            else:
                return

    def outcome(self) -> Exception | None:
        assert self.result is not None
        return self.result.result(PATIENCE)

    def leave(self) -> None:
        self.go_on.set()
        self.thread.submit(connections.close_all).result(PATIENCE)
        self.thread.shutdown()


def with_isolation(own: Any, level: str) -> dict[str, Any]:
    options = {**own.settings_dict["OPTIONS"], "isolation_level": level}
    if own.vendor == "postgresql":
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        options["isolation_level"] = IsolationLevel[level.replace(" ", "_").upper()]
    return {**own.settings_dict, "OPTIONS": options}


# What InnoDB writes of a transaction that waits, with the number of its connection. The tables of
# information_schema would say it more clearly, but are brought up to date ten times a second only.
INNODB_WAITER = re.compile(
    r"^LOCK WAIT (?:(?!^---TRANSACTION).)*?thread id (\d+)", re.MULTILINE | re.DOTALL
)


def waits_for_lock(connection_id: int | None) -> bool:
    """Whether the transaction of a connection is waiting for a lock of another one."""
    if connection.vendor == "sqlite":
        return True  # One writer at a time, and the other one has begun.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s))", [connection_id])
            return cursor.fetchone()[0] > 0
        cursor.execute("SHOW ENGINE INNODB STATUS")
        (_, _, text) = cursor.fetchone()
        return str(connection_id) in INNODB_WAITER.findall(text)


@dataclass
class Scene:
    """What happened."""

    first: list[str]
    stopped: int
    second: list[str]
    outcomes: tuple[Exception | None, Exception | None]
    returned: tuple[Any, Any]

    def __str__(self) -> str:
        before, after = self.first[: self.stopped - 1], self.first[self.stopped - 1 :]
        return "\n".join(
            [
                f"the first stopped after {', '.join(before) or 'nothing'}",
                f"then the second did {', '.join(self.second)}: {self.outcomes[1]!r}",
                f"then the first did {', '.join(after)}: {self.outcomes[0]!r}",
            ]
        )


class Scenery:
    """Rows of some models, put back as they were as often as one likes, by plain SQL."""

    def __init__(
        self,
        build: Callable[[], None],
        *,
        rows: Sequence[type[models.Model]],
        targets: Sequence[type[models.Model]],
    ) -> None:
        self.build = build
        self.models = rows
        self.targets = targets
        self.kept: dict[str, tuple[list[str], list[Any]]] = {}

    def keep(self) -> None:
        quote = connection.ops.quote_name
        with connection.cursor() as cursor:
            for model in self.models:
                table = quote(model._meta.db_table)
                keys = ", ".join(quote(field.column) for field in model._meta.pk_fields)
                cursor.execute(f"SELECT * FROM {table} ORDER BY {keys}")
                columns = [quote(each[0]) for each in cursor.description]
                self.kept[table] = columns, list(cursor.fetchall())

    def put_back(self) -> None:
        if not self.kept:
            self.build()
            self.keep()
        with (
            connection.constraint_checks_disabled(),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            for table in self.kept:
                cursor.execute(f"DELETE FROM {table}")
            for table, (columns, rows) in self.kept.items():
                places = ", ".join([f"({', '.join(['%s'] * len(columns))})"] * len(rows))
                if rows:
                    cursor.execute(
                        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {places}",
                        [value for row in rows for value in row],
                    )

    def forget(self) -> None:
        """All tables are empty again."""
        self.kept = {}

    def wrong(self, returned: Sequence[Any]) -> list[str]:
        """What is not as it has to be, after acts that gave this back."""
        return drifts(*self.targets)


def scenes(first: Actor, second: Actor, parts: Sequence[Part], scenery: Scenery) -> Iterator[Scene]:
    """The second one's part, before each step of the first one's."""
    stop = 1
    while True:
        scenery.put_back()
        act, other_act = first.prepare(parts[0]), second.prepare(parts[1])
        first.start(act, stop_before=stop)
        if first.wait() == "done":
            assert stop > 1, "the first one did nothing"
            return
        second.start(other_act)
        second.wait_or_meet_lock()
        first.go_on.set()
        outcomes = first.outcome(), second.outcome()
        returned = first.returned, second.returned
        yield Scene(first.steps, stop, second.steps, outcomes, returned)
        stop += 1


def play(
    actors: Sequence[Actor],
    scenery: Scenery,
    parts: Sequence[Part],
    is_wrong: Callable[[Exception], bool],
) -> None:
    """All scenes of two parts, in both orders. Every value must be exact after each."""
    wrong = []
    first, second = parts
    for order in [parts] if first is second else [parts, (second, first)]:
        names = " and ".join(part.__name__ for part in order)
        for scene in scenes(*actors, order, scenery):
            found = [repr(each) for each in scene.outcomes if each and is_wrong(each)]
            found += scenery.wrong(scene.returned)
            if found:
                wrong.append("\n".join([f"{names}:", str(scene), *found]))
    assert not wrong, "\n\n" + "\n\n".join(wrong)
