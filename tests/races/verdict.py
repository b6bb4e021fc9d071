"""What is wrong in the database when all is over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from django.db import connection, models

from syncfields import reconcile
from tests import databases
from tests.races.operations import Event
from tests.races.worlds import TALLIES, Model
from tests.truth import TRUTHS, drifts

OTHERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    # A pool keeps its connections.
    + (" AND state <> 'idle'" if databases.POOLED else ""),
    "mysql": "SELECT count(*) FROM information_schema.processlist"
    " WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}


def settle() -> None:
    """Wait until the server has noticed that the other processes are gone."""
    end = time.monotonic() + 60
    with connection.cursor() as cursor:
        while query := OTHERS.get(connection.vendor):
            cursor.execute(query)
            if cursor.fetchone() == (0,):
                return
            assert time.monotonic() < end, "The server still knows processes that are gone."
            time.sleep(0.02)


def drift(models_: list[Model]) -> list[str]:
    """What the rows say, by hand; and, since the two must agree, what reconcile says."""
    found = drifts(*(model for model in models_ if model in TRUTHS))
    report = reconcile(check=True)
    return found + [
        f"reconcile: {rule.label}: {rule.drifted} of {rule.scanned}, {rule.examples!r}"
        for rule in report.rules
        if rule.drifted
    ]


def totals() -> Counter[Event]:
    """What tallies have counted."""
    return Counter(
        {
            (model, name, pk): total
            for _, model, name in TALLIES.values()
            for pk, total in models.QuerySet(model).values_list("pk", name)
        }
    )


def miscounted(before: Mapping[Event, int], events: Mapping[Event, int]) -> list[str]:
    """Tallies that did not count since then what the processes have committed."""
    return [
        f"{model.__name__} {pk}: {name} counted {total - before[model, name, pk]} events"
        f" of {events[model, name, pk]}"
        for (model, name, pk), total in totals().items()
        if total - before[model, name, pk] != events[model, name, pk]
    ]
