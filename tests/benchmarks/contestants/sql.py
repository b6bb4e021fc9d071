"""The limit: SQL written by hand for just this, sent through a cursor."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from tests.benchmarks.contestants import base
from tests.benchmarks.contestants.base import ACCOUNT, COMMENT, POST, PROFILE, execute, fetch


class Post(base.BasePost):
    pass


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    pass


COLUMNS = "post_id, text, is_public, created, score"
TRUTH = f"SELECT post_id, COUNT(*) AS n FROM {COMMENT} WHERE is_public GROUP BY post_id"
ADD = f"UPDATE {POST} SET public_count = public_count + %s WHERE id = %s"


def add(sums: list[tuple[Any, int]]) -> None:
    """Add to each post its sum, by one UPDATE for each amount."""
    amounts: dict[int, list[Any]] = {}
    for post, amount in sums:
        amounts.setdefault(amount, []).append(post)
    for amount, posts in amounts.items():
        chosen = ", ".join(map(str, posts))
        execute(
            f"UPDATE {POST} SET public_count = public_count + %s WHERE id IN ({chosen})", [amount]
        )


class Work(base.BaseWork):
    cannot = ("load",)

    def create(self, post: Any) -> None:
        with transaction.atomic(savepoint=False):
            if connection.vendor == "mysql":
                execute(ADD, [1, post.pk])
            execute(
                f"INSERT INTO {COMMENT} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)",
                [post.pk, "A new comment", True, timezone.now(), 0],
            )
            if connection.vendor != "mysql":
                execute(ADD, [1, post.pk])

    def flip(self, comment: Any) -> None:
        comment.is_public = not comment.is_public
        with transaction.atomic(savepoint=False):
            changed = execute(
                f"UPDATE {COMMENT} SET is_public = %s WHERE id = %s AND is_public = %s",
                [comment.is_public, comment.pk, not comment.is_public],
            )
            if changed:
                execute(ADD, [1 if comment.is_public else -1, comment.post_id])

    def move(self, comment: Any, post: Any) -> None:
        with transaction.atomic(savepoint=False):
            execute(f"UPDATE {COMMENT} SET post_id = %s WHERE id = %s", [post.pk, comment.pk])
            if comment.is_public:
                execute(
                    f"UPDATE {POST} SET public_count = public_count + "
                    "CASE WHEN id = %s THEN 1 ELSE -1 END WHERE id IN (%s, %s)",
                    [post.pk, post.pk, comment.post_id],
                )

    def edit(self, comment: Any) -> None:
        execute(f"UPDATE {COMMENT} SET text = %s WHERE id = %s", ["A new text", comment.pk])

    edit_field = edit

    def delete(self, comment: Any) -> None:
        with transaction.atomic(savepoint=False):
            execute(f"DELETE FROM {COMMENT} WHERE id = %s", [comment.pk])
            if comment.is_public:
                execute(ADD, [-1, comment.post_id])

    def bulk_create(self, posts: list[Any]) -> None:
        with transaction.atomic(savepoint=False):
            now, size = timezone.now(), 1000
            for start in range(0, len(posts), size):
                part = posts[start : start + size]
                values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(part))
                rows = [(post.pk, "A comment", True, now, 0) for post in part]
                execute(
                    f"INSERT INTO {COMMENT} ({COLUMNS}) VALUES {values}",
                    [value for row in rows for value in row],
                )
            sums: dict[Any, int] = {}
            for post in posts:
                sums[post.pk] = sums.get(post.pk, 0) + 1
            add(list(sums.items()))

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        with transaction.atomic(savepoint=False):
            changed = "id BETWEEN %s AND %s AND is_public = %s"
            sums = fetch(
                f"SELECT post_id, COUNT(*) FROM {COMMENT} WHERE {changed} GROUP BY post_id",
                [*pks, not is_public],
            )
            execute(
                f"UPDATE {COMMENT} SET is_public = %s WHERE {changed}",
                [is_public, *pks, not is_public],
            )
            add([(post, n if is_public else -n) for post, n in sums])

    def delete_many(self, pks: tuple[Any, Any]) -> None:
        with transaction.atomic(savepoint=False):
            sums = fetch(
                f"SELECT post_id, COUNT(*) FROM {COMMENT} "
                "WHERE id BETWEEN %s AND %s AND is_public GROUP BY post_id",
                pks,
            )
            execute(f"DELETE FROM {COMMENT} WHERE id BETWEEN %s AND %s", pks)
            add([(post, -n) for post, n in sums])

    def change_email(self, account: Any, email: str) -> None:
        with transaction.atomic(savepoint=False):
            execute(f"UPDATE {ACCOUNT} SET email = %s WHERE id = %s", [email, account.pk])
            execute(f"UPDATE {PROFILE} SET email = %s WHERE account_id = %s", [email, account.pk])

    def reconcile(self) -> None:
        if connection.vendor == "mysql":
            execute(
                f"UPDATE {POST} p LEFT JOIN ({TRUTH}) t ON t.post_id = p.id "
                "SET p.public_count = COALESCE(t.n, 0) "
                "WHERE p.public_count <> COALESCE(t.n, 0)"
            )
        else:
            execute(
                f"UPDATE {POST} SET public_count = t.n FROM (SELECT p.id, COALESCE(s.n, 0) AS n "
                f"FROM {POST} p LEFT JOIN ({TRUTH}) s ON s.post_id = p.id) t "
                f"WHERE t.id = {POST}.id AND {POST}.public_count <> t.n"
            )
