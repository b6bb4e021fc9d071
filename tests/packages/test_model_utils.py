"""django-model-utils, which syncfields uses itself: its model mixins, fields and managers."""

from __future__ import annotations

import pytest

pytest.importorskip("model_utils", reason="django-model-utils is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from model_utils import Choices, FieldTracker
from model_utils.fields import MonitorField, SplitField
from model_utils.managers import InheritanceManager, QueryManager
from model_utils.models import SoftDeletableModel, StatusModel, TimeStampedModel

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Desk(TimeStampedModel):
    name = models.CharField(max_length=20)
    job_count = synced(models.IntegerField(default=0), Count("jobs"))
    live_count = synced(
        models.IntegerField(default=0), Count("jobs", filter=Q(jobs__is_removed=False))
    )
    done_count = synced(
        models.IntegerField(default=0), Count("jobs", filter=Q(jobs__status="done"))
    )
    effort = synced(models.IntegerField(default=0), Sum("jobs__effort"))
    last_modified = synced(models.DateTimeField(null=True), Max("jobs__modified"))
    last_changed = synced(models.DateTimeField(null=True), Max("jobs__status_changed"))
    paint_count = synced(models.IntegerField(default=0), Count("jobs__paintjob"))
    tracker = FieldTracker()


class Job(SoftDeletableModel, StatusModel, TimeStampedModel):
    STATUS = Choices("new", "done")

    desk = models.ForeignKey(Desk, models.CASCADE, related_name="jobs")
    effort = models.IntegerField(default=1)
    text = SplitField(default="")
    changed = MonitorField(monitor="effort")
    desk_name = synced(models.CharField(max_length=20, null=True), F("desk__name"))
    tracker = FieldTracker(["status", "effort"])
    everything = InheritanceManager()
    hard = QueryManager(effort__gt=5)


class PaintJob(Job):
    colour = models.CharField(max_length=20, default="red")
    desk_changed = synced(models.DateTimeField(null=True), F("desk__modified"))


@pytest.fixture
def desk(db):
    desk = Desk.objects.create(name="one")
    for effort in (1, 6):
        Job.everything.create(desk=desk, effort=effort)
    PaintJob.everything.create(desk=desk, effort=9)
    assert_true()
    return desk


def test_a_job_is_removed_softly_and_really(desk):
    Job.available_objects.first().delete()
    assert_true()
    assert Desk.objects.values_list("job_count", "live_count").get() == (3, 2)
    Job.available_objects.filter(effort=6).delete()
    assert_true()
    Job.everything.first().delete(soft=False)
    assert_true()
    assert Desk.objects.values_list("job_count", "live_count").get() == (2, 1)
    Job.available_objects.get(effort=9).delete(soft=True)
    assert_true()


def test_querysets_of_other_managers(desk):
    Job.hard.update(effort=F("effort") + 1)
    assert_true()
    Job.new.update(status="done")
    assert_true()
    Job.done.filter(effort=1).update(is_removed=True)
    assert_true()
    for job in Job.everything.select_subclasses():
        job.effort += 1
        job.save()
        assert_true()
    PaintJob.everything.all().delete()
    assert_true()


def test_saves_that_set_other_fields_too(desk):
    for job in Job.everything.all():
        job.status = "done"
        job.save(update_fields=["status"])
        assert_true()
    assert job.tracker.changed() == {}
    desk.name = "two"
    desk.save()
    assert_true()
    assert Desk.objects.get().tracker.changed() == {}


def test_what_the_page_shows(desk):
    shown("django-model-utils", globals())
    assert_true()
    assert Desk.objects.get().live_count == 2
