"""docs/benchmarks.md: the hub, a row to which the rules of five tables refer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.benchmarks import contention
from tests.benchmarks.contestants import CONTESTANTS, HUB, HUB_BULK, HUB_SINGLE
from tests.benchmarks.goals import HUB_GOALS
from tests.benchmarks.results import Measured
from tests.benchmarks.tables import table
from tests.benchmarks.workloads import WORKLOADS

OURS = "hub_syncfields"
INTRODUCTION = (
    "Fifteen rules of five tables over one comment: counts, filtered ones, sums, an average, "
    "extremes, two hops, a chain and a copy, as in `tests/hub/models.py`. Ratios to no "
    "synchronization, and in brackets the statements. What is written by hand is for just this: "
    "careful receivers with one UPDATE for each counter, tuned ones with a locking SELECT and one "
    "UPDATE for each table, triggers with the same."
)


def hub(measured: Sequence[Measured]) -> Iterator[str]:
    columns = [
        name
        for name in HUB[1:]
        if any(name in cells for m in measured for cells in m.cells.values())
    ]
    yield INTRODUCTION
    yield ""
    yield from table(
        ["write", "database", *(CONTESTANTS[name].title for name in columns)],
        [
            [said(write), each.title, *(shown(each, write, name) for name in columns)]
            for write in (*HUB_SINGLE, *HUB_BULK)
            for each in measured
            if write in each.cells
        ],
    )
    yield ""
    missed = [*misses(measured)]
    yield "Missed:" if missed else "No goal is missed."
    yield ""
    yield from (f"- {each}" for each in missed)
    yield ""
    yield (
        f"Four processes, {contention.TITLES['hub']}: writes in a second; in brackets the "
        "deadlocks that reached the caller. Who locks nothing before an aggregate drifts."
    )
    yield ""
    yield from table(
        ["", *(each.title for each in measured)],
        [[CONTESTANTS[name].title, *(throughput(each, name) for each in measured)] for name in HUB],
    )


def said(write: str) -> str:
    known = WORKLOADS[write]
    return known.title.removeprefix("hub: ") + ("" if known.each else f", {known.size:,} rows")


def shown(measured: Measured, write: str, contestant: str) -> str:
    cell = measured.cell(write, contestant)
    if cell is None:
        return "-"
    if cell.wrong:
        return f"**WRONG: {cell.wrong}**"
    if cell.ratio is None:
        return f"failed: {cell.note}"
    sent = sum(cell.statements.values())
    return f"{cell.ratio:,.1f}" + (f" ({sent:.3g})" if sent else "")


def misses(measured: Sequence[Measured]) -> Iterator[str]:
    for goal in HUB_GOALS:
        for each in measured:
            ours, other = each.cell(goal.workload, OURS), each.cell(goal.workload, goal.other)
            if each.name not in goal.databases or not ours or not other:
                continue
            if ours.ratio and other.ratio and (found := ours.ratio / other.ratio) > goal.most:
                yield (
                    f"{said(goal.workload)}, {each.title}: {found:.2f} of the time of "
                    f"{CONTESTANTS[goal.other].title} instead of {goal.most:g}"
                )


def throughput(measured: Measured, contestant: str) -> str:
    for each in measured.contention:
        if (each.shape, each.contestant) == ("hub", contestant):
            said = f"{each.per_second:,.0f} ({each.deadlocks})"
            said += f", {each.failed} failed" if each.failed else ""
            said += f", **{each.wrong} drifted**" if each.wrong else ""
            return said + (f", **WRONG: {each.lost}**" if each.lost else "")
    return "-"
