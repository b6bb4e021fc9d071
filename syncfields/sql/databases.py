"""What is so of a database, whichever connection: to look one up takes longer than these."""

from __future__ import annotations

from django.db import connections

from syncfields.sql.once import once


def vendor_of(using: str) -> str:
    return once(("vendor", using), lambda: connections[using].vendor)


def has_row_locks(using: str) -> bool:
    return once(
        ("row locks", using), lambda: bool(connections[using].features.has_select_for_update)
    )


def updates_read_own_table(using: str) -> bool:
    """Whether an UPDATE can read other rows of the table that it writes."""
    return once(
        ("own table", using), lambda: bool(connections[using].features.update_can_self_select)
    )
