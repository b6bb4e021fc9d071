"""Triggers in PostgreSQL, for each row or for each statement: one UPDATE for each table.

The posts are locked before they are aggregated: what others have committed meanwhile is then seen.
"""

from __future__ import annotations

from django.conf import settings

from tests.benchmarks.contestants.hub import base
from tests.benchmarks.contestants.hub.base import AUTHOR, BLOG, COMMENT, POST, RIGHT, TOPIC
from tests.benchmarks.contestants.hub.none import Author, Blog, Comment, Post, Topic

__all__ = ["Author", "Blog", "Comment", "Post", "Topic", "Work"]

COLUMNS = ("post_id", "author_id", "topic_id", "is_public", "score", "rating", "created")
COUNTED = ("comment_count", "public_count", "active_count", "score_sum")


def body(rows: str) -> str:
    """``rows``: those that changed, each with its sign."""
    added = ", ".join(f"{name} = {POST}.{name} + t.{name}" for name in COUNTED)
    evaluated = ", ".join(
        f"{name} = {value}" for name, value in RIGHT[POST].items() if name not in COUNTED
    )
    return f"""
        PERFORM 1 FROM {POST} WHERE id IN (SELECT post_id FROM ({rows}) r)
            ORDER BY id FOR NO KEY UPDATE;
        UPDATE {POST} SET {added}, {evaluated} FROM (
            SELECT r.post_id, SUM(sign) AS comment_count,
            SUM(sign * is_public::int) AS public_count, SUM(sign * is_active::int) AS active_count,
            SUM(sign * score) AS score_sum
            FROM ({rows}) r JOIN {AUTHOR} a ON a.id = r.author_id GROUP BY 1
        ) t WHERE t.post_id = {POST}.id;
        UPDATE {AUTHOR} SET comment_count = comment_count + t.n FROM (
            SELECT author_id, SUM(sign) AS n FROM ({rows}) r GROUP BY 1
        ) t WHERE t.author_id = {AUTHOR}.id AND t.n <> 0;
        UPDATE {TOPIC} SET comment_count = comment_count + t.n,
        public_count = public_count + t.public FROM (
            SELECT topic_id, SUM(sign) AS n, SUM(sign * is_public::int) AS public
            FROM ({rows}) r GROUP BY 1
        ) t WHERE t.topic_id = {TOPIC}.id AND (t.n <> 0 OR t.public <> 0);
        UPDATE {BLOG} SET comment_count = comment_count + t.n, comment_total = comment_total + t.n
        FROM (
            SELECT blog_id, SUM(sign) AS n FROM ({rows}) r JOIN {POST} p ON p.id = r.post_id
            GROUP BY 1
        ) t WHERE t.blog_id = {BLOG}.id AND t.n <> 0;
    """


def function(name: str, text: str, result: str = "NULL") -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN {text} RETURN {result}; END$$"
    )


def trigger(name: str, when: str, how: str) -> str:
    return f"CREATE TRIGGER {name} {when} ON {COMMENT} {how} EXECUTE FUNCTION {name}()"


COPY = [
    function(
        "copied",
        f"SELECT b.name INTO NEW.blog_name FROM {POST} p JOIN {BLOG} b ON b.id = p.blog_id "
        "WHERE p.id = NEW.post_id;",
        "NEW",
    ),
    trigger("copied", "BEFORE INSERT OR UPDATE OF post_id", "FOR EACH ROW"),
]


def functions(new: str, old: str) -> list[str]:
    return [
        function("added", body(new)),
        function("removed", body(old)),
        function("changed", body(f"{old} UNION ALL {new}")),
    ]


def for_each_row() -> list[str]:
    def row(name: str, sign: int) -> str:
        return f"SELECT {', '.join(f'{name}.{each}' for each in COLUMNS)}, {sign} AS sign"

    how = "FOR EACH ROW"
    return [
        *functions(row("NEW", 1), row("OLD", -1)),
        trigger("added", "AFTER INSERT", how),
        trigger("removed", "AFTER DELETE", how),
        trigger("changed", "AFTER UPDATE", f"{how} WHEN (OLD IS DISTINCT FROM NEW)"),
    ]


def for_each_statement() -> list[str]:
    columns, how = ", ".join(COLUMNS), "FOR EACH STATEMENT"
    new, old = "NEW TABLE AS new_rows", "OLD TABLE AS old_rows"
    return [
        *functions(
            f"SELECT {columns}, 1 AS sign FROM new_rows",
            f"SELECT {columns}, -1 AS sign FROM old_rows",
        ),
        trigger("added", "AFTER INSERT", f"REFERENCING {new} {how}"),
        trigger("removed", "AFTER DELETE", f"REFERENCING {old} {how}"),
        trigger("changed", "AFTER UPDATE", f"REFERENCING {old} {new} {how}"),
    ]


class Work(base.BaseWork):
    def install(self) -> None:
        by_row = settings.CONTESTANT == "hub_row_trigger"
        for statement in (*COPY, *(for_each_row() if by_row else for_each_statement())):
            base.execute(statement)
