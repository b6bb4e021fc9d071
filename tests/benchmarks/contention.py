"""Several processes write comments on the same posts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from time import time

from tests.benchmarks.contestants import CONTESTANTS, HUB
from tests.benchmarks.worker import Worker

WRITERS = (1, 2, 4)
RUNS = {
    "one": ("none", "sql", "careful", "tuned", "syncfields"),
    "ten": ("none", "syncfields", "coalesce", "commit"),
    "opposite": ("none", "careful", "tuned", "syncfields", "commit"),
    "hub": HUB,
}
TITLES = {
    "one": "one hot post, autocommit",
    "ten": "one hot post, transactions of ten",
    "opposite": "three hot posts, transactions of one to three in any order",
    "hub": "three hot posts of the hub, single writes of any kind, autocommit",
}
LONGER = {"opposite": 3, "hub": 10}
"""So many times longer is written: PostgreSQL looks for deadlocks after a second of waiting."""


@dataclass
class Throughput:
    shape: str
    contestant: str
    writers: int
    seconds: float
    per_second: float
    """Comments created; on the hub, written in any way."""
    deadlocks: int
    failed: int
    wrong: int | None
    lost: int
    """Comments that were reported as created and are not there, or the other way round."""


def run(
    database: str, workers: dict[str, Worker], seconds: float, chosen: Collection[str] = tuple(RUNS)
) -> Iterator[Throughput]:
    for contestant in CONTESTANTS:
        shapes = [shape for shape in chosen if contestant in RUNS[shape]]
        if contestant not in workers or not shapes:
            continue
        others = [Worker(database, contestant, attach=True) for _ in range(max(WRITERS) - 1)]
        try:
            for worker in others:
                worker.send("open")
            for worker in others:
                worker.receive()
            team = [workers[contestant], *others]
            for shape in shapes:
                for writers in WRITERS if shape not in LONGER else WRITERS[-1:]:
                    long = seconds * LONGER.get(shape, 1)
                    yield hammer(team[:writers], contestant, shape, long)
        finally:
            for worker in others:
                worker.stop()


def hammer(team: list[Worker], contestant: str, shape: str, seconds: float) -> Throughput:
    team[0]("reset", "hub_create" if shape == "hub" else "create", 1)
    before = team[0]("verify")["sources"][0]
    start = time() + 0.2
    for seed, worker in enumerate(team):
        worker.send("hammer", shape, seconds, start, seed)
    done = [worker.receive() for worker in team]
    found = team[0]("verify")
    written, more = (sum(each[name] for each in done) for name in ("written", "more"))
    return Throughput(
        shape,
        contestant,
        len(team),
        seconds,
        written / seconds,
        sum(each["deadlocks"] for each in done),
        sum(each["failed"] for each in done),
        found["wrong"] if CONTESTANTS[contestant].keeps else None,
        found["sources"][0] - before - more,
    )
