"""django-computedfields, as its documentation has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from computedfields.models import ComputedFieldsModel, computed, update_dependent
from django.db import models
from django.db.models import Avg, Max, Min, Sum

from tests.benchmarks.contestants.hub import base


def count() -> models.IntegerField:
    return models.IntegerField(default=0)


class Blog(ComputedFieldsModel):
    name = models.CharField(max_length=50)

    @computed(count(), depends=[("posts.comments", ["post"]), ("posts", ["blog"])])
    def comment_count(self) -> int:
        return Comment.objects.filter(post__blog=self).count() if self.pk else 0

    @computed(count(), depends=[("posts", ["comment_count", "blog"])])
    def comment_total(self) -> int:
        found = self.posts.aggregate(total=Sum("comment_count")) if self.pk else {"total": 0}
        return found["total"] or 0


class Author(ComputedFieldsModel):
    name = models.CharField(max_length=50)
    is_active = models.BooleanField(default=True)

    @computed(count(), depends=[("comments", ["author"])])
    def comment_count(self) -> int:
        return self.comments.count() if self.pk else 0


class Topic(ComputedFieldsModel):
    @computed(count(), depends=[("comments", ["topic"])])
    def comment_count(self) -> int:
        return self.comments.count() if self.pk else 0

    @computed(count(), depends=[("comments", ["topic", "is_public"])])
    def public_count(self) -> int:
        return self.comments.filter(is_public=True).count() if self.pk else 0


class Post(ComputedFieldsModel):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")

    @computed(count(), depends=[("comments", ["post"])])
    def comment_count(self) -> int:
        return self.comments.count() if self.pk else 0

    @computed(count(), depends=[("comments", ["post", "is_public"])])
    def public_count(self) -> int:
        return self.comments.filter(is_public=True).count() if self.pk else 0

    @computed(
        count(), depends=[("comments", ["post", "author"]), ("comments.author", ["is_active"])]
    )
    def active_count(self) -> int:
        return self.comments.filter(author__is_active=True).count() if self.pk else 0

    @computed(count(), depends=[("comments", ["post", "score"])])
    def score_sum(self) -> int:
        return self.of_comments(Sum("score")) or 0

    @computed(models.IntegerField(null=True), depends=[("comments", ["post", "rating"])])
    def rating_sum(self) -> int | None:
        return self.of_comments(Sum("rating"))

    @computed(models.FloatField(null=True), depends=[("comments", ["post", "score"])])
    def score_avg(self) -> float | None:
        return self.of_comments(Avg("score"))

    @computed(models.IntegerField(null=True), depends=[("comments", ["post", "score"])])
    def best(self) -> int | None:
        return self.of_comments(Max("score"))

    @computed(models.DateTimeField(null=True), depends=[("comments", ["post", "created"])])
    def first_at(self) -> datetime | None:
        return self.of_comments(Min("created"))

    @computed(models.DateTimeField(null=True), depends=[("comments", ["post", "created"])])
    def last_at(self) -> datetime | None:
        return self.of_comments(Max("created"))

    def of_comments(self, aggregate: models.Aggregate) -> Any:
        return self.comments.aggregate(value=aggregate)["value"] if self.pk else None


class Comment(ComputedFieldsModel):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Author, models.CASCADE, related_name="comments")
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="comments")
    is_public = models.BooleanField(default=True)
    score = models.IntegerField(default=0)
    rating = models.IntegerField(null=True)
    created = models.DateTimeField()

    @computed(
        models.CharField(max_length=50),
        depends=[("self", ["post"]), ("post", ["blog"]), ("post.blog", ["name"])],
    )
    def blog_name(self) -> str:
        return self.post.blog.name


class Work(base.BaseWork):
    """Bulk methods send no signals; ``update_dependent()`` is what its users call then."""

    def bulk_create(self, comments: list[Any]) -> None:
        made = Comment.objects.bulk_create(comments)
        update_dependent(Comment.objects.filter(pk__range=(made[0].pk, made[-1].pk)))

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        super().update(pks, is_public)
        update_dependent(Comment.objects.filter(pk__range=pks), update_fields=["is_public"])
