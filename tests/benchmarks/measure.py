"""Contestants take turns: who runs when, and what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.worker import Failed, Worker
from tests.benchmarks.workloads import WORKLOADS, Workload

SLOW = 0.2
"""Seconds. Who takes longer for a tenth of the rows is measured with that tenth, and once."""
WARM_UP = 10


@dataclass
class Cell:
    """What one contestant did in one workload."""

    seconds: list[float] = field(default_factory=list)
    """Of each repetition, for one operation or row."""
    own: list[float] = field(default_factory=list)
    """The same, of what the process itself computed: what Python costs, without the server."""
    ratio: float | None = None
    own_ratio: float | None = None
    statements: dict[str, float] = field(default_factory=dict)
    memory: float | None = None
    """Megabytes at the peak."""
    wrong: int | None = None
    """How many values were wrong in the end; None where nothing is kept."""
    note: str = ""

    @property
    def microseconds(self) -> float | None:
        return median(self.seconds) * 1e6 if self.seconds else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "microseconds": self.microseconds}


@contextmanager
def working(
    database: str, names: Iterable[str]
) -> Iterator[tuple[dict[str, Worker], dict[str, str]]]:
    """A worker for each contestant that can take part, and why the others cannot."""
    missing = {name: CONTESTANTS[name].missing(database) for name in names}
    absent = {name: reason for name, reason in missing.items() if reason}
    workers = {name: Worker(database, name) for name in missing if name not in absent}
    try:
        for worker in workers.values():
            worker.send("open")
        for name, worker in list(workers.items()):
            try:
                worker.receive()
            except Failed as failure:
                absent[name] = last_line(failure)
                workers.pop(name).stop()
        yield workers, absent
    finally:
        for worker in workers.values():
            worker.stop()


def last_line(failure: Failed) -> str:
    return str(failure).strip().rsplit("\n", 1)[-1]


def run(workers: dict[str, Worker], name: str, size: int, repetitions: int) -> dict[str, Cell]:
    """One workload, by all contestants that do it."""
    workload = WORKLOADS[name]
    cells: dict[str, Cell] = {}
    taking_part: dict[str, Worker] = {}
    tenths: dict[str, float] = {}
    for contestant, worker in workers.items():
        if not takes_part(contestant, name, workload, worker):
            continue
        cells[contestant] = Cell()
        with noting(cells[contestant]):
            tenths[contestant] = warm_up(worker, name, size)
            if workload.each or tenths[contestant] <= SLOW:
                worker("reset", name, size)
                taking_part[contestant] = worker
            else:
                cells[contestant].note = "slow"
    order = list(taking_part)
    for repetition in range(repetitions):
        for contestant in order[repetition % len(order) :] + order[: repetition % len(order)]:
            with noting(cells[contestant]):
                seconds, own = taking_part[contestant]("time", name, size)
                cells[contestant].seconds.append(seconds / size)
                cells[contestant].own.append(own / size)
    for contestant, cell in cells.items():
        if cell.note not in ("", "slow"):
            continue
        with noting(cell):
            if cell.note == "slow":
                finish_slow(workers[contestant], contestant, name, size, cell, tenths)
            else:
                finish(workers[contestant], contestant, name, size, cell)
    compare(cells, workload.base, tenths, size)
    return cells


def takes_part(contestant: str, name: str, workload: Workload, worker: Worker) -> bool:
    only = CONTESTANTS[contestant].only
    return (
        (not only or name in only)
        and (not workload.only or contestant in workload.only)
        and name not in worker("cannot")
    )


@contextmanager
def noting(cell: Cell) -> Iterator[None]:
    """A contestant that fails is noted, and the others go on."""
    try:
        yield
    except Failed as failure:
        cell.note = last_line(failure)
        sys.stderr.write(f"{failure}\n")


def tenth(size: int) -> int:
    return max(size // 10, WARM_UP)


def warm_up(worker: Worker, name: str, size: int) -> float:
    count = tenth(size)
    worker("reset", name, count)
    return worker("time", name, count)[0]


def finish(worker: Worker, contestant: str, name: str, size: int, cell: Cell) -> None:
    cell.statements = worker("statements", name, size)
    if not WORKLOADS[name].each:
        cell.memory = worker("memory", name, size)
    verify(worker, contestant, cell)


def finish_slow(
    worker: Worker, contestant: str, name: str, size: int, cell: Cell, tenths: dict[str, float]
) -> None:
    cell.note = f"measured once, with {tenth(size):,} rows"
    cell.seconds = [tenths[contestant] / tenth(size)]
    verify(worker, contestant, cell)


def verify(worker: Worker, contestant: str, cell: Cell) -> None:
    found = worker("verify")
    if CONTESTANTS[contestant].keeps:
        cell.wrong = found["wrong"]


def compare(cells: dict[str, Cell], base: str, tenths: dict[str, float], size: int) -> None:
    """Each ratio is between neighbours in time, and their median is what is shown."""
    if base not in cells or not cells[base].seconds:
        return
    for contestant, cell in cells.items():
        if cell.note.startswith("measured once"):
            cell.ratio = tenths[contestant] / tenths[base]
        elif cell.seconds:
            cell.ratio = median_ratio(cell.seconds, cells[base].seconds)
            cell.own_ratio = median_ratio(cell.own, cells[base].own)


def median_ratio(values: list[float], others: list[float]) -> float:
    return median(value / other for value, other in zip(values, others, strict=False) if other)
