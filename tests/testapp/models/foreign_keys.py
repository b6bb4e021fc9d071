"""Blog > Post > Comment > Reaction: paths of one, two and three hops, and rules on rules."""

from django.conf import settings
from django.db import models
from django.db.models import Avg, Count, Max, Min, Q, StdDev, Sum
from django.utils import timezone

from syncfields import synced
from tests.testapp.models.fields import count_field


class Blog(models.Model):
    name = models.CharField(max_length=40)
    post_count = synced(count_field(), Count("posts"))
    live_post_count = synced(count_field(), Count("posts", filter=Q(posts__is_live=True)))
    comment_count = synced(count_field(), Count("posts__comments"))
    live_comment_count = synced(
        count_field(),
        Count("posts__comments", filter=Q(posts__is_live=True, posts__comments__is_public=True)),
    )
    active_comment_count = synced(
        count_field(),
        Count("posts__comments", filter=Q(posts__comments__author__is_active=True)),
    )
    reaction_count = synced(count_field(), Count("posts__comments__reactions"))
    # Rules on rules.
    comment_total = synced(count_field(), Sum("posts__comment_count"))
    busiest_post = synced(models.IntegerField(null=True), Max("posts__comment_count"))
    last_comment_at = synced(models.DateTimeField(null=True), Max("posts__last_comment_at"))
    # Two to-many relations in one expression.
    engagement = synced(
        models.IntegerField(default=0), Count("posts__comments") - Count("followers")
    )
    follower_count = synced(count_field(), Count("followers"))


class BlogProxy(Blog):
    class Meta:
        proxy = True


class Follower(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="followers")


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, null=True, related_name="posts")
    title = models.CharField(max_length=40, default="")
    is_live = models.BooleanField(default=True)
    # delta
    comment_count = synced(count_field(), Count("comments"))
    public_count = synced(count_field(), Count("comments", filter=Q(comments__is_public=True)))
    active_count = synced(
        count_field(), Count("comments", filter=Q(comments__author__is_active=True))
    )
    score_sum = synced(models.IntegerField(default=0), Sum("comments__score"))
    public_score = synced(
        models.IntegerField(default=0),
        Sum("comments__score", filter=Q(comments__is_public=True)),
    )
    # extreme
    first_comment_at = synced(models.DateTimeField(null=True), Min("comments__created"))
    last_comment_at = synced(models.DateTimeField(null=True), Max("comments__created"))
    best_score = synced(models.IntegerField(null=True), Max("comments__score"))
    worst_public_score = synced(
        models.IntegerField(null=True),
        Min("comments__score", filter=Q(comments__is_public=True)),
    )
    # recompute
    score_or_null = synced(models.IntegerField(null=True), Sum("comments__score"))
    score_average = synced(models.FloatField(null=True), Avg("comments__score"))
    score_deviation = synced(models.FloatField(null=True), StdDev("comments__score"))
    heat = synced(models.FloatField(default=0), Sum("comments__heat", default=0.0))
    author_count = synced(count_field(), Count("comments__author", distinct=True))
    best_or_zero = synced(models.IntegerField(default=0), Max("comments__score", default=0))
    # These two have their rules from TestAppConfig.ready().
    has_comments = models.BooleanField(default=False, editable=False)
    newest_text = models.CharField(max_length=40, null=True, editable=False)


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, null=True, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="comments"
    )
    text = models.CharField(max_length=40, default="")
    note = models.CharField(max_length=40, default="")
    is_public = models.BooleanField(default=True)
    score = models.IntegerField(null=True)
    heat = models.FloatField(default=0)
    created = models.DateTimeField(default=timezone.now)


class PublicManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(is_public=True)


class PublicComment(Comment):
    objects = PublicManager()

    class Meta:
        proxy = True


class Reaction(models.Model):
    comment = models.ForeignKey(Comment, models.CASCADE, related_name="reactions")
    kind = models.CharField(max_length=10, default="like")
