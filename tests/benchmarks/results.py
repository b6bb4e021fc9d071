"""What was measured, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.benchmarks.contention import Throughput
from tests.benchmarks.measure import Cell
from tests.benchmarks.scale import Cost

TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}


@dataclass
class Measured:
    """On one database."""

    name: str
    version: str
    absent: dict[str, str] = field(default_factory=dict)
    """Contestants that did not take part, and why."""
    sizes: dict[str, int] = field(default_factory=dict)
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    """``{workload: {contestant: cell}}``"""
    contention: list[Throughput] = field(default_factory=list)
    rows: list[Cost] = field(default_factory=list)
    rules: list[Cost] = field(default_factory=list)

    reconciled: list[dict[str, float]] = field(default_factory=list)
    """What a reconcile of very many rows took."""

    @property
    def title(self) -> str:
        return TITLES[self.name]

    def cell(self, workload: str, contestant: str) -> Cell | None:
        return self.cells.get(workload, {}).get(contestant)
