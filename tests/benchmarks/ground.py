"""The rows that a workload begins with, and what is right in them: by SQL, past all models."""

from __future__ import annotations

from typing import Any

from django.core.management.color import no_style
from django.db import connection

from tests.benchmarks.contestants.base import ACCOUNT, COMMENT, POST, PROFILE, execute, fetch
from tests.benchmarks.contestants.hub import base as hub
from tests.benchmarks.workload import Rows

ANALYZE = {
    "postgresql": "VACUUM ANALYZE {}",
    "mysql": "ANALYZE TABLE {}",
    "sqlite": "ANALYZE",
}


class Ground:
    tables: tuple[str, ...]

    def __init__(self, work: Any) -> None:
        self.work = work

    def reset(self, rows: Rows) -> None:
        # On SQLite numbers may go on; setting them back needs a statement for each table.
        flush = connection.ops.sql_flush(
            no_style(), [*self.tables], reset_sequences=connection.vendor != "sqlite"
        )
        connection.ops.execute_sql_flush(flush)
        self.fill(rows)
        self.settle()

    def fill(self, rows: Rows) -> None:
        raise NotImplementedError

    def insert(self, table: str, columns: str, rows: list[str]) -> None:
        for start in range(0, len(rows), 5000):
            values = ", ".join(f"({row})" for row in rows[start : start + 5000])
            execute(f"INSERT INTO {table} ({columns}) VALUES {values}")

    def keys(self, table: str) -> list[Any]:
        return [pk for (pk,) in fetch(f"SELECT id FROM {table} ORDER BY id")]

    def settle(self) -> None:
        """Let every value be right."""
        self.correct()
        self.work.settle()
        self.analyze()

    def correct(self) -> None:
        raise NotImplementedError

    def make_drift(self, one_in: int) -> None:
        raise NotImplementedError

    def analyze(self) -> None:
        execute(ANALYZE[connection.vendor].format(", ".join(self.tables)))

    def verify(self) -> dict[str, Any]:
        """How many values are wrong; and what the sources are, to compare."""
        raise NotImplementedError


