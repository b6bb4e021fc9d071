"""Rules that are inherited from an abstract base."""

from django.db import models
from django.db.models import Count, Max

from syncfields import synced
from tests.testapp.models.fields import count_field


class Counted(models.Model):
    entry_count = synced(count_field(), Count("entries"))
    entry_size = synced(models.IntegerField(null=True), Max("entries__size"))

    class Meta:
        abstract = True


class Folder(Counted):
    pass


class Box(Counted):
    label = models.CharField(max_length=40, default="")


class FolderEntry(models.Model):
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="entries")
    size = models.IntegerField(default=0)


class BoxEntry(models.Model):
    box = models.ForeignKey(Box, models.CASCADE, related_name="entries")
    size = models.IntegerField(default=0)
