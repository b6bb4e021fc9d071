"""docs/benchmarks.md: the figures as tables, with the goals beside them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tests.benchmarks import contention, growth, hub_report
from tests.benchmarks.contestants import CONTESTANTS, HUB, HUB_BULK, HUB_SINGLE
from tests.benchmarks.goals import GOALS, MARIADB, TUNED, Goal
from tests.benchmarks.measure import Cell
from tests.benchmarks.results import Measured
from tests.benchmarks.tables import table
from tests.benchmarks.workloads import WORKLOADS

PACKAGES = (
    "Django",
    "psycopg",
    "PyMySQL",
    "django-model-utils",
    "django-computedfields",
    "django-denorm-iplweb",
    "django-denormalized",
)
FEW = ("create_1", "create_2", "create_3")
ELSEWHERE = {*FEW, *HUB_SINGLE, *HUB_BULK}
"""Workloads that have tables of their own."""
COLUMNS = [
    name
    for name in CONTESTANTS
    if not name.startswith("rules_") and name not in HUB and name != "commit"
]

INTRODUCTION = """\
# Benchmarks

The same work by each way of keeping it true: the number of public comments of a post,
`Count("comments", filter=Q(comments__is_public=True))`, and an e-mail that is copied to the
profile. Figures are ratios to the same work without any synchronization unless said otherwise;
below 1 is faster than the ORM without synchronization.

```console
$ {command}
```

{when}, {machine} (a quiet machine shows 1 to 2; with more, others worked at the same time, and
figures scatter). {versions}.

![Time of each workload, as a ratio, by database](benchmarks.svg)

How it is measured: each contestant has a process and a database of its own, because several of
them change what every model does. They take turns within each repetition, in an order that
rotates. Each single operation is timed by itself, and the median counts; a bulk write is timed as a
whole. A ratio is the median of the ratios within the repetitions. Loading the
instances that are then saved is not timed; the garbage collector is off. Statements are counted
and memory is taken in passes of their own. In the end the stored values of every contestant are
compared with what a raw SQL query counts: **WRONG** says how many differ.

SQLite is a file in WAL mode with `synchronous = NORMAL` and `IMMEDIATE` transactions. PostgreSQL
is on loopback with `synchronous_commit = off`, so that what is compared is work and not the disk,
which would make all ratios smaller. MariaDB commits as the server is configured: where it waits
for the disk, autocommit ratios come near 1.

The contestants:

- **hand-written SQL**: through a cursor, for just this task; the limit
- **row trigger**, **statement trigger**: in the database
- **tuned receivers**: `post_save` with an UPDATE whose SQL is ready-made, old values from a
  snapshot taken in `from_db()`, which stale instances deceive; **locked**: the same with a
  ready-made locking SELECT of the old row
- **careful F() receivers**: what a careful developer writes: `select_for_update()` in `pre_save`,
  `F()` in `post_save`, `atomic()` around; reconciles are `annotate()` and `bulk_update()`. After
  bulk writes both kinds of receivers are helped by hand-written counting, as one has to
- **FieldTracker alone**: django-model-utils' tracker, which keeps nothing
- **django-computedfields**, **django-denorm-iplweb**, **django-denormalized**: as their
  documentation has it, with the calls that it asks for after bulk writes
