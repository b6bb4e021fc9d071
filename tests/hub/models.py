"""Fifteen rules of five tables over one comment, of every kind that a real model gathers."""

from __future__ import annotations

from django.db import models
from django.db.models import Avg, Count, F, Max, Min, Q, Sum

from syncfields import synced


class Blog(models.Model):
    name = models.CharField(max_length=50)
    comment_count = synced(models.IntegerField(default=0), Count("posts__comments"))
    comment_total = synced(models.IntegerField(default=0), Sum("posts__comment_count"))


class Author(models.Model):
    name = models.CharField(max_length=50)
    is_active = models.BooleanField(default=True)
    comment_count = synced(models.IntegerField(default=0), Count("comments"))


class Topic(models.Model):
    comment_count = synced(models.IntegerField(default=0), Count("comments"))
    public_count = synced(
        models.IntegerField(default=0), Count("comments", filter=Q(comments__is_public=True))
    )


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
    comment_count = synced(models.IntegerField(default=0), Count("comments"))
    public_count = synced(
        models.IntegerField(default=0), Count("comments", filter=Q(comments__is_public=True))
    )
    active_count = synced(
        models.IntegerField(default=0),
        Count("comments", filter=Q(comments__author__is_active=True)),
    )
    score_sum = synced(models.IntegerField(default=0), Sum("comments__score"))
    rating_sum = synced(models.IntegerField(null=True), Sum("comments__rating"))
    score_avg = synced(models.FloatField(null=True), Avg("comments__score"))
    best = synced(models.IntegerField(null=True), Max("comments__score"))
    first_at = synced(models.DateTimeField(null=True), Min("comments__created"))
    last_at = synced(models.DateTimeField(null=True), Max("comments__created"))


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Author, models.CASCADE, related_name="comments")
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="comments")
    is_public = models.BooleanField(default=True)
    score = models.IntegerField(default=0)
    rating = models.IntegerField(null=True)
    created = models.DateTimeField()
    blog_name = synced(models.CharField(max_length=50), F("post__blog__name"))
