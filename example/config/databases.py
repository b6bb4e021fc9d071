"""`postgres://user:password@host:port/name` and its like, as an entry of `DATABASES`."""

from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
}


def parse(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in ENGINES:
        raise ValueError(f"{url!r}: the scheme must be one of {', '.join(ENGINES)}.")
    engine, name = ENGINES[parts.scheme], unquote(parts.path.removeprefix("/"))
    options = dict(parse_qsl(parts.query))
    if engine.endswith("sqlite3"):
        return {"ENGINE": engine, "NAME": name, "OPTIONS": SQLITE_OPTIONS}
    if engine.endswith("mysql"):
        options.setdefault("charset", "utf8mb4")
        use_pymysql()
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "OPTIONS": options,
    }


# With the default DEFERRED, a transaction that reads before it writes fails with "database is
# locked" as soon as a second process writes; IMMEDIATE waits for its turn, up to `timeout`.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
}


def use_pymysql() -> None:
    """Let PyMySQL, which needs no compiler, stand in where mysqlclient is not installed."""
    if find_spec("MySQLdb") is None:
        import pymysql

        pymysql.install_as_MySQLdb()
