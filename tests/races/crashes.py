"""Processes that are killed, by SIGKILL, while they write or reconcile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from django.db import connection

from syncfields import reconcile, unsynced
from tests.races.workers import Load, Target, Told, Work, start
from tests.testapp.models import Book, Shelf

LIFE = (0.0, 0.1)
"""How long a process may work, in seconds, after its first transaction."""


@dataclass(slots=True)
class Victim:
    process: Any
    told: Connection
    end: float | None = None
    """When it is killed; None as long as it has done nothing."""


def crash(load: Load, processes: int, kills: int) -> Told:
    """Kill processes at random moments; others go on, and new ones come."""
    random, total = Random(load.seed), Told()
    # What is compiled once need not be compiled by each of them.
    warm_up = time.monotonic() + 2
    total.add(Work(load, 0).run(lambda: time.monotonic() < warm_up))
    born = count(1)

    def victim() -> Victim:
        return Victim(*start(writing(load, next(born))))

    alive = [victim() for _ in range(processes)]
    while total.counts["kills"] < kills and not total.failures:
        for number, each in enumerate(alive):
            if each.told.poll():
                told = each.told.recv()
                if isinstance(told, Told):  # It ended by itself, because something went wrong.
                    total.add(told)
                    alive[number] = victim()
                else:
                    total.counts["steps"] += told
                    total.counts["transactions"] += 1
                    each.end = each.end or time.monotonic() + random.uniform(*LIFE)
            elif each.end is not None and time.monotonic() >= each.end:
                kill(each.process)
                total.counts["kills"] += 1
                alive[number] = victim()
        time.sleep(0.001)
    for each in alive:
        kill(each.process)
    return total


def kill(process: Any) -> None:
    process.kill()
    process.join()


def writing(load: Load, number: int) -> Target:
    def target(told: Connection) -> None:
        work = Work(load, number)
        done = 0

        def going_on() -> bool:
            nonlocal done
            if work.told.counts["steps"] > done:
                told.send(work.told.counts["steps"] - done)
                done = work.told.counts["steps"]
            return not work.told.healed

        told.send(work.run(going_on))

    return target


def crash_reconcile(load: Load, kills: int, shelves: int = 1000) -> Told:
    """Kill reconcile while it repairs; the next one goes on with what is left."""
    random, total = Random(load.seed), Told()
    with unsynced():
        found = Shelf.objects.bulk_create(Shelf() for _ in range(shelves))
        Book.objects.bulk_create(Book(shelf=shelf, pages=3) for shelf in found)

    def target(told: Connection) -> None:
        told.send("begun")
        reconcile(Shelf, batch_size=20)

    for _ in range(kills):
        with connection.cursor() as cursor:
            # Some again, so that there is always something to do.
            cursor.execute("UPDATE testapp_shelf SET page_sum = 7 WHERE id % 3 = 0")
        process, told = start(target)
        told.recv()
        time.sleep(random.uniform(*LIFE))
        kill(process)
        total.counts["kills of reconcile"] += 1
    if kills:
        connection.close()
    reconcile()
    return total
