"""django-denorm-iplweb: counts and sums by row triggers, all else by a queue for ``flush()``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from denorm import CountField, denormalized, depend_on_related, flush
from denorm.fields import SumField
from django.db import models
from django.db.models import Avg, Max, Min, Sum

from tests.benchmarks.contestants.hub import base


class Blog(models.Model):
    name = models.CharField(max_length=50)
    comment_count = SumField("posts", field="comment_count")
    comment_total = SumField("posts", field="comment_count")


class Author(models.Model):
    name = models.CharField(max_length=50)
    is_active = models.BooleanField(default=True)
    comment_count = CountField("comments")


class Topic(models.Model):
    comment_count = CountField("comments")
    public_count = CountField("comments", filter={"is_public": True})


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
    comment_count = CountField("comments")
    public_count = CountField("comments", filter={"is_public": True})
    score_sum = SumField("comments", field="score")

    @denormalized(models.IntegerField, default=0)
    @depend_on_related("Comment")
    def active_count(self) -> int:
        return self.comments.filter(author__is_active=True).count() if self.pk else 0

    @denormalized(models.IntegerField, null=True)
    @depend_on_related("Comment")
    def rating_sum(self) -> int | None:
        return self.of_comments(Sum("rating"))

    @denormalized(models.FloatField, null=True)
    @depend_on_related("Comment")
    def score_avg(self) -> float | None:
        return self.of_comments(Avg("score"))

    @denormalized(models.IntegerField, null=True)
    @depend_on_related("Comment")
    def best(self) -> int | None:
        return self.of_comments(Max("score"))

    @denormalized(models.DateTimeField, null=True)
    @depend_on_related("Comment")
    def first_at(self) -> datetime | None:
        return self.of_comments(Min("created"))

    @denormalized(models.DateTimeField, null=True)
    @depend_on_related("Comment")
    def last_at(self) -> datetime | None:
        return self.of_comments(Max("created"))

    def of_comments(self, aggregate: models.Aggregate) -> Any:
        return self.comments.aggregate(value=aggregate)["value"] if self.pk else None


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Author, models.CASCADE, related_name="comments")
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="comments")
    is_public = models.BooleanField(default=True)
    score = models.IntegerField(default=0)
    rating = models.IntegerField(null=True)
    created = models.DateTimeField()

    @denormalized(models.CharField, max_length=50)
    @depend_on_related("Post")
    def blog_name(self) -> str:
        return self.post.blog.name


class Work(base.BaseWork):
    """A value is right when the queue is empty, so each write is followed by ``flush()``."""

    def settle(self) -> None:
        base.execute("DELETE FROM denorm_dirtyinstance")

    def create(self, *args: Any) -> Any:
        comment = super().create(*args)
        flush()
        return comment

    def flip(self, *args: Any) -> None:
        super().flip(*args)
        flush()

    def change_score(self, *args: Any) -> None:
        super().change_score(*args)
        flush()

    def move(self, *args: Any) -> None:
        super().move(*args)
        flush()

    def delete(self, *args: Any) -> None:
        super().delete(*args)
        flush()

    def bulk_create(self, *args: Any) -> None:
        super().bulk_create(*args)
        flush()

    def update(self, *args: Any) -> None:
        super().update(*args)
        flush()

    def delete_many(self, *args: Any) -> None:
        super().delete_many(*args)
        flush()
