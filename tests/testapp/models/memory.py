"""Trays: as shelves, with old values from memory."""

from django.db import models
from django.db.models import Count, Sum

from syncfields import SyncManager, synced
from tests.testapp.models.fields import count_field


class Tray(models.Model):
    """As Shelf, with old values from memory."""

    cup_count = synced(count_field(), Count("cups"), tracking="memory")
    volume = synced(models.IntegerField(default=0), Sum("cups__volume"), tracking="memory")

    objects = SyncManager()


class Cup(models.Model):
    tray = models.ForeignKey(Tray, models.CASCADE, null=True, related_name="cups")
    volume = models.IntegerField(default=0)
    title = models.CharField(max_length=40, default="")
