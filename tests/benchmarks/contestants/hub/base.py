"""The columns that all share, what is right in them, and the work as the ORM does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from django.apps import apps
from django.db import connection, models

BLOG = "benchmarks_blog"
AUTHOR = "benchmarks_author"
TOPIC = "benchmarks_topic"
POST = "benchmarks_post"
COMMENT = "benchmarks_comment"

NEWEST = datetime(2027, 1, 1, tzinfo=timezone.utc)
SCORES = 20


class BaseBlog(models.Model):
    name = models.CharField(max_length=50)
    comment_count = models.IntegerField(default=0)
    comment_total = models.IntegerField(default=0)

    class Meta:
        abstract = True
        app_label = "benchmarks"


class BaseAuthor(models.Model):
    name = models.CharField(max_length=50)
    is_active = models.BooleanField(default=True)
    comment_count = models.IntegerField(default=0)

    class Meta:
        abstract = True
        app_label = "benchmarks"


class BaseTopic(models.Model):
    comment_count = models.IntegerField(default=0)
    public_count = models.IntegerField(default=0)

    class Meta:
        abstract = True
        app_label = "benchmarks"


class BasePost(models.Model):
    blog = models.ForeignKey("benchmarks.Blog", models.CASCADE, related_name="posts")
    comment_count = models.IntegerField(default=0)
    public_count = models.IntegerField(default=0)
    active_count = models.IntegerField(default=0)
    score_sum = models.IntegerField(default=0)
    rating_sum = models.IntegerField(null=True)
    score_avg = models.FloatField(null=True)
    best = models.IntegerField(null=True)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        app_label = "benchmarks"


class BaseComment(models.Model):
    post = models.ForeignKey("benchmarks.Post", models.CASCADE, related_name="comments")
    author = models.ForeignKey("benchmarks.Author", models.CASCADE, related_name="comments")
    topic = models.ForeignKey("benchmarks.Topic", models.CASCADE, related_name="comments")
    is_public = models.BooleanField(default=True)
    score = models.IntegerField(default=0)
    rating = models.IntegerField(null=True)
    created = models.DateTimeField()
    blog_name = models.CharField(max_length=50)

    class Meta:
        abstract = True
        app_label = "benchmarks"


# What is right ---------------------------------------------------------------------------------


def of_comments(table: str, value: str) -> str:
    """Of the comments of a row of ``table``, which has the name of their column."""
    column = table.removeprefix("benchmarks_")
    return (
        f"(SELECT {value} FROM {COMMENT} c JOIN {AUTHOR} a ON a.id = c.author_id "
        f"WHERE c.{column}_id = {table}.id)"
    )


def how_many(condition: str) -> str:
    return f"COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"


OF_BLOG = (
    f"(SELECT COUNT(*) FROM {COMMENT} c JOIN {POST} p ON p.id = c.post_id "
    f"WHERE p.blog_id = {BLOG}.id)"
)
RIGHT: dict[str, dict[str, str]] = {
    POST: {
        "comment_count": of_comments(POST, "COUNT(*)"),
        "public_count": of_comments(POST, how_many("c.is_public")),
        "active_count": of_comments(POST, how_many("a.is_active")),
        "score_sum": of_comments(POST, "COALESCE(SUM(c.score), 0)"),
        "rating_sum": of_comments(POST, "SUM(c.rating)"),
        "score_avg": of_comments(POST, "AVG(c.score)"),
        "best": of_comments(POST, "MAX(c.score)"),
        "first_at": of_comments(POST, "MIN(c.created)"),
        "last_at": of_comments(POST, "MAX(c.created)"),
    },
    AUTHOR: {"comment_count": of_comments(AUTHOR, "COUNT(*)")},
    TOPIC: {
        "comment_count": of_comments(TOPIC, "COUNT(*)"),
        "public_count": of_comments(TOPIC, how_many("c.is_public")),
    },
    BLOG: {"comment_count": OF_BLOG, "comment_total": OF_BLOG},
    COMMENT: {
        "blog_name": f"(SELECT b.name FROM {POST} p JOIN {BLOG} b ON b.id = p.blog_id "
        f"WHERE p.id = {COMMENT}.post_id)"
    },
}
"""``{table: {column: subquery}}``"""


def recount(table: str, pks: Iterable[Any] | None = None) -> None:
    """Give rows, or all, their right values by one UPDATE."""
    values = ", ".join(f"{column} = {value}" for column, value in RIGHT[table].items())
    chosen = "" if pks is None else f" WHERE id IN ({', '.join(map(str, sorted(pks)))})"
    execute(f"UPDATE {table} SET {values}{chosen}")


def execute(sql: str, parameters: Mapping[str, Any] | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


def fetch(sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


# The work --------------------------------------------------------------------------------------


class BaseWork:
    """What the workloads do. A contestant replaces what its users would write differently."""

    cannot: tuple[str, ...] = ()
    """Workloads that it has no way to do."""

    make_drift: Callable[[int], None]

    def __init__(self) -> None:
        self.Author = apps.get_model("benchmarks", "Author")
        self.Topic = apps.get_model("benchmarks", "Topic")
        self.Post = apps.get_model("benchmarks", "Post")
        self.Comment = apps.get_model("benchmarks", "Comment")
        self.number = 0

    def install(self) -> None:
        """Called once, when the tables are there."""

    def settle(self) -> None:
        """Called when rows were put into the tables by SQL, with values that are right."""

    def new(self, post: Any, author: Any, topic: Any) -> Any:
        """A comment that is younger than all others, with any score."""
        self.number += 1
        return self.Comment(
            post=post,
            author=author,
            topic=topic,
            score=7 * self.number % SCORES,
            rating=self.number % 5 or None,
            created=NEWEST + timedelta(seconds=self.number),
        )

    def create(self, post: Any, author: Any, topic: Any) -> Any:
        comment = self.new(post, author, topic)
        comment.save()
        return comment

    def flip(self, comment: Any) -> None:
        comment.is_public = not comment.is_public
        comment.save()

    def change_score(self, comment: Any, score: int) -> None:
        comment.score = score
        comment.save()

    def move(self, comment: Any, post: Any, author: Any) -> None:
        comment.post, comment.author = post, author
        comment.save()

    def delete(self, comment: Any) -> None:
        comment.delete()

    def bulk_create(self, comments: list[Any]) -> None:
        self.Comment.objects.bulk_create(comments)

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        self.Comment.objects.filter(pk__range=pks).update(is_public=is_public)

    def delete_many(self, pks: tuple[Any, Any]) -> None:
        self.Comment.objects.filter(pk__range=pks).delete()


class HandWork(BaseWork):
    """Bulk methods send no signals, so those who call them count anew by hand."""

    def recount(self, table: str, pks: set[Any]) -> None:
        recount(table, pks)

    def count_anew(self, keys: list[tuple[Any, ...]]) -> None:
        """Of the post, author and topic of comments; and of what these belong to."""
        columns = [set(each) for each in zip(*keys, strict=True)]
        for table, pks in zip((POST, AUTHOR, TOPIC), columns, strict=True):
            self.recount(table, pks)
        posts = self.Post.objects.filter(pk__in=columns[0])
        self.recount(BLOG, set(posts.values_list("blog_id", flat=True)))

    def keys(self, pks: tuple[Any, Any]) -> list[tuple[Any, ...]]:
        chosen = self.Comment.objects.filter(pk__range=pks)
        return [*chosen.values_list("post_id", "author_id", "topic_id").distinct()]
