"""Receivers as an expert tunes them: a locking SELECT, and one ready-made UPDATE for each table.

The row is locked before what it refers to, the posts before authors, topics and blogs. MariaDB
locks all of these before the INSERT, which would share their locks.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from tests.benchmarks.contestants.hub import base
from tests.benchmarks.contestants.hub.base import AUTHOR, BLOG, COMMENT, POST, TOPIC

LOCK = {"postgresql": " FOR NO KEY UPDATE OF {}", "mysql": " FOR UPDATE"}.get(connection.vendor, "")
COLUMNS = ("post", "author", "topic", "is_public", "score", "rating", "created", "is_active")
READ = (
    "SELECT c.post_id, c.author_id, c.topic_id, c.is_public, c.score, c.rating, c.created, "
    f"a.is_active FROM {COMMENT} c JOIN {AUTHOR} a ON a.id = c.author_id WHERE c.id = %(pk)s"
    + LOCK.format("c")
)
PARENTS = (
    f"SELECT p.id, p.blog_id, b.name, a.is_active FROM {POST} p JOIN {BLOG} b ON b.id = p.blog_id, "
    f"{AUTHOR} a, {TOPIC} t WHERE p.id IN (%(post)s, %(old_post)s) AND a.id = %(author)s "
    "AND t.id = %(topic)s ORDER BY p.id" + LOCK.format("p")
)


def added(key: str, value: str = "1", old_value: str | None = None) -> str:
    """What the row adds to the one that it refers to, and took from the one it referred to."""
    return (
        f" + CASE WHEN id = %({key})s THEN {value} ELSE 0 END"
        f" - CASE WHEN id = %(old_{key})s THEN {old_value or value} ELSE 0 END"
    )


def of_row(name: str) -> tuple[str, str]:
    return f"%({name})s", f"%(old_{name})s"


def evaluated(value: str) -> str:
    return f"(SELECT {value} FROM {COMMENT} c WHERE c.post_id = {POST}.id)"


def extreme(column: str, value: str, name: str, sign: str) -> str:
    """What comes may be more; where the extreme itself goes, it is sought for."""
    return (
        f"{column} = CASE WHEN id = %(post)s AND ({column} IS NULL OR {column} {sign} %({name})s) "
        f"THEN %({name})s WHEN id = %(old_post)s AND {column} = %(old_{name})s "
        f"THEN {evaluated(value)} ELSE {column} END"
    )


COUNT, SCORE = added("post"), added("post", *of_row("score"))
PUBLIC = of_row("is_public")
# MariaDB assigns from left to right, and sees what it has assigned: the average comes first.
UPDATE_POST = f"""UPDATE {POST} SET
    score_avg = 1e0 * (score_sum{SCORE}) / NULLIF(comment_count{COUNT}, 0),
    comment_count = comment_count{COUNT},
    public_count = public_count{added("post", *PUBLIC)},
    active_count = active_count{added("post", *of_row("is_active"))},
    score_sum = score_sum{SCORE},
    rating_sum = CASE
        WHEN id = %(old_post)s AND %(old_rating)s IS NOT NULL THEN {evaluated("SUM(c.rating)")}
        WHEN id = %(post)s AND %(rating)s IS NOT NULL THEN COALESCE(rating_sum, 0) + %(rating)s
        ELSE rating_sum END,
    {extreme("best", "MAX(c.score)", "score", "<=")},
    {extreme("first_at", "MIN(c.created)", "created", ">=")},
    {extreme("last_at", "MAX(c.created)", "created", "<=")}
    WHERE id IN (%(post)s, %(old_post)s)"""
UPDATE_AUTHOR = (
    f"UPDATE {AUTHOR} SET comment_count = comment_count{added('author')} "
    "WHERE id IN (%(author)s, %(old_author)s)"
)
UPDATE_TOPIC = (
    f"UPDATE {TOPIC} SET comment_count = comment_count{added('topic')}, "
    f"public_count = public_count{added('topic', *PUBLIC)} WHERE id IN (%(topic)s, %(old_topic)s)"
)
UPDATE_BLOG = (
    f"UPDATE {BLOG} SET comment_count = comment_count{added('blog')}, "
    f"comment_total = comment_total{added('blog')} WHERE id IN (%(blog)s, %(old_blog)s)"
)
OF_POST = ("post", "is_public", "is_active", "score", "rating", "created")
WATCHED = {
    UPDATE_POST: OF_POST,
    UPDATE_AUTHOR: ("author",),
    UPDATE_TOPIC: ("topic", "is_public"),
    UPDATE_BLOG: ("blog",),
}
NOTHING = dict.fromkeys((*COLUMNS, "blog"))


class Blog(base.BaseBlog):
    pass


class Author(base.BaseAuthor):
    pass


class Topic(base.BaseTopic):
    pass


class Post(base.BasePost):
    pass


class Comment(base.BaseComment):
    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic(savepoint=False):
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic(savepoint=False):
            self.old = read(self)
            locked(NOTHING, self.old)
            return super().delete(*args, **kwargs)


def read(instance: Any) -> dict[str, Any]:
    (row,) = base.fetch(READ, {"pk": instance.pk})
    return dict(zip(COLUMNS, row, strict=True))


def values(instance: Any) -> dict[str, Any]:
    adapt = connection.ops.adapt_datetimefield_value
    return {
        "post": instance.post_id,
        "author": instance.author_id,
        "topic": instance.topic_id,
        "is_public": int(instance.is_public),
        "score": instance.score,
        "rating": instance.rating,
        "created": adapt(instance.created),
    }


def locked(new: dict[str, Any], old: dict[str, Any]) -> None:
    """Lock the posts, and add to both rows what else there is to know of them."""
    known = new if new["post"] else old
    parameters = {name: known[name] for name in ("post", "author", "topic")}
    rows = base.fetch(PARENTS, {**parameters, "old_post": old["post"]})
    blogs = {pk: (blog, name, is_active) for pk, blog, name, is_active in rows}
    if new["post"]:
        new["blog"], new["blog_name"], new["is_active"] = blogs[new["post"]]
        new["is_active"] = int(new["is_active"])
    if old["post"]:
        old["blog"] = blogs[old["post"]][0]


@receiver(pre_save, sender=Comment)
def read_and_lock(instance: Any, **_: Any) -> None:
    old = dict(NOTHING) if instance._state.adding else read(instance)
    new = values(instance)
    locked(new, old)
    instance.blog_name = new["blog_name"]
    instance.known = new, old


@receiver(post_save, sender=Comment)
def add(instance: Any, **_: Any) -> None:
    apply(*instance.known)


@receiver(post_delete, sender=Comment)
def take_back(instance: Any, **_: Any) -> None:
    apply(NOTHING, instance.old)


def apply(new: dict[str, Any], old: dict[str, Any]) -> None:
    parameters = {**new, **{f"old_{name}": as_number(value) for name, value in old.items()}}
    if new["rating"] == old["rating"] and new["post"] == old["post"]:
        parameters["rating"] = parameters["old_rating"] = None
    for sql, names in WATCHED.items():
        if any(parameters[name] != parameters[f"old_{name}"] for name in names):
            base.execute(sql, parameters)


def as_number(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


class Work(base.HandWork):
    def bulk_create(self, comments: list[Any]) -> None:
        for each in comments:
            each.blog_name = each.post.blog.name
        with transaction.atomic(savepoint=False):
            super().bulk_create(comments)
            self.count_anew([(each.post_id, each.author_id, each.topic_id) for each in comments])

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        with transaction.atomic(savepoint=False):
            super().update(pks, is_public)
            self.count_anew(self.keys(pks))

    def delete_many(self, pks: tuple[Any, Any]) -> None:
        """Without the instances, which the receivers would need."""
        with transaction.atomic(savepoint=False):
            keys = self.keys(pks)
            chosen = Comment.objects.filter(pk__range=pks)
            chosen._raw_delete(chosen.db)
            self.count_anew(keys)
