"""`python -m tests.benchmarks`: measure all ways of keeping a count and a copy."""

from __future__ import annotations

import argparse
import sys
import time

from tests import databases
from tests.benchmarks import contention, measure, scale
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.workloads import WORKLOADS


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    for database in options.database or databases.NAMES:
        names = options.contestant or list(CONTESTANTS)
        names = list(dict.fromkeys(["none", "sql", *names]))
        with measure.working(database, names) as (workers, absent):
            print(f"\n{database}")
            for name, reason in absent.items():
                print(f"  {name}: not available: {reason}")
            for name in WORKLOADS:
                if options.workload and name not in options.workload:
                    continue
                workload = WORKLOADS[name]
                size = (options.full and workload.full) or workload.size
                if options.quick and not workload.each:
                    size //= 10
                start = time.perf_counter()
                repetitions = 3 if options.quick else 9 if workload.each else 5
                cells = measure.run(workers, name, size, repetitions)
                print(f"\n{workload.title} ({size:,})  [{time.perf_counter() - start:.1f} s]")
                for contestant, cell in cells.items():
                    show(contestant, cell)
            if not options.workload or "contention" in options.workload:
                for each in contention.run(database, workers, 0.5 if options.quick else 1.0):
                    print(f"  {each}", flush=True)
            if not options.workload or "scale" in options.workload:
                for each in scale.rows(workers, scale.SOURCES, 5):
                    print(f"  {each}", flush=True)
                for each in scale.rules(workers, 5):
                    print(f"  {each}", flush=True)
    return 0


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
    result = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    result.add_argument("--database", action="append", choices=databases.NAMES)
    result.add_argument("--workload", action="append", choices=[*WORKLOADS, "contention", "scale"])
    result.add_argument("--contestant", action="append", choices=CONTESTANTS)
    result.add_argument("--quick", action="store_true", help="a tenth of the rows, 3 repetitions")
    result.add_argument("--full", action="store_true", help="ten times the rows where it matters")
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
