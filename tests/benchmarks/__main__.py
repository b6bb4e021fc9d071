"""`python -m tests.benchmarks`: measure all ways of keeping a count and a copy.

Without options that choose, the results are written to docs/benchmarks.md and docs/benchmarks.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests import databases
from tests.benchmarks import chart, contention, measure, report, scale
from tests.benchmarks.contestants import CONTESTANTS, HUB, HUB_BULK, HUB_SINGLE
from tests.benchmarks.results import Measured
from tests.benchmarks.worker import Worker
from tests.benchmarks.workloads import WORKLOADS

DOCS = Path(__file__).parents[2] / "docs"
QUICK = 3
MANY = 10_000_000
PARTS = ("contention", "hub_contention", "scale")


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    chosen = bool(options.database or options.workload or options.contestant or options.quick)
    measured = []
    for database in options.database or databases.NAMES:
        with measure.working(database, taking_part(options)) as (workers, absent):
            if "none" not in workers:
                print(f"{database} did not answer, so not used: {absent['none']}")
                continue
            found = Measured(database, workers["none"]("version"), absent)
            run(found, workers, options)
            measured.append(found)
    folder = options.output or (None if chosen else DOCS)
    if folder and measured:
        command = " ".join(["python -m tests.benchmarks", *arguments])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "benchmarks.md").write_text(report.write(measured, startup(), command), "utf-8")
        (folder / "benchmarks.svg").write_text(chart.draw(measured), "utf-8")
        print(f"\nWritten: {folder}/benchmarks.md and benchmarks.svg")
    return 0


def taking_part(options: argparse.Namespace) -> list[str]:
    """The hub has contestants of its own, and each a process, which is started if it is wanted."""
    wanted = wanted_of(options)
    on_hub = {*HUB_SINGLE, *HUB_BULK, "hub_contention"}
    names = dict.fromkeys(["none", "sql", "hub_none", *(options.contestant or CONTESTANTS)])
    return [
        name
        for name in names
        if name == "none" or (wanted & on_hub if name in HUB else wanted - on_hub)
    ]


def wanted_of(options: argparse.Namespace) -> set[str]:
    return set(options.workload or [*WORKLOADS, *PARTS])


def run(found: Measured, workers: dict[str, Worker], options: argparse.Namespace) -> None:
    wanted = wanted_of(options)
    print(f"\n{found.name} {found.version}")
    for name, reason in found.absent.items():
        print(f"  {name}: not available: {reason}")
    for name, workload in WORKLOADS.items():
        if name in wanted and found.name in workload.databases:
            run_workload(found, workers, name, options)
    shapes = [*contention.RUNS] if "contention" in wanted else []
    shapes = [shape for shape in shapes if shape != "hub"]
    shapes += ["hub"] if "hub_contention" in wanted else []
    seconds = options.seconds or (0.3 if options.quick else 0.7)
    found.contention += printed(contention.run(found.name, workers, seconds, shapes))
    if "scale" in wanted:
        found.rows += printed(scale.rows(workers, scale.SOURCES, 5))
        found.rules += printed(scale.rules(workers, 5))
    if options.scale and found.name == "postgresql" and "syncfields" in workers:
        reconcile = (workers["syncfields"]("reconcile_many", MANY, each) for each in (1000, 1))
        found.reconciled += printed(reconcile)


def run_workload(
    found: Measured, workers: dict[str, Worker], name: str, options: argparse.Namespace
) -> None:
    workload, start = WORKLOADS[name], time.perf_counter()
    size = workload.size
    if options.quick and not workload.each:
        size //= 10
    found.sizes[name] = size
    repetitions = workload.repetitions
    if options.quick:
        repetitions = QUICK
    elif found.name == "mariadb":  # it waits for the disk at each COMMIT
        repetitions = max(QUICK, repetitions - 2)
    found.cells[name] = measure.run(workers, name, size, repetitions)
    print(f"\n{workload.title} ({size:,})  [{time.perf_counter() - start:.1f} s]")
    for contestant, cell in found.cells[name].items():
        show(contestant, cell)
    for contestant in options.profile or ():
        print(f"\n{contestant}:\n{workers[contestant]('profile', name, size)}")


def printed(values: Iterable[Any]) -> Iterator[Any]:
    for each in values:
        print(f"  {each}", flush=True)
        yield each


def startup() -> dict[str, Any]:
    """In a process of its own, which has imported nothing."""
    command = [sys.executable, "-m", "tests.benchmarks.startup"]
    environment = {name: value for name, value in os.environ.items() if "SETTINGS" not in name}
    done = subprocess.run(command, check=True, capture_output=True, env=environment)
    return dict(json.loads(done.stdout))


def show(contestant: str, cell: measure.Cell) -> None:
    ratio = f"{cell.ratio:8.2f}" if cell.ratio is not None else "       -"
    own = f"({cell.own_ratio:5.2f})" if cell.own_ratio is not None else "       "
    micro = f"{cell.microseconds:10.1f} µs" if cell.seconds else ""
    sent = " ".join(f"{n:g} {verb}" for verb, n in cell.statements.items())
    memory = f"{cell.memory:.1f} MB" if cell.memory is not None else ""
    wrong = f"WRONG: {cell.wrong}" if cell.wrong else ""
    print(
        f"  {contestant:18}{ratio} {own} {micro} {memory:>9}  {sent}  {wrong} {cell.note}",
        flush=True,
    )


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Printed: ratio, (ratio of the client's own CPU time), time of one operation, peak "
        "memory, statements.",
    )
    choose = {"action": "append", "help": "only this; can be given several times"}
    result.add_argument("--database", choices=databases.NAMES, **choose)
    result.add_argument("--workload", choices=[*WORKLOADS, *PARTS], **choose)
    result.add_argument("--contestant", choices=CONTESTANTS, **choose)
    result.add_argument("--quick", action="store_true", help="a tenth of the rows, 3 repetitions")
    result.add_argument(
        "--scale",
        action="store_true",
        help="also reconcile a million targets of ten million rows, on PostgreSQL",
    )
    result.add_argument(
        "--profile", action="append", choices=CONTESTANTS, help="where its time goes, by function"
    )
    result.add_argument(
        "--seconds",
        type=float,
        help="how long several processes write at once; on the hub, ten times as long",
    )
    result.add_argument("--output", type=Path, help="a folder for the report, instead of docs/")
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
