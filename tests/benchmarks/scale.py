"""What does not grow: the cost of a write, with the rows there are and with the rules of a path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.contestants import RULES
from tests.benchmarks.worker import Worker
from tests.benchmarks.workloads import WORKLOADS

SOURCES = (10_000, 100_000, 1_000_000)
WRITES = ("create", "delete", "flip")


@dataclass
class Cost:
    """Microseconds of one write, and what is sent."""

    write: str
    contestant: str
    sources: int
    microseconds: float
    statements: float
    wrong: int | None = None


def rows(workers: dict[str, Worker], sources: tuple[int, ...], repetitions: int) -> Iterator[Cost]:
    """By the number of rows in the tables."""
    chosen = {name: workers[name] for name in ("none", "syncfields") if name in workers}
    for worker in chosen.values():
        worker("reset", "update", sources[0])
    for number in sources:
        for worker in chosen.values():
            worker("grow", number)
        yield from measured(chosen, number, repetitions)


def rules(workers: dict[str, Worker], repetitions: int) -> Iterator[Cost]:
    """By the number of rules that share a path."""
    chosen = {f"rules_{each}": workers[f"rules_{each}"] for each in RULES}
    for worker in chosen.values():
        worker("reset", "create", 1)
    yield from measured(chosen, 2000, repetitions)


def measured(workers: dict[str, Worker], sources: int, repetitions: int) -> Iterator[Cost]:
    for write in WRITES:
        size = WORKLOADS[write].size
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        for number in range(repetitions + 1):
            for name, worker in workers.items():
                spent, _ = worker("time", write, size)
                if number:  # the first warms up
                    seconds[name].append(spent / size)
        for name, worker in workers.items():
            sent = sum(worker("statements", write, size).values())
            wrong = worker("verify")["wrong"] if name != "none" else None
            yield Cost(write, name, sources, median(seconds[name]) * 1e6, sent, wrong)