- **syncfields**: with `TRACKING` `"database"`, with `"memory"`, and in `coalesce()`
"""


def write(measured: Sequence[Measured], startup: dict[str, Any], command: str) -> str:
    parts = [
        INTRODUCTION.format(
            command=command,
            when=datetime.now(timezone.utc).strftime("%d %B %Y"),
            machine=machine(),
            versions=versions(measured),
        ),
        "\n".join(["## Goals", "", *goals(measured)]),
    ]
    parts += ["\n".join([f"## {each.title}", "", *ratios(each)]) for each in measured]
    parts.append("\n".join(["## A hub", "", *hub_report.hub(measured)]))
    parts.append("\n".join(["## Statements", "", *statements(measured)]))
    parts.append("\n".join(["## Memory", "", *memory(measured)]))
    parts.append("\n".join(["## Many writers of one row", "", *hot(measured)]))
    parts.append("\n".join(["## At once, or at COMMIT", "", *commit(measured)]))
    parts.append(
        "\n".join(["## Scale", "", *growth.scale(measured), "", *growth.reconciled(measured)])
    )
    parts.append("\n".join(growth.started(startup)))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def machine() -> str:
    """The processors, and how busy they were."""
    known = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    if hasattr(os, "getloadavg"):
        known += f", load {os.getloadavg()[2]:.1f}"
    return known


def versions(measured: Iterable[Measured]) -> str:
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join([*found, *(f"{each.title} {each.version}" for each in measured)])


def title(workload: str, size: int) -> str:
    known = WORKLOADS[workload]
    return known.title if known.each else f"{known.title}, {size:,} rows"


# Goals -----------------------------------------------------------------------------------------


def goals(measured: Sequence[Measured]) -> Iterator[str]:
    """What was aimed at, and what came of it."""
    missed: list[str] = []
    rows = []
    for goal in GOALS:
        found = [outcome(goal, each, missed) for each in measured]
        rows.append([WORKLOADS[goal.workload].title, CONTESTANTS[goal.contestant].title, *found])
    yield (
        "What was aimed at before the work began; where no figure was set, the measured one stands "
        f"alone. On MariaDB it is {MARIADB:g} times what {CONTESTANTS[TUNED].title} take. Missed "
        "ones are **bold**."
    )
    yield ""
    yield from table(["workload", "", *(each.title for each in measured)], rows)
    yield ""
    yield "Missed:" if missed else "None is missed."
    yield ""
    yield from (f"- {each}" for each in missed)


def outcome(goal: Goal, measured: Measured, missed: list[str]) -> str:
    cell = measured.cell(goal.workload, goal.contestant)
    if cell is None or cell.ratio is None:
        return "-"
    wanted, said = wanted_ratio(goal, measured), f"{cell.ratio:.2f}"
    what = f"{WORKLOADS[goal.workload].title}, {CONTESTANTS[goal.contestant].title}"
    where = measured.title
    if wanted is not None:
        said = f"{said} (<= {wanted:g})"
        if cell.ratio > wanted:
            said = f"**{said}**"
            missed.append(f"{what}, {where}: {cell.ratio:.2f} instead of {wanted:g}")
            tuned = measured.cell(goal.workload, TUNED)
            if tuned is not None and tuned.ratio is not None:
                missed[-1] += f" ({CONTESTANTS[TUNED].title}: {tuned.ratio:.2f})"
    sent = sum(cell.statements.values())
    # MariaDB has to lock the parents that a key names by a statement of its own.
    most = goal.statements
    if most is not None and measured.name == "mariadb":
        most += 1
    if most is not None and sent > most:
        said += f", **{sent:g} statements (<= {most:g})**"
        missed.append(f"{what}, {where}: {sent:g} statements instead of {most:g}")
    if goal.megabytes is not None and (cell.memory or 0) > goal.megabytes:
        said += f", **{cell.memory:.0f} MB (<= {goal.megabytes:g})**"
        missed.append(f"{what}, {where}: {cell.memory:.0f} MB instead of {goal.megabytes:g}")
    return said


def wanted_ratio(goal: Goal, measured: Measured) -> float | None:
    tuned = measured.cell(goal.workload, TUNED)
    if measured.name == "mariadb" and tuned is not None and tuned.ratio is not None:
        return round(MARIADB * tuned.ratio, 2)
    return goal.ratio(measured.name)


# Tables of cells -------------------------------------------------------------------------------


def ratios(measured: Measured) -> Iterator[str]:
    slow: set[str] = set()

    def ratio(cell: Cell) -> str:
        if cell.wrong:
            return f"**WRONG: {cell.wrong}**"
        if cell.ratio is None:
            return f"failed: {cell.note}" if cell.note else "-"
        if cell.note:
            slow.add(cell.note)
        digits = 0 if cell.ratio >= 100 else 1 if cell.ratio >= 10 else 2
        return f"{cell.ratio:,.{digits}f}" + ("*" if cell.note else "")

    def base(workload: str) -> str:
        cell = measured.cell(workload, WORKLOADS[workload].base)
        if cell is None or cell.microseconds is None:
            return "-"
        of = "" if WORKLOADS[workload].base == "none" else " (SQL)"
        return f"{cell.microseconds:,.{0 if cell.microseconds >= 100 else 1}f} µs{of}"

    columns = present(measured)
    rows = [
        [title(name, measured.sizes[name]), base(name), *cells(measured, name, columns, ratio)]
        for name in measured.cells
        if name not in ELSEWHERE
    ]
    heads = [CONTESTANTS[name].title for name in columns]
    yield "In the second column is the time of one operation, or row, that is 1 in this row."
    yield ""
    yield from table(["workload", "1 is", *heads], rows)
    if slow:
        yield ""
        yield f"\\* {'; '.join(sorted(slow))}."
    if measured.absent:
        yield ""
        absent = (
            f"{CONTESTANTS[name].title} ({reason})"
            for name, reason in measured.absent.items()
            if name in COLUMNS
        )
        yield f"Not available: {', '.join(absent)}."


def present(measured: Measured) -> list[str]:
    return [
        name
        for name in COLUMNS
        if name != "none" and any(name in cells for cells in measured.cells.values())
    ]


def cells(
    measured: Measured, workload: str, columns: Iterable[str], show: Callable[[Cell], str]
) -> Iterator[str]:
    for contestant in columns:
        cell = measured.cell(workload, contestant)
        yield show(cell) if cell else "-"


def statements(measured: Sequence[Measured]) -> Iterator[str]:
    def sent(cell: Cell) -> str:
        if not cell.statements:
            return "-"
        savepoints = cell.statements.get("SAVEPOINT", 0)
        others = sum(cell.statements.values()) - 2 * savepoints
        return f"{others:g}" + (f" + {savepoints:g} savepoints" if savepoints else "")

    yield "For one operation, or for the whole of a bulk write; BEGIN and COMMIT are not counted."
    for each in measured:
        columns = ["none", *present(each)]
        yield ""
        yield f"{each.title}:"
        yield ""
        yield from table(
            ["workload", *(CONTESTANTS[name].title for name in columns)],
            [
                [title(name, each.sizes[name]), *cells(each, name, columns, sent)]
                for name in each.cells
                if name not in ELSEWHERE
            ],
        )


def memory(measured: Sequence[Measured]) -> Iterator[str]:
    def peak(cell: Cell) -> str:
        return "-" if cell.memory is None else f"{cell.memory:.1f}"

    yield "The most that Python held during a bulk write, in megabytes (`tracemalloc`)."
    for each in measured:
        known = ["none", *present(each)]
        columns = [name for name in known if CONTESTANTS[name].weighed or CONTESTANTS[name].ours]
        columns = [name for name in columns if name != "coalesce"]
        yield ""
        yield f"{each.title}:"
        yield ""
        yield from table(
            ["workload", *(CONTESTANTS[name].title for name in columns)],
            [
                [title(name, each.sizes[name]), *cells(each, name, columns, peak)]
                for name in each.cells
                if WORKLOADS[name].holds_rows
            ],
        )


# Several writers -------------------------------------------------------------------------------


def hot(measured: Sequence[Measured]) -> Iterator[str]:
    yield (
        "Comments created in a second by one, two and four processes. All of them write the same "
        "post, so each waits for the one before to commit. Deadlocks are in brackets; the "
        "transactions that they ended are not counted, and no value was wrong afterwards unless "
        "said."
    )
    for shape in ("one", "ten"):
        yield ""
        yield f"{contention.TITLES[shape].capitalize()}:"
        yield ""
        yield from table(
            ["", "writers", *(each.title for each in measured)],
            [
                [
                    CONTESTANTS[contestant].title,
                    str(writers),
                    *(throughput(each, shape, contestant, writers) for each in measured),
                ]
                for contestant in contention.RUNS[shape]
                for writers in contention.WRITERS
            ],
        )


def throughput(measured: Measured, shape: str, contestant: str, writers: int) -> str:
    for each in measured.contention:
        if (each.shape, each.contestant, each.writers) == (shape, contestant, writers):
            said = f"{each.per_second:,.0f}"
            if each.deadlocks:
                said += f" ({each.deadlocks})"
            if each.failed:
                said += f", {each.failed} failed"
            if each.wrong or each.lost:
                said += f", **WRONG: {(each.wrong or 0) + abs(each.lost)}**"
            return said
    return "-"


def commit(measured: Sequence[Measured]) -> Iterator[str]:
    yield (
        'Deltas are written at once by default. With `APPLY = "commit"`, and in `coalesce()`, they '
        "wait for the end of the transaction. Ratios to no synchronization:"
    )
    yield ""
    columns = ("tuned", "careful", "syncfields", "commit", "coalesce")
    yield from table(
        ["create", "database", *(CONTESTANTS[name].title for name in columns)],
        [
            [WORKLOADS[workload].title.removeprefix("create "), each.title, *row]
            for workload in ("create", *FEW, "create_atomic")
            for each in measured
            for row in [list(cells(each, workload, columns, plain_ratio))]
        ],
    )
    yield ""
    seconds = {run.seconds for each in measured for run in each.contention if run.writers == 4}
    yield (
        f"Four processes, {contention.TITLES['opposite']}: comments created in a second, and in "
        f"brackets the deadlocks in {max(seconds, default=0):.0f} seconds. PostgreSQL notices one "
        "after a second of waiting."
    )
    yield ""
    yield from table(
        ["", *(each.title for each in measured)],
        [
            [
                CONTESTANTS[contestant].title,
                *(throughput(each, "opposite", contestant, 4) for each in measured),
            ]
            for contestant in contention.RUNS["opposite"]
        ],
    )


def plain_ratio(cell: Cell) -> str:
    return "-" if cell.ratio is None else f"{cell.ratio:.2f}"
