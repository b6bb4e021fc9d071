from __future__ import annotations

from django.db import models
from django.db.models import Count

from syncfields import synced


class Post(models.Model):
    comment_count = synced(models.IntegerField(default=0), Count("comments"))


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
