"""The server goes down in the middle of a reconcile, and comes up again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from random import Random

from django.db import InterfaceError, OperationalError, connection

from syncfields import unsynced
from tests.races.refusals import meaning
from tests.races.servers import Server
from tests.races.workers import Target, Told, start
from tests.testapp.models import Book, Shelf

SHELVES = 10_000
PROGRESS = re.compile(r"Shelf: (\d+) of")
RESUME = re.compile(r"manage\.py reconcile (.*)")


def restart(server: Server, seed: int) -> Told:
    """Kill the server while one process reconciles and one writes; then go on."""
    plant()
    total = Told()
    writer, told = start(write(seed))
    first = command("testapp.Shelf")
    for line in progress(first):
        if line >= SHELVES // 3:
            break
    server.stop()
    _, error = first.communicate()
    server.start()
    resumed = RESUME.search(error)
    if resumed is None:
        total.failures.append(f"The command does not say how to resume: {error}")
        resumed = RESUME.match("manage.py reconcile testapp.Shelf")
    assert resumed is not None
    second = command(*resumed[1].split())
    total.counts["rows of the second run"] = max(progress(second), default=0)
    _, error = second.communicate()
    if second.returncode:
        total.failures.append(error)
    told.send("enough")
    total.add(told.recv())
    writer.join()
    return total


def plant() -> None:
    with unsynced():
        found = Shelf.objects.bulk_create((Shelf() for _ in range(SHELVES)), batch_size=1000)
        Book.objects.bulk_create((Book(shelf=each, pages=3) for each in found), batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_shelf SET page_sum = 7")


def command(*arguments: str) -> subprocess.Popen[str]:
    options = ["--batch-size=100", "--verbosity=2"]
    return subprocess.Popen(
        [sys.executable, "-m", "django", "reconcile", *arguments, *options],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def progress(process: subprocess.Popen[str]) -> Iterator[int]:
    """The rows that are done, each time that the command tells."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := PROGRESS.search(line):
            yield int(found[1])


def write(seed: int) -> Target:
    """Write until told that it is enough; a server that is down is asked again."""

    def target(told: Connection) -> None:
        random, found = Random(seed), Told()
        keys = list(Shelf.objects.values_list("pk", flat=True))
        while not told.poll():
            try:
                book = Book.objects.create(shelf_id=random.choice(keys), pages=5)
                book.shelf_id = random.choice(keys)
                book.save()
                found.counts["steps"] += 2
            except (OperationalError, InterfaceError) as error:
                found.counts[meaning(error) or "connection lost"] += 1
                connection.close()
                time.sleep(0.05)
        told.send(found)

    return target
