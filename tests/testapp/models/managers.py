"""Projects: managers that hide rows, soft delete."""

from django.db import models
from django.db.models import Count, Max, Q

from syncfields import synced
from tests.testapp.models.fields import count_field


class OpenManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(closed=False)


class LiveManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(deleted_at=None)


class Project(models.Model):
    """Its default and its base manager both hide the closed ones."""

    closed = models.BooleanField(default=False)
    task_count = synced(count_field(), Count("tasks"))
    live_task_count = synced(count_field(), Count("tasks", filter=Q(tasks__deleted_at=None)))
    last_hours = synced(models.IntegerField(null=True), Max("tasks__hours"))

    objects = OpenManager()

    class Meta:
        base_manager_name = "objects"


class Task(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks")
    deleted_at = models.DateTimeField(null=True)
    hours = models.IntegerField(default=0)

    objects = LiveManager()
    everything = models.Manager()
