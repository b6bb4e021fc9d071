"""Receivers as careful developers write them: one UPDATE with ``F()`` for each counter.

What cannot be counted up and down is aggregated anew, for all fields of the post together.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import connection, transaction
from django.db.models import Avg, F, Max, Min, Sum
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from tests.benchmarks.contestants.hub import base

LOCK = {"no_key": True, "of": ["self"]} if connection.vendor == "postgresql" else {}
AGGREGATED = ("post_id", "score", "rating", "created")


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
        with transaction.atomic():
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic():
            return super().delete(*args, **kwargs)


@receiver(pre_save, sender=Comment)
def remember(instance: Any, **_: Any) -> None:
    instance.old = None
    if not instance._state.adding:
        rows = Comment.objects.select_related("post", "author").select_for_update(**LOCK)
        instance.old = rows.filter(pk=instance.pk).first()
    instance.blog_name = instance.post.blog.name


@receiver(post_save, sender=Comment)
def count(instance: Any, **_: Any) -> None:
    change = counted(instance, 1)
    if old := instance.old:
        change.update(counted(old, -1))
    add(change)
    if not old or any(getattr(old, name) != getattr(instance, name) for name in AGGREGATED):
        aggregate({instance.post_id, old.post_id} if old else {instance.post_id})


@receiver(post_delete, sender=Comment)
def discount(instance: Any, **_: Any) -> None:
    add(counted(instance, -1))
    aggregate({instance.post_id})


def counted(comment: Any, sign: int) -> Counter[Any]:
    """What a comment counts: ``(model, primary key, field)`` and the amount."""
    post, topic, blog = comment.post_id, comment.topic_id, comment.post.blog_id
    return Counter(
        {
            (Post, post, "comment_count"): sign,
            (Post, post, "public_count"): sign * comment.is_public,
            (Post, post, "active_count"): sign * comment.author.is_active,
            (Post, post, "score_sum"): sign * comment.score,
            (Author, comment.author_id, "comment_count"): sign,
            (Topic, topic, "comment_count"): sign,
            (Topic, topic, "public_count"): sign * comment.is_public,
            (Blog, blog, "comment_count"): sign,
            (Blog, blog, "comment_total"): sign,
        }
    )


def add(change: Counter[Any]) -> None:
    for (model, pk, name), amount in change.items():
        if amount:
            model.objects.filter(pk=pk).update(**{name: F(name) + amount})


def aggregate(posts: set[Any]) -> None:
    for pk in sorted(posts):
        values = Comment.objects.filter(post=pk).aggregate(
            rating_sum=Sum("rating"),
            score_avg=Avg("score"),
            best=Max("score"),
            first_at=Min("created"),
            last_at=Max("created"),
        )
        Post.objects.filter(pk=pk).update(**values)


class Work(base.HandWork):
    def recount(self, table: str, pks: set[Any]) -> None:
        """One UPDATE for each field."""
        chosen = ", ".join(map(str, sorted(pks)))
        for column, value in base.RIGHT[table].items():
            base.execute(f"UPDATE {table} SET {column} = {value} WHERE id IN ({chosen})")

    def bulk_create(self, comments: list[Any]) -> None:
        for each in comments:
            each.blog_name = each.post.blog.name
        with transaction.atomic():
            super().bulk_create(comments)
            self.count_anew([(each.post_id, each.author_id, each.topic_id) for each in comments])

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        with transaction.atomic():
            super().update(pks, is_public)
            self.count_anew(self.keys(pks))
