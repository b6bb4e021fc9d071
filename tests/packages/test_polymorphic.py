"""django-polymorphic: rows of child models come out of the parent's querysets as what they are."""

from __future__ import annotations

import pytest

pytest.importorskip("polymorphic", reason="django-polymorphic is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from polymorphic.managers import PolymorphicManager
from polymorphic.models import PolymorphicModel

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Sponsor(models.Model):
    name = models.CharField(max_length=20)
    project_count = synced(models.IntegerField(default=0), Count("projects"))
    art_count = synced(
        models.IntegerField(default=0),
        Count("projects", filter=Q(projects__artproject__cost__gt=0)),
    )
    art_cost = synced(models.IntegerField(default=0), Sum("projects__artproject__cost"))
    dearest = synced(models.IntegerField(null=True), Max("projects__artproject__cost"))
    topic_count = synced(models.IntegerField(default=0), Count("projects__researchproject"))
    task_count = synced(models.IntegerField(default=0), Count("projects__tasks"))


class Project(PolymorphicModel):
    title = models.CharField(max_length=20)
    sponsor = models.ForeignKey(Sponsor, models.CASCADE, null=True, related_name="projects")
    sponsor_name = synced(models.CharField(max_length=20, null=True), F("sponsor__name"))
    task_count = synced(models.IntegerField(default=0), Count("tasks"))


class ArtProject(Project):
    cost = models.IntegerField(default=0)
    brush_count = synced(models.IntegerField(default=0), Count("brushes"))
    task_hours = synced(models.IntegerField(default=0), Sum("tasks__hours"))


class ResearchProject(Project):
    field = models.CharField(max_length=20, default="")
    named_by = synced(models.CharField(max_length=20, null=True), F("sponsor__name"))
    objects = PolymorphicManager()


class Task(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks")
    hours = models.IntegerField(default=1)
    project_title = synced(models.CharField(max_length=20, null=True), F("project__title"))


class Brush(models.Model):
    project = models.ForeignKey(ArtProject, models.CASCADE, related_name="brushes")


@pytest.fixture
def sponsors(db):
    one, two = Sponsor.objects.create(name="one"), Sponsor.objects.create(name="two")
    Project.objects.create(title="plain", sponsor=one)
    art = ArtProject.objects.create(title="art", sponsor=one, cost=5)
    ArtProject.objects.create(title="dear", sponsor=one, cost=50)
    ResearchProject.objects.create(title="research", sponsor=two, field="optics")
    Brush.objects.create(project=art)
    for project in Project.objects.all():
        Task.objects.create(project=project, hours=2)
    assert_true()
    return one, two


def test_real_instances_of_the_parents_queryset_are_saved(sponsors):
    _, two = sponsors
    for project in Project.objects.all():
        project.title += "!"
        project.sponsor = two
        project.save()
        assert_true()
    for project in Project.objects.instance_of(ArtProject):
        project.cost += 1
        project.save()
        assert_true()


def test_the_parents_part_is_saved_alone(sponsors):
    _, two = sponsors
    for project in Project.objects.non_polymorphic():
        assert type(project) is Project
        project.sponsor = two
        project.save()
        assert_true()


def test_querysets_update(sponsors):
    _, two = sponsors
    Project.objects.instance_of(ArtProject).update(sponsor=two)
    assert_true()
    Project.objects.filter(ArtProject___cost__gt=10).update(sponsor=None)
    assert_true()
    ArtProject.objects.update(cost=F("cost") + 1, sponsor=two)
    assert_true()
    Sponsor.objects.update(name="new")
    assert_true()


@pytest.mark.parametrize("title", ["plain", "art", "dear", "research"])
def test_an_instance_is_deleted(sponsors, title):
    Project.objects.get(title=title).delete()
    assert_true()
    assert Project.objects.count() == 3


def test_a_part_that_is_not_the_whole_is_deleted(sponsors):
    Project.objects.non_polymorphic().get(title="art").delete()
    assert_true()
    assert ArtProject.objects.count() == 1


def test_querysets_delete(sponsors):
    Project.objects.not_instance_of(ArtProject).delete()
    assert_true()
    ArtProject.objects.filter(cost=5).delete()
    assert_true()
    Project.objects.all().delete()
    assert_true()
    assert Task.objects.count() == 0


def test_the_end_of_a_sponsor(sponsors):
    one, _ = sponsors
    one.delete()
    assert_true()
    assert Project.objects.count() == 1


def test_a_row_gets_a_child(sponsors):
    plain = Project.objects.get(title="plain")
    art = ArtProject.objects.create_from_super(plain, cost=70)
    assert_true()
    assert Project.objects.get(pk=plain.pk) == art


def test_rows_of_the_parent_are_created_in_bulk(sponsors):
    one, _ = sponsors
    Project.objects.bulk_create([Project(title=t, sponsor=one) for t in "xyz"])
    assert_true()
    Task.objects.bulk_create([Task(project=p, hours=4) for p in Project.objects.all()])
    assert_true()
    projects = list(Project.objects.instance_of(ArtProject))
    for project in projects:
        project.sponsor = None
    Project.objects.bulk_update(projects, ["sponsor"])
    assert_true()


def test_find_or_make(sponsors):
    one, two = sponsors
    ArtProject.objects.get_or_create(title="got", defaults={"sponsor": one, "cost": 3})
    assert_true()
    ArtProject.objects.update_or_create(title="got", defaults={"sponsor": two, "cost": 9})
    assert_true()
    Project.objects.update_or_create(title="got", defaults={"sponsor": one})
    assert_true()


def test_what_is_deferred_stays_deferred(sponsors):
    project = Project.objects.defer("sponsor_name", "title").get(title="art")
    project.cost = 6
    project.save()
    assert_true()
    project = Project.objects.only("title").get(title="art")
    project.title = "brush"
    project.save()
    assert_true()


def test_what_the_page_shows(sponsors):
    _, two = sponsors

    shown("django-polymorphic", globals(), other=two)
    assert_true()
    assert Sponsor.objects.get(name="two").art_count == 2
