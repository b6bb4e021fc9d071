"""The databases that the tests can run on, and which of them answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dj_database_url

SERVERS = {
    "postgresql": ("SYNCFIELDS_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("SYNCFIELDS_MARIADB_URL", "mysql://root@127.0.0.1:3306/"),
}
NAMES = ("sqlite", *SERVERS)
ALIASES = ("default", "other")

FOLDER = Path(__file__).parent / ".databases"
# Keeps apart runs that go on at the same time; what a crashed run left is replaced by the next one.
SUFFIX = os.environ.get("SYNCFIELDS_TEST_SUFFIX", "")
POOLED = "SYNCFIELDS_TEST_POOLED" in os.environ
"""Whether the server is reached through pgbouncer: see docs/operating.md."""


def configured(name: str) -> dict[str, dict[str, Any]]:
    """The setting DATABASES for one of NAMES: two databases of the same kind."""
    if name not in NAMES:
        raise ValueError(f"SYNCFIELDS_TEST_DATABASE is {name!r}, not one of {', '.join(NAMES)}.")
    configure = sqlite if name == "sqlite" else server
    return {alias: configure(name, f"syncfields_{alias}{SUFFIX}") for alias in ALIASES}


def sqlite(_: str, database: str) -> dict[str, Any]:
    """A file and not memory, so that threads and processes have connections of their own."""
    FOLDER.mkdir(exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / f"{database}.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF",
        },
        "TEST": {"NAME": str(FOLDER / f"test_{database}.sqlite3")},
    }


def server(name: str, database: str) -> dict[str, Any]:
    settings: dict[str, Any] = {**dj_database_url.parse(url(name))}
    options: dict[str, Any] = {"connect_timeout": 10}
    if settings["ENGINE"].endswith("mysql"):
        use_pymysql()
    elif POOLED:
        settings["DISABLE_SERVER_SIDE_CURSORS"] = True
    else:
        # Races commit often, and no test asks for what it wrote to survive a power cut.
        options["options"] = "-c synchronous_commit=off"
    settings["OPTIONS"] = {**options, **settings.get("OPTIONS", {})}
    settings["TEST"] = {"NAME": f"test_{database}"}
    return settings


def url(name: str) -> str:
    variable, standard = SERVERS[name]
    return os.environ.get(variable) or standard


def use_pymysql() -> None:
    """PyMySQL needs no compiler; where mysqlclient is installed it is taken instead."""
    try:
        import MySQLdb  # noqa: F401
    except ImportError:
        import pymysql

        pymysql.install_as_MySQLdb()
