"""The benchmarks run, and whoever keeps values keeps them right. How fast is no matter here."""

from __future__ import annotations

import os

import pytest

from tests.benchmarks import chart, contention, measure, report, scale
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.results import Measured
from tests.benchmarks.startup import MODELS, RULES
from tests.benchmarks.workloads import WORKLOADS

pytestmark = [
    pytest.mark.timeout(600),  # it starts thirty processes
    pytest.mark.skipif(
        os.environ.get("SYNCFIELDS_TEST_DATABASE", "sqlite") != "sqlite",
        reason="the contestants are compared on SQLite, by themselves",
    ),
]
SIZE = 20


def test_every_workload_by_every_contestant():
    with measure.working("sqlite", CONTESTANTS) as (workers, absent):
        found = Measured("sqlite", workers["none"]("version"), absent)
        for name in WORKLOADS:
            found.sizes[name] = SIZE
            found.cells[name] = measure.run(workers, name, SIZE, 1)
        several = {name: workers[name] for name in ("commit", "hub_syncfields")}
        found.contention = list(contention.run("sqlite", several, 0.02))
        found.rows = list(scale.rows(workers, (100, 400), 1))
        found.rules = list(scale.rules(workers, 1))

    ours = {name for name, contestant in CONTESTANTS.items() if contestant.ours}
    assert ours.isdisjoint(absent)
    for workload, cells in found.cells.items():
        for contestant, cell in cells.items():
            assert not cell.wrong, (workload, contestant)
            assert cell.note.removeprefix(measure.ONCE.format(10)) == "", (workload, contestant)
    for each in found.contention:
        assert (each.wrong or 0, each.lost) == (0, 0), each
    for cost in (*found.rows, *found.rules):
        assert not cost.wrong, cost
    startup = {"models": MODELS, "rules": RULES, "first": 0.1, "queries": 0, "import": 0.1}
    assert "WRONG: " not in report.write([found], {**startup, "models_imported": []}, "")
    assert chart.draw([found]).endswith("</svg>\n")
