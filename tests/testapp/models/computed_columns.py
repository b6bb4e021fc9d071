"""Monitors: columns whose value is not what the instance says."""

from django.db import models
from django.db.models import Count, F, Max, Q, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field


class RisingField(models.IntegerField):
    """Rises each time it is about to be saved; Django 6 may ask twice for one save."""

    def pre_save(self, model_instance, add):
        value = super().pre_save(model_instance, add)
        if isinstance(value, int):
            value += 1
            setattr(model_instance, self.attname, value)
        return value


class Monitor(models.Model):
    level_sum = synced(models.IntegerField(default=0), Sum("beats__level"))
    last_beat_at = synced(models.DateTimeField(null=True), Max("beats__at"))
    weight = synced(models.IntegerField(default=0), Sum("beats__weight"))
    double_sum = synced(models.IntegerField(default=0), Sum("beats__double", default=0))
    loud_count = synced(count_field(), Count("beats", filter=Q(beats__double__gt=10)))
    # What is equal to "alarm" is for the collation to say.
    alarm_count = synced(count_field(), Count("beats", filter=Q(beats__kind="alarm")))
    kind_count = synced(count_field(), Count("beats__kind", distinct=True))


class Beat(models.Model):
    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="beats")
    level = RisingField(default=0)
    at = models.DateTimeField(auto_now=True)
    weight = models.IntegerField(db_default=3)
    double = models.GeneratedField(
        expression=F("level") * 2, output_field=models.IntegerField(), db_persist=True
    )
    kind = models.CharField(max_length=10, default="")
