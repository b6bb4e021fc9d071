"""The last sections of docs/benchmarks.md: what does not grow, and what is done but once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.results import Measured
from tests.benchmarks.scale import Cost
from tests.benchmarks.tables import table
from tests.benchmarks.workloads import WORKLOADS


def scale(measured: Sequence[Measured]) -> Iterator[str]:
    yield (
        "A write costs the same however many rows there are: microseconds, and in brackets the "
        "statements. There are ten comments to a post. Each rule needs the index of its foreign "
        "key, which Django makes."
    )
    yield ""
    yield from table(
        ["write", "database", *heads(measured, "rows")],
        list(costs(measured, "rows")),
    )
    yield ""
    yield "Rules that share a path are read and written together, by the same statements:"
    yield ""
    yield from table(["write", "database", *heads(measured, "rules")], costs(measured, "rules"))


def label(cost: Cost) -> str:
    if cost.contestant.startswith("rules_"):
        return CONTESTANTS[cost.contestant].title.removeprefix("syncfields, ")
    return f"{CONTESTANTS[cost.contestant].title}, {cost.sources:,} comments"


def heads(measured: Sequence[Measured], part: str) -> list[str]:
    return list(dict.fromkeys(label(cost) for each in measured for cost in getattr(each, part)))


def costs(measured: Sequence[Measured], part: str) -> Iterator[list[str]]:
    for each in measured:
        found: dict[str, dict[str, str]] = {}
        for cost in getattr(each, part):
            wrong = f" **WRONG: {cost.wrong}**" if cost.wrong else ""
            said = f"{cost.microseconds:,.0f} ({cost.statements:g}){wrong}"
            found.setdefault(cost.write, {})[label(cost)] = said
        for write_, row in found.items():
            chosen = [row.get(head, "-") for head in heads(measured, part)]
            yield [WORKLOADS[write_].title, each.title, *chosen]


def reconciled(measured: Sequence[Measured]) -> Iterator[str]:
    for each in measured:
        for found in each.reconciled:
            wrong = f" **WRONG: {found['wrong']}**" if found["wrong"] else ""
            yield (
                f"A reconcile of {found['targets']:,} targets and {found['sources']:,} sources on "
                f"{each.title}, {found['repaired']:,} of them repaired, takes "
                f"{found['seconds']:,.0f} s and adds {found['megabytes']:.0f} MB to the "
                f"process.{wrong}"
            )
            yield ""


def started(startup: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Start-up: {startup['rules']} rules of {startup['models']} models compile in "
        f"{startup['first'] * 1000:.0f} ms (goal: 100 ms), by {startup['queries']} queries. "
        f"`import syncfields` takes {startup['import'] * 1000:.0f} ms beside Django's own imports, "
        f"and imports {len(startup['models_imported'])} modules of models."
    )
