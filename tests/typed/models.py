"""Models as users declare them."""

from __future__ import annotations

from django.db import models
from django.db.models import Count, F, Max

from syncfields import SyncManager, SyncQuerySet, Tally, synced


class Author(models.Model):
    name = models.CharField(max_length=100)


class Post(models.Model):
    author = models.ForeignKey(Author, models.CASCADE)
    title = models.CharField(max_length=100)
    edited = models.DateTimeField(auto_now=True)
    comment_count = synced(models.PositiveIntegerField(default=0), Count("comments"))
    last_comment_at = synced(models.DateTimeField(null=True), Max("comments__created"))
    author_name = synced(models.CharField(max_length=100), F("author__name"), touch="edited")
    views = synced(models.IntegerField(default=0), Tally("visits", on="create"))

    objects = SyncManager["Post"]()


class Visit(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="visits")


class CommentQuerySet(SyncQuerySet["Comment"]):
    def about(self, post: Post) -> CommentQuerySet:
        return self.filter(post=post)


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
    created = models.DateTimeField(auto_now_add=True)

    objects = SyncManager.from_queryset(CommentQuerySet)()
