"""What is so of a database, whichever connection: to look one up takes longer than these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections

from syncfields.sql.fields import is_arrayed
from syncfields.sql.once import kept

BLOCK_DRIVERS = ("MySQLdb", "pymysql")
"""Those with which blocks were tried."""


@kept
def vendor_of(using: str) -> str:
    return connections[using].vendor


@kept
def has_row_locks(using: str) -> bool:
    return bool(connections[using].features.has_select_for_update)


@kept
def updates_read_own_table(using: str) -> bool:
    """Whether an UPDATE can read other rows of the table that it writes."""
    return bool(connections[using].features.update_can_self_select)


@kept
def takes_blocks(using: str) -> bool:
    """Whether the database takes several statements as one: see ``blocks.py``. In its mode for
    programs of Oracle MariaDB writes them otherwise; and not each driver returns what they do.
    """
    connection: Any = connections[using]
    if connection.vendor != "mysql" or not getattr(connection, "mysql_is_mariadb", False):
        return False
    driver = getattr(connection.Database, "__name__", "")
    return driver in BLOCK_DRIVERS and "ORACLE" not in connection.sql_mode


def takes_arrays(using: str, fields: Sequence[Any]) -> bool:
    """Whether the database takes values of all these fields as one array each."""
    return vendor_of(using) == "postgresql" and all(map(is_arrayed, fields))
