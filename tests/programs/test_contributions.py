"""What the rows of a write contribute, read with its locks or by itself."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count, F, Max, Q, Sum

from syncfields import synced
from tests.ownmodels import assert_kept, kept_by, own_apps

pytestmark = pytest.mark.django_db
APPS = own_apps("contributing")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "contributing"


class Sponsor(Own):
    name = models.CharField(max_length=20, default="")
    project_count = synced(models.IntegerField(default=0), Count("projects"))
    task_count = synced(models.IntegerField(default=0), Count("projects__tasks"))
    cost = synced(models.IntegerField(default=0), Sum("projects__work__cost"))
    dearest = synced(models.IntegerField(null=True), Max("projects__work__cost"))
    work_count = synced(
        models.IntegerField(default=0), Count("projects", filter=Q(projects__work__cost__gt=0))
    )


class Project(Own):
    """Its parent row moves; what it copies is led elsewhere by that."""

    title = models.CharField(max_length=20, default="")
    sponsor = models.ForeignKey(Sponsor, models.CASCADE, null=True, related_name="projects")
    sponsor_name = synced(models.CharField(max_length=20, null=True), F("sponsor__name"))


class Work(Project):
    cost = models.IntegerField(default=0)
    named_by = synced(models.CharField(max_length=20, null=True), F("sponsor__name"))


class Task(Own):
    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks")


kept_here = kept_by(APPS)


@pytest.fixture
def sponsors():
    one, two = (Sponsor.objects.create(name=name) for name in ("one", "two"))
    for project in (
        Project.objects.create(sponsor=one),
        Work.objects.create(sponsor=one, cost=5),
        Work.objects.create(sponsor=one, cost=50),
    ):
        Task.objects.create(project=project)
    return one, two


@pytest.mark.parametrize("model", [Project, Work])
def test_a_row_moves_with_all_that_hangs_on_it(sponsors, model):
    _, two = sponsors
    for project in model.objects.all():
        project.sponsor, project.title = two, "moved"
        project.save()
        assert_kept()


@pytest.mark.parametrize("sponsor", [1, None])
@pytest.mark.parametrize("number", [1, 2])
def test_rows_of_a_queryset_move(sponsors, sponsor, number):
    last = Project.objects.order_by("-pk").values_list("pk", flat=True)[:number]
    chosen = Project.objects.filter(pk__in=list(last))
    chosen.update(sponsor=sponsor and sponsors[sponsor])
    assert_kept()
