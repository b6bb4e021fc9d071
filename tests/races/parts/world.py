"""What two transactions meet in: some rows, and the writes that can be made to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, models, transaction

from tests.truth import drifts

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)

Act = Callable[[], Any]
Part = Callable[[], Act]
"""A write that can meet another: it loads what it needs, and gives back what it will do then."""


def later(days: int) -> dt.datetime:
    return NOON + dt.timedelta(days=days)


class World:
    """Rows of some models, put back as they were as often as one likes, by plain SQL."""

    def __init__(
        self, *, rows: Sequence[type[models.Model]], targets: Sequence[type[models.Model]]
    ) -> None:
        self.rows = rows
        self.targets = targets
        self.parts: dict[str, Part] = {}
        self.kept: dict[str, tuple[list[str], list[Any]]] = {}
        self.first: Callable[[], None] | None = None

    def build(self, function: Callable[[], None]) -> Callable[[], None]:
        """The function makes the rows."""
        self.first = function
        return function

    def part(self, function: Part) -> Part:
        """The function is one of the writes."""
        self.parts[function.__name__] = function
        return function

    def put_back(self) -> None:
        if not self.kept:
            assert self.first is not None
            self.first()
            self.keep()
        with (
            connection.constraint_checks_disabled(),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            for table in self.kept:
                cursor.execute(f"DELETE FROM {table}")
            for table, (columns, rows) in self.kept.items():
                places = ", ".join([f"({', '.join(['%s'] * len(columns))})"] * len(rows))
                if rows:
                    cursor.execute(
                        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {places}",
                        [value for row in rows for value in row],
                    )

    def keep(self) -> None:
        quote = connection.ops.quote_name
        with connection.cursor() as cursor:
            for model in self.rows:
                table = quote(model._meta.db_table)
                cursor.execute(f"SELECT * FROM {table} ORDER BY {quote(model._meta.pk.column)}")
                columns = [quote(each[0]) for each in cursor.description]
                self.kept[table] = columns, list(cursor.fetchall())

    def wrong(self, returned: Sequence[Any]) -> list[str]:
        """What is not as it has to be, after acts that returned this."""
        return drifts(*self.targets)
