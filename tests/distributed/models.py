from __future__ import annotations

from django.apps import apps
from django.db import models
from django.db.models import Count

from syncfields import synced

count = models.IntegerField(default=0)


class Post(models.Model):
    # Old code has the field, and no rule.
    comment_count = synced(count, Count("comments")) if apps.is_installed("syncfields") else count


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
