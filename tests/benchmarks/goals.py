"""What syncfields sets itself: the highest ratio for each workload, on PostgreSQL and on SQLite.

On MariaDB it is measured by hand-tuned receivers; and so it is on the hub, and by others.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.contestants import ALL, HUB_BULK, HUB_SINGLE

TUNED = "tuned_locked"
"""Hand-written, and as exact: what a goal that was missed is compared with."""
MARIADB = 1.3
"""So many times what it takes."""


@dataclass(frozen=True)
class Goal:
    workload: str
    contestant: str
    postgresql: float | None
    sqlite: float | None
    statements: float | None = None
    """The most that may be sent for one operation, on any database."""
    megabytes: float | None = None

    def ratio(self, database: str) -> float | None:
        return {"postgresql": self.postgresql, "sqlite": self.sqlite}.get(database)


GOALS = (
    Goal("create", "syncfields", 2.1, 1.6),
    Goal("create_atomic", "syncfields", 1.75, 1.5, statements=2),
    Goal("create_atomic", "coalesce", 1.15, 1.15),
    Goal("flip", "syncfields", 2.8, 1.75, statements=3),
    Goal("flip", "syncfields_memory", 2.3, 1.6),
    Goal("move", "syncfields", 2.8, 1.75, statements=3),
    Goal("move", "syncfields_memory", 2.2, 1.6),
    Goal("save", "syncfields", 2.3, 1.5),
    Goal("save", "syncfields_memory", 1.1, 1.1, statements=1),
    Goal("save_fields", "syncfields", 1.05, 1.05, statements=1),
    Goal("delete", "syncfields", 2.5, 1.7),
    Goal("bulk_create", "syncfields", 1.1, None),
    Goal("bulk_create_more", "syncfields", 1.1, None),
    Goal("update", "syncfields", 1.5, 3),
    Goal("delete_many", "syncfields", 5, 2.5, statements=4),
    Goal("copy", "syncfields", 2.3, None),
    Goal("copy_many", "syncfields", 1.1, None),
    Goal("load", "syncfields", 1.03, 1.03),
    Goal("reconcile", "syncfields", 1.5, None, megabytes=20),
    Goal("reconcile_few", "syncfields", 1.5, None, megabytes=20),
    Goal("reconcile_more", "syncfields", 1.5, None, megabytes=20),
    Goal("reconcile_few_of_more", "syncfields", 1.5, None, megabytes=20),
)


@dataclass(frozen=True)
class Against:
    """How much of another contestant's time syncfields may take."""

    workload: str
    other: str
    most: float
    databases: tuple[str, ...] = ALL


HUB_GOALS = (
    *(Against(write, "hub_careful", 0.5) for write in HUB_SINGLE),
    *(Against(write, "hub_denorm", 1, ("postgresql",)) for write in HUB_SINGLE),
    *(Against(write, "hub_tuned", 1.3) for write in HUB_SINGLE),
    *(Against(write, "hub_tuned", 1.3, ("mariadb",)) for write in HUB_BULK),
)
