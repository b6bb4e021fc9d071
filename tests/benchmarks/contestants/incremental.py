"""django-denormalized: counts and sums by a foreign key of its own. It copies nothing."""

from __future__ import annotations

from denormalized import DenormalizedForeignKey, DenormalizedTracker
from django.db import models
from django.db.models import Count, Q
from django.utils import timezone

from tests.benchmarks.contestants import base


class Post(base.BasePost):
    pass


class Comment(models.Model):
    post = DenormalizedForeignKey(
        Post,
        models.CASCADE,
        related_name="comments",
        trackers=[
            DenormalizedTracker(
                "public_count",
                aggregate=Count("pk"),
                query=Q(is_public=True),
                callback=lambda comment: comment.is_public,
            )
        ],
    )
    text = models.CharField(max_length=200, default="A comment")
    is_public = models.BooleanField(default=True)
    created = models.DateTimeField(default=timezone.now)
    score = models.IntegerField(default=0)


class Account(base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    pass


class Work(base.BaseWork):
    cannot = ("copy", "copy_many", "bulk_create", "update")

    def reconcile(self) -> None:
        for post in Post.objects.all():
            post.comments.denormalize()
