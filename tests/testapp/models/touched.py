"""Threads: what belongs to the target's user, not to us."""

from django.db import models
from django.db.models import Avg, Count, Max

from syncfields import synced
from tests.testapp.models.fields import count_field


class Thread(models.Model):
    version = models.IntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)
    reply_count = synced(count_field(), Count("replies"))


class Topic(models.Model):
    touched_at = models.DateTimeField(null=True)
    reply_count = synced(count_field(), Count("replies"), touch="touched_at")
    top_at = models.DateTimeField(null=True)
    top = synced(models.IntegerField(null=True), Max("replies__weight"), touch="top_at")
    mean_at = models.DateTimeField(null=True)
    mean = synced(models.FloatField(null=True), Avg("replies__weight"), touch="mean_at")


class Reply(models.Model):
    thread = models.ForeignKey(Thread, models.CASCADE, null=True, related_name="replies")
    topic = models.ForeignKey(Topic, models.CASCADE, null=True, related_name="replies")
    text = models.CharField(max_length=40, default="")
    weight = models.IntegerField(default=0)
