"""Triggers in the database: for each row, or on PostgreSQL for each statement."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from tests.benchmarks.contestants import base
from tests.benchmarks.contestants.base import ACCOUNT, COMMENT, POST, PROFILE


class Post(base.BasePost):
    pass


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    pass


def add(row: str, sign: str) -> str:
    return (
        f"UPDATE {POST} SET public_count = public_count {sign} 1 "
        f"WHERE id = {row}.post_id AND {row}.is_public;"
    )


COPY = f"UPDATE {PROFILE} SET email = NEW.email WHERE account_id = NEW.id;"
COUNTED = "OLD.post_id <> NEW.post_id OR OLD.is_public <> NEW.is_public"


def function(name: str, body: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN {body} RETURN NULL; END$$"
    )


def row_postgresql() -> list[str]:
    return [
        function("added", add("NEW", "+")),
        function("removed", add("OLD", "-")),
        function("changed", add("OLD", "-") + add("NEW", "+")),
        function("copied", COPY),
        f"CREATE TRIGGER added AFTER INSERT ON {COMMENT} FOR EACH ROW EXECUTE FUNCTION added()",
        f"CREATE TRIGGER removed AFTER DELETE ON {COMMENT} FOR EACH ROW EXECUTE FUNCTION removed()",
        f"CREATE TRIGGER changed AFTER UPDATE ON {COMMENT} FOR EACH ROW WHEN ({COUNTED}) "
        "EXECUTE FUNCTION changed()",
        f"CREATE TRIGGER copied AFTER UPDATE ON {ACCOUNT} FOR EACH ROW "
        "WHEN (OLD.email <> NEW.email) EXECUTE FUNCTION copied()",
    ]


def row_sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER added AFTER INSERT ON {COMMENT} BEGIN {add('NEW', '+')} END",
        f"CREATE TRIGGER removed AFTER DELETE ON {COMMENT} BEGIN {add('OLD', '-')} END",
        f"CREATE TRIGGER changed AFTER UPDATE ON {COMMENT} WHEN {COUNTED} "
        f"BEGIN {add('OLD', '-')} {add('NEW', '+')} END",
        f"CREATE TRIGGER copied AFTER UPDATE ON {ACCOUNT} WHEN OLD.email <> NEW.email "
        f"BEGIN {COPY} END",
    ]


def row_mysql() -> list[str]:
    return [
        f"CREATE TRIGGER added AFTER INSERT ON {COMMENT} FOR EACH ROW {add('NEW', '+')}",
        f"CREATE TRIGGER removed AFTER DELETE ON {COMMENT} FOR EACH ROW {add('OLD', '-')}",
        f"CREATE TRIGGER changed AFTER UPDATE ON {COMMENT} FOR EACH ROW "
        f"IF {COUNTED} THEN {add('OLD', '-')} {add('NEW', '+')} END IF",
        f"CREATE TRIGGER copied AFTER UPDATE ON {ACCOUNT} FOR EACH ROW "
        f"IF OLD.email <> NEW.email THEN {COPY} END IF",
    ]


def statement_postgresql() -> list[str]:
    def body(rows: str) -> str:
        return (
            f"UPDATE {POST} SET public_count = public_count + t.n FROM "
            f"(SELECT post_id, SUM(n) AS n FROM ({rows}) r GROUP BY post_id) t "
            f"WHERE t.post_id = {POST}.id AND t.n <> 0;"
        )

    new = "SELECT post_id, is_public::int AS n FROM new_rows"
    old = "SELECT post_id, -is_public::int AS n FROM old_rows"
    copy = (
        f"UPDATE {PROFILE} SET email = n.email FROM new_rows n JOIN old_rows o ON o.id = n.id "
        f"WHERE account_id = n.id AND n.email <> o.email;"
    )
    tables = "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
    return [
        function("added", body(new)),
        function("removed", body(old)),
        function("changed", body(f"{old} UNION ALL {new}")),
        function("copied", copy),
        f"CREATE TRIGGER added AFTER INSERT ON {COMMENT} REFERENCING NEW TABLE AS new_rows "
        "FOR EACH STATEMENT EXECUTE FUNCTION added()",
        f"CREATE TRIGGER removed AFTER DELETE ON {COMMENT} REFERENCING OLD TABLE AS old_rows "
        "FOR EACH STATEMENT EXECUTE FUNCTION removed()",
        f"CREATE TRIGGER changed AFTER UPDATE ON {COMMENT} {tables} "
        "FOR EACH STATEMENT EXECUTE FUNCTION changed()",
        f"CREATE TRIGGER copied AFTER UPDATE ON {ACCOUNT} {tables} "
        "FOR EACH STATEMENT EXECUTE FUNCTION copied()",
    ]


STATEMENTS = {
    ("row_trigger", "postgresql"): row_postgresql,
    ("row_trigger", "sqlite"): row_sqlite,
    ("row_trigger", "mysql"): row_mysql,
    ("statement_trigger", "postgresql"): statement_postgresql,
}


class Work(base.BaseWork):
    def install(self) -> None:
        for statement in STATEMENTS[settings.CONTESTANT, connection.vendor]():
            with connection.cursor() as cursor:
                cursor.execute(statement)
