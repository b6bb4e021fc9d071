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
"""Seconds. Who takes longer for a tenth of the rows, and many times longer than the base, is
measured with that tenth, and once."""
TIMES = 20
FEWER = 4
"""Who takes so many times longer for single operations does so many times fewer of them."""
WARM_UP = 10
ONCE = "measured once, with {:,} rows"


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
    tenths: dict[str, float] = {}
    for contestant, worker in workers.items():
        if takes_part(contestant, name, workload, worker):
            cells[contestant] = Cell()
            with noting(cells[contestant]):
                tenths[contestant] = warm_up(worker, name, size)
    usual = tenths.get(workload.base, 0.0)
    sizes: dict[str, int] = {}
    for contestant, tenth_ in tenths.items():
        if not workload.each and tenth_ > SLOW and tenth_ > TIMES * usual:
            cells[contestant].note = "slow"
        else:
            fewer = workload.each and tenth_ > FEWER * usual
            sizes[contestant] = max(size // FEWER, WARM_UP) if fewer else size
            with noting(cells[contestant]):
                workers[contestant]("reset", name, size)
    order = list(sizes)
    for repetition in range(repetitions if order else 0):
        first = repetition % len(order)
        for contestant in order[first:] + order[:first]:
            time(workers[contestant], name, sizes[contestant], cells[contestant])
    for contestant, cell in cells.items():
        with noting(cell):
            if cell.note == "slow":
                finish_slow(workers[contestant], contestant, name, size, cell, tenths)
            elif not cell.note:
                finish(workers[contestant], contestant, name, size, cell)
    compare(cells, workload.base, tenths, size)
    return cells


def time(worker: Worker, name: str, size: int, cell: Cell) -> None:
    with noting(cell):
        seconds, own = worker("time", name, size)
        cell.seconds.append(seconds / size)
        cell.own.append(own / size)


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
    known = CONTESTANTS[contestant]
    if WORKLOADS[name].holds_rows and (known.weighed or known.ours):
        cell.memory = worker("memory", name, size)
    verify(worker, contestant, cell)


def finish_slow(
    worker: Worker, contestant: str, name: str, size: int, cell: Cell, tenths: dict[str, float]
) -> None:
    cell.note = ONCE.format(tenth(size))
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
