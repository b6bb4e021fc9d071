r"""``python -m tests.races``: processes that write at the same time, and what came of it.

    python -m tests.races --database postgresql --seconds 30 --processes 4 --seed 7 \
        --isolation "repeatable read" --apply commit

It exits with 1 if any stored value is wrong, or if any exception was raised that is not the
database's answer to a conflict.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from random import Random
from statistics import quantiles
from types import SimpleNamespace
from typing import Any

import django

from tests import databases
from tests.races import servers

COUNTS = (
    "steps",
    "transactions",
    "refused",
    "deadlock",
    "lock time-out",
    "serialization error",
    "kills",
    "kills of reconcile",
    "runs of reconcile",
    "connection lost",
    "rows of the second run",
)
BROKEN = ("locks", "memory", "transactions")
ISOLATION = ("read committed", "repeatable read", "serializable")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("--database", choices=databases.NAMES, default="sqlite")
    parser.add_argument("--name", help="a database that exists, with its tables empty")
    parser.add_argument("--isolation", choices=ISOLATION, default=ISOLATION[0])
    parser.add_argument("--apply", choices=("immediately", "commit"), default="immediately")
    parser.add_argument("--broken", choices=BROKEN, help="break the engine first")
    parser.add_argument("--without", action="store_true", help="write without the library")
    parser.add_argument("--worlds", nargs="*", help="parts of the zoo; all of them if not given")
    parser.add_argument("--acts", nargs="*", default=(), help="only these operations")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--autocommit", type=float, default=0.4, help="share of single writes")
    parser.add_argument("--kills", type=int, help="kill so many processes while they write")
    parser.add_argument("--reconcile", action="store_true", help="reconcile at the same time")
    parser.add_argument(
        "--restart", action="store_true", help="kill a private server while it is reconciled"
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("--examples", action="store_true", help="print some of the conflicts")
    return parser.parse_args(arguments)


def configure(options: argparse.Namespace) -> None:
    os.environ["SYNCFIELDS_TEST_DATABASE"] = options.database
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    from tests import settings

    tracking = "memory" if options.broken == "memory" else "database"
    settings.SYNCFIELDS = {"APPLY": options.apply, "TRACKING": tracking}
    default = settings.DATABASES["default"]
    if options.database == "mariadb":
        default["OPTIONS"]["isolation_level"] = options.isolation
    elif options.database == "postgresql":
        from psycopg import IsolationLevel

        level = IsolationLevel[options.isolation.replace(" ", "_").upper()]
        default["OPTIONS"]["isolation_level"] = level
    if options.name:
        default["NAME"] = options.name
    else:
        name = f"test_syncfields_races{databases.SUFFIX}"
        default["TEST"]["NAME"] = (
            str(databases.FOLDER / f"{name}.sqlite3") if options.database == "sqlite" else name
        )
    if options.restart:  # Other commands will look for it there.
        default["TEST"]["NAME"] = default["NAME"]
    django.setup()


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        with private(options) as server:
            outcome = judged(options, server)
    except servers.MissingError as missing:
        outcome = {"skipped": str(missing)}
    print(json.dumps(outcome) if options.json else as_text(outcome))
    return int(any(outcome.get(name) for name in ("failures", "healed", "drift")))


@contextmanager
def private(options: argparse.Namespace) -> Iterator[servers.Server | None]:
    """A server of its own, where it is to be killed."""
    if not options.restart:
        yield None
        return
    with servers.running(servers.SERVERS[options.database]()) as server:
        variable, _ = databases.SERVERS[options.database]
        os.environ[variable] = server.url
        yield server


def judged(options: argparse.Namespace, server: servers.Server | None) -> dict[str, Any]:
    configure(options)
    from django.db import connection

    if options.name:
        return run(options, server)
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        return run(options, server)
    finally:
        connection.creation.destroy_test_db(None, verbosity=0)


def run(options: argparse.Namespace, server: servers.Server | None) -> dict[str, Any]:
    from django.db import connection

    from syncfields.transactions import atomic
    from tests.races import crashes, live, restarts, workers, worlds
    from tests.races.verdict import drift, miscounted, settle, totals

    chosen = options.worlds or list(worlds.WORLDS)
    load = workers.Load(
        worlds=chosen,
        seed=options.seed,
        autocommit=options.autocommit,
        acts=tuple(options.acts),
        without=options.without,
    )
    worlds.clear()
    worlds.populate(chosen, Random(options.seed))
    if options.broken in ("locks", "transactions"):
        # Then Django asks for none, and the library, which asks Django, has none.
        connection.features.has_select_for_update = False
    if options.broken == "transactions":
        atomic.transaction = SimpleNamespace(atomic=lambda **options: nullcontext())
    wrong: list[str] = []
    before, quiet = totals(), None
    started = time.monotonic()
    if options.kills:
        told = crashes.crash(load, options.processes, options.kills)
        # Before reconcile repairs what was found here.
        settle()
        wrong += drift(worlds.models_of(chosen))
        told.add(crashes.crash_reconcile(load, options.kills // 10))
    elif server is not None:
        told = restarts.restart(server, options.seed)
    elif options.reconcile:
        quiet = workers.race(load, options.processes, options.seconds / 2)
        told = live.race(load, options.processes, options.seconds / 2)
    else:
        told = workers.race(load, options.processes, options.seconds)
    seconds = time.monotonic() - started
    settle()
    if options.reconcile:
        live.repair(told)
    wrong += drift(worlds.models_of(chosen))
    if not (options.kills or options.without or server):  # Who is killed tells nothing.
        wrong += miscounted(before, told.events if quiet is None else told.events + quiet.events)
    worlds.clear()
    outcome = {
        **{name: told.counts[name] for name in COUNTS},
        "events": told.events.total(),
        "steps per second": round(told.counts["steps"] / seconds),
        "conflicts": [f"{n} {each}" for each, n in told.counts.most_common() if " in " in each],
        "failures": told.failures,
        "healed": told.healed,
        "drift": wrong,
        "examples": told.examples if options.examples else [],
    }
    if quiet is not None:
        outcome["writers' seconds, alone"] = latency(quiet)
        outcome["writers' seconds, reconcile running"] = latency(told)
        outcome["planted"] = told.planted.total()
        outcome["repaired"] = told.reported.total()
        # What was planted may be found by a write, which then says so.
        outcome["healed"] = [str(each) for each in told.reported - told.planted]
    return outcome


def latency(told: Any) -> str:
    *_, median = quantiles(told.seconds, n=2)
    *_, most = quantiles(told.seconds, n=20)
    return f"p50 {median:.3f}, p95 {most:.3f}"


def as_text(outcome: dict[str, Any]) -> str:
    lines = []
    for name, value in outcome.items():
        if isinstance(value, list):
            lines += [f"{name}: {len(value)}", *(f"  {each}" for each in value[:20])]
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