class CommonGround(Ground):
    tables = (PROFILE, ACCOUNT, COMMENT, POST)

    def fill(self, rows: Rows) -> None:
        self.insert(POST, "title, public_count", ["'A post', 0"] * rows.posts)
        # Not INSERT ... SELECT: MariaDB's triggers could not write the posts that it reads.
        comments = [f"{pk}, 'A comment', TRUE, '2026-01-01 00:00:00', 0" for pk in self.keys(POST)]
        for _ in range(rows.comments):
            self.insert(COMMENT, "post_id, text, is_public, created, score", comments)
        self.insert(ACCOUNT, "name, email", ["'Somebody', 'old@example.com'"] * rows.accounts)
        if rows.accounts:
            self.multiply(rows.accounts, rows.profiles)

    def multiply(self, accounts: int, profiles: int) -> None:
        """One profile for each account, and then as many again as are still missing."""
        done = 1
        columns = "account_id, about, email"
        execute(f"INSERT INTO {PROFILE} ({columns}) SELECT id, 'About me', email FROM {ACCOUNT}")
        while done < profiles:
            more = min(done, profiles - done) * accounts
            execute(
                f"INSERT INTO {PROFILE} ({columns}) SELECT {columns} FROM {PROFILE} "
                f"ORDER BY id LIMIT {more}"
            )
            done += more // accounts

    def correct(self) -> None:
        execute(
            f"UPDATE {POST} SET public_count = (SELECT COUNT(*) FROM {COMMENT} c "
            f"WHERE c.post_id = {POST}.id AND c.is_public)"
        )

    def grow(self, sources: int) -> None:
        """Double the posts, each with its ten comments, until there are so many comments."""
        while True:
            ((posts, first),) = fetch(f"SELECT COUNT(*), MIN(id) FROM {POST}")
            more = min(posts, sources // 10 - posts)
            if more <= 0:
                break
            execute(
                f"INSERT INTO {POST} (id, title, public_count) "
                f"SELECT id + {posts}, title, 0 FROM {POST} WHERE id < {first + more}"
            )
            execute(
                f"INSERT INTO {COMMENT} (post_id, text, is_public, created, score) "
                f"SELECT post_id + {posts}, text, is_public, created, score FROM {COMMENT} "
                f"WHERE post_id < {first + more}"
            )
            self.analyze()  # PostgreSQL would go on to check keys as it is best for few posts.
        self.settle()

    def make_drift(self, one_in: int) -> None:
        execute(f"UPDATE {POST} SET public_count = public_count + 1 WHERE id %% %s = 0", [one_in])
        if connection.vendor == "postgresql":
            execute(f"VACUUM ANALYZE {POST}")

    def verify(self) -> dict[str, Any]:
        ((posts,),) = fetch(
            f"SELECT COUNT(*) FROM {POST} p WHERE p.public_count <> (SELECT COUNT(*) "
            f"FROM {COMMENT} c WHERE c.post_id = p.id AND c.is_public)"
        )
        ((profiles,),) = fetch(
            f"SELECT COUNT(*) FROM {PROFILE} p JOIN {ACCOUNT} a ON a.id = p.account_id "
            "WHERE p.email <> a.email"
        )
        ((comments,),) = fetch(f"SELECT COUNT(*) FROM {COMMENT}")
        ((public,),) = fetch(f"SELECT COUNT(*) FROM {COMMENT} WHERE is_public")
        ((new,),) = fetch(f"SELECT COUNT(*) FROM {ACCOUNT} WHERE email <> 'old@example.com'")
        ((edited,),) = fetch(f"SELECT COUNT(*) FROM {COMMENT} WHERE text = 'A new text'")
        wrong = posts + profiles + self.work.other_wrong()
        return {"wrong": wrong, "sources": (comments, public, new, edited)}


class HubGround(Ground):
    """Ten posts to a blog; authors and topics take turns."""

    tables = (hub.COMMENT, hub.POST, hub.TOPIC, hub.AUTHOR, hub.BLOG)
    authors, topics = 50, 20
    columns = "post_id, author_id, topic_id, is_public, score, rating, created, blog_name"

    def fill(self, rows: Rows) -> None:
        counts = "comment_count, public_count"
        blogs = max(rows.posts // 10, 3)
        named = [f"'Blog {number}', 0, 0" for number in range(blogs)]
        self.insert(hub.BLOG, "name, comment_count, comment_total", named)
        self.insert(
            hub.AUTHOR, "name, is_active, comment_count", ["'Somebody', TRUE, 0"] * self.authors
        )
        self.insert(hub.TOPIC, counts, ["0, 0"] * self.topics)
        blog_keys = self.keys(hub.BLOG)
        posts = [f"{blog_keys[n % blogs]}, 0, 0, 0, 0" for n in range(rows.posts)]
        self.insert(hub.POST, f"blog_id, {counts}, active_count, score_sum", posts)
        parents = [self.keys(table) for table in (hub.POST, hub.AUTHOR, hub.TOPIC)]
        comments = []
        for number in range(rows.posts * rows.comments):
            post, author, topic = (all_[number % len(all_)] for all_ in parents)
            rating = number % 5 or "NULL"
            created = f"2026-{number % 12 + 1:02}-01 00:00:00"
            score = 3 * number % hub.SCORES
            comments.append(f"{post}, {author}, {topic}, TRUE, {score}, {rating}, '{created}', ''")
        self.insert(hub.COMMENT, self.columns, comments)

    def correct(self) -> None:
        for table in hub.RIGHT:
            hub.recount(table)

    def verify(self) -> dict[str, Any]:
        wrong = sum(
            fetch(f"SELECT COUNT(*) FROM {table} WHERE {differs(f'{table}.{column}', value)}")[0][0]
            for table, columns in hub.RIGHT.items()
            for column, value in columns.items()
        )
        ((comments, scores),) = fetch(f"SELECT COUNT(*), SUM(score) FROM {hub.COMMENT}")
        ((public,),) = fetch(f"SELECT COUNT(*) FROM {hub.COMMENT} WHERE is_public")
        return {"wrong": wrong, "sources": (comments, public, scores)}


def differs(stored: str, right: str) -> str:
    # An average has as many places as the database gives it.
    values = f"ABS({stored} - {right}) > 0.001" if "_avg" in stored else f"{stored} <> {right}"
    return f"({values} OR ({stored} IS NULL) <> ({right} IS NULL))"


def ground(work: Any) -> Ground:
    return HubGround(work) if isinstance(work, hub.BaseWork) else CommonGround(work)
