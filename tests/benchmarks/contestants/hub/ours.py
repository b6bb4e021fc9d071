"""syncfields, with the rules of ``tests.hub``."""

from __future__ import annotations

from django.db import models
from django.db.models import Avg, Count, F, Max, Min, Q, Sum

from syncfields import synced
from tests.benchmarks.contestants.hub import base

PUBLIC, ACTIVE = Q(comments__is_public=True), Q(comments__author__is_active=True)


def whole() -> models.IntegerField:
    return models.IntegerField(default=0)


class Blog(base.BaseBlog):
    comment_count = synced(whole(), Count("posts__comments"))
    comment_total = synced(whole(), Sum("posts__comment_count"))


class Author(base.BaseAuthor):
    comment_count = synced(whole(), Count("comments"))


class Topic(base.BaseTopic):
    comment_count = synced(whole(), Count("comments"))
    public_count = synced(whole(), Count("comments", filter=PUBLIC))


class Post(base.BasePost):
    comment_count = synced(whole(), Count("comments"))
    public_count = synced(whole(), Count("comments", filter=PUBLIC))
    active_count = synced(whole(), Count("comments", filter=ACTIVE))
    score_sum = synced(whole(), Sum("comments__score"))
    rating_sum = synced(models.IntegerField(null=True), Sum("comments__rating"))
    score_avg = synced(models.FloatField(null=True), Avg("comments__score"))
    best = synced(models.IntegerField(null=True), Max("comments__score"))
    first_at = synced(models.DateTimeField(null=True), Min("comments__created"))
    last_at = synced(models.DateTimeField(null=True), Max("comments__created"))


class Comment(base.BaseComment):
    blog_name = synced(models.CharField(max_length=50), F("post__blog__name"))


Work = base.BaseWork
