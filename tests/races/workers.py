"""Processes that write, each with its own connection, and what they tell when they are done."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from django.db import connection, connections, transaction

from syncfields import coalesce, unsynced
from syncfields.signals import drift_found
from tests import databases
from tests.races.operations import Event, Writer
from tests.races.refusals import TRANSIENT, meaning

# Processes and not threads: each has its own connection, and can be killed. Forked, because the
# models are then there at once; connections are closed before.
forking = multiprocessing.get_context("fork")


Value = tuple[str, Any]
"""A rule's label and the primary key of a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What each process does, and how."""

    worlds: list[str]
    seed: int = 0
    autocommit: float = 0.4
    """The share of transactions that are one write; the others have several."""
    acts: tuple[str, ...] = ()
    """The operations, by name; all of them if none is given."""
    without: bool = False
    """Without the library: what the database and Django do by themselves."""


@dataclass(slots=True)
class Told:
    """What a process tells at the end."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """How long each transaction took."""
    failures: list[str] = field(default_factory=list)
    """Exceptions that should not have happened."""
    events: Counter[Event] = field(default_factory=Counter)
    """What it has committed that tallies count."""
    healed: list[str] = field(default_factory=list)
    """Values that a write found wrong, and repaired."""
    reported: Counter[Value] = field(default_factory=Counter)
    """Values that a write or reconcile found wrong."""
    planted: Counter[Value] = field(default_factory=Counter)
    """Values that were made wrong."""
    examples: list[str] = field(default_factory=list)
    """Some exceptions that may happen."""

    def add(self, other: Told) -> None:
        self.counts += other.counts
        self.seconds += other.seconds
        self.failures += other.failures
        self.events += other.events
        self.healed += other.healed
        self.reported += other.reported
        self.planted += other.planted
        self.examples += other.examples


class UndoError(Exception):
    """Rolls a block back."""


class Work:
    """Transactions, one after the other."""

    def __init__(self, load: Load, number: int) -> None:
        self.random = Random(f"{load.seed} {number}")
        self.load = load
        self.told = Told()
        self.writer = Writer(load.worlds, self.random, load.acts)
        self.doing = ""

    def run(self, going_on: Callable[[], bool]) -> Told:
        drift_found.connect(self.found)
        with unsynced() if self.load.without else nullcontext():
            while going_on() and not self.told.failures:
                started = time.perf_counter()
                self.one()
                self.told.seconds.append(time.perf_counter() - started)
        drift_found.disconnect(self.found)
        return self.told

    def found(self, rule: str, drifts: Any, **kwargs: Any) -> None:
        self.told.reported.update((rule, each.pk) for each in drifts)
        self.told.healed.append(f"{rule}: {drifts!r}, found by {self.doing}")

    def one(self) -> None:
        self.writer.events.clear()
        try:
            steps = self.single() if self.random.random() < self.load.autocommit else self.block()
            self.told.counts["steps"] += steps
            self.told.counts["transactions"] += 1
            self.told.events.update(self.writer.events)
        except Exception as error:  # noqa: BLE001 - told to the one who started the process
            name = meaning(error)
            self.told.counts[name or "failure"] += 1
            self.told.counts[f"{name} in {self.doing}"] += 1
            text = "".join(traceback.format_exception(error))
            if name is None:
                self.told.failures.append(text)
            elif name in TRANSIENT and len(self.told.examples) < 5:
                self.told.examples.append(f"{name} in {self.doing}\n{text}")

    def single(self) -> int:
        self.doing = "autocommit: "
        self.step()
        return 1

    def step(self) -> None:
        act = self.writer.choose()
        self.doing += f"{act.__name__} "
        act()

    def block(self) -> int:
        """Several writes, some of them in savepoints; now and then all is rolled back."""
        waiting = self.random.random() < 0.25
        self.doing = "coalesce: " if waiting else "atomic: "
        steps = 0
        with suppress(UndoError), coalesce() if waiting else transaction.atomic():
            for _ in range(self.random.randint(1, 4)):
                steps += self.savepoint() if self.random.random() < 0.35 else self.single_in_block()
            if self.random.random() < 0.15:
                raise UndoError
            return steps
        self.writer.events.clear()
        return 0

    def single_in_block(self) -> int:
        self.step()
        return 1

    def savepoint(self) -> int:
        steps, events = self.random.randint(1, 2), len(self.writer.events)
        with refusals_pass(), transaction.atomic():
            for _ in range(steps):
                self.step()
            if self.random.random() < 0.4:
                raise UndoError
            return steps
        del self.writer.events[events:]
        return 0


@contextmanager
def refusals_pass() -> Iterator[None]:
    """Go on after a savepoint that was rolled back, by choice or because it had to be."""
    try:
        yield
    except UndoError:
        pass
    except Exception as error:
        if meaning(error) != "refused":
            raise


Target = Callable[[Connection], None]
"""What a process does; it tells what it found by its end of a pipe."""

Other = Callable[[float], Target]
"""What a process does until the given time."""


def start(target: Target) -> tuple[Any, Connection]:
    """A process that runs ``target``, and the other end of its pipe."""
    connections.close_all()
    here, there = forking.Pipe()
    process = forking.Process(target=carried_out, args=(target, there), daemon=True)
    process.start()
    there.close()
    return process, here


def carried_out(target: Target, told: Connection) -> None:
    prepare()
    try:
        target(told)
    except Exception as error:  # noqa: BLE001 - told to the one who started the process
        told.send(Told(failures=["".join(traceback.format_exception(error))]))
    connections.close_all()


def prepare() -> None:
    """Wait for locks as long as it takes others to write, and notice a deadlock soon."""
    if connection.vendor == "sqlite" or databases.POOLED:
        return  # What is set for a session would be met by others of the pool.
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 10")
            return
        cursor.execute("SET lock_timeout = '10s'")
        # Only a superuser may: others wait the usual second.
        cursor.execute(
            "SELECT set_config('deadlock_timeout', '50ms', false)"
            " WHERE current_setting('is_superuser') = 'on'"
        )


def race(load: Load, processes: int, seconds: float, others: Sequence[Other] = ()) -> Told:
    """Let processes write at the same time, for so many seconds, and others do something else."""
    end = time.monotonic() + seconds

    def work(number: int) -> Target:
        def target(told: Connection) -> None:
            told.send(Work(load, number).run(lambda: time.monotonic() < end))

        return target

    targets = [*map(work, range(processes)), *(other(end) for other in others)]
    return gathered([start(each) for each in targets])


def gathered(started: list[tuple[Any, Connection]]) -> Told:
    total = Told()
    for process, told in started:
        try:
            total.add(told.recv())
        except EOFError:
            process.join()
            total.failures.append(f"A process ended with {process.exitcode} and told nothing.")
        process.join()
    return total
