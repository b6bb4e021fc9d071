"""Targets whose first values are not those of a row without relatives, or not easily known.

The truth of each rule is ``annotate()`` with its own expression: see
``tests/programs/test_initial.py``. They hold only where ``with_rules()`` is used: the other tests
are about the zoo.
"""

import datetime as dt
import uuid
from contextlib import contextmanager

from django.db import models
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Concat, Greatest

from syncfields import Tally
from syncfields.declare.rules import Declaration, Rule, registered
from syncfields.plan import registry

DECLARED = []
USERS = []


def synced(field, expression, **options):
    DECLARED.append((field, expression, options))
    return field


@contextmanager
def with_rules():
    """Let the rules hold. Test modules whose tests take turns may overlap in this."""
    USERS.append(1)
    if len(USERS) == 1:
        for field, expression, options in DECLARED:
            # Not by register(), for which a line of code says a thing once.
            declaration = Declaration(expression, tuple(options.get("depends_on", ())))
            registered.append(Rule(field.model, field.name, declaration))
    try:
        yield
    finally:
        USERS.pop()
        if not USERS:
            own = {field for field, _, _ in DECLARED}
            registered[:] = [rule for rule in registered if rule.field not in own]
            registry.rebuild()


def count_field() -> models.IntegerField:
    return models.IntegerField(default=0)


# A member of a fixture that is defined before what it copies from --------------------------------


class Pupil(models.Model):
    school = models.ForeignKey("School", models.CASCADE, related_name="pupils")
    name = models.CharField(max_length=20)
    school_name = synced(models.CharField(max_length=20), F("school__name"))
    school_founded = synced(models.DateField(), F("school__founded"))
    town_name = synced(models.CharField(max_length=20), F("school__town__name"))
    tag = synced(models.UUIDField(unique=True), F("badge__tag"))
    badge = models.OneToOneField("Badge", models.CASCADE)
    is_head = synced(models.BooleanField(default=False), lambda: Exists(heads()))
    marks = synced(count_field(), Tally("papers", F("mark"), on="create"))


class Paper(models.Model):
    pupil = models.ForeignKey(Pupil, models.CASCADE, related_name="papers")
    mark = models.IntegerField(default=1)


class School(models.Model):
    name = models.CharField(max_length=20)
    founded = models.DateField()
    town = models.ForeignKey("Town", models.CASCADE, related_name="schools")
    head = models.ForeignKey(Pupil, models.SET_NULL, null=True, related_name="heading")
    head_name = synced(models.CharField(max_length=20, null=True), F("head__name"))
    pupil_count = synced(count_field(), Count("pupils"))


class Town(models.Model):
    name = models.CharField(max_length=20)
    pupil_count = synced(count_field(), Sum("schools__pupil_count"))


class Badge(models.Model):
    tag = models.UUIDField(default=uuid.uuid4)


def heads():
    return School.objects.filter(head=OuterRef("pk"))


# Paths that begin forwards -----------------------------------------------------------------------


class Owner(models.Model):
    name = models.CharField(max_length=20)
    since = models.DateTimeField(null=True)


class Deed(models.Model):
    owner = models.ForeignKey(Owner, models.CASCADE, related_name="deeds")
    w = models.IntegerField(null=True)
    f = models.FloatField(default=0)


class Stub(models.Model):
    owner = models.OneToOneField(Owner, models.CASCADE)
    n = synced(count_field(), Count("owner__deeds"))
    total = synced(count_field(), Sum("owner__deeds__w"))
    heaviest = synced(models.IntegerField(null=True), Max("owner__deeds__w"))
    average = synced(models.FloatField(null=True), Avg("owner__deeds__f"))
    heavy = synced(count_field(), Count("owner__deeds", filter=Q(owner__deeds__w__gt=1)))


class Ticket(models.Model):
    """What is read of its owner in ways that cannot be looked into."""

    owner = models.ForeignKey(Owner, models.CASCADE, related_name="tickets")
    title = models.CharField(max_length=20, default="Dr")
    changed = models.DateTimeField(auto_now=True)
    raw_name = synced(
        models.CharField(max_length=20),
        RawSQL(
            "(SELECT o.name FROM firsts_owner o WHERE o.id = firsts_ticket.owner_id)",
            (),
            models.CharField(max_length=20),
        ),
        depends_on=["owner"],
    )
    owner_name = synced(
        models.CharField(max_length=20),
        lambda: Subquery(Owner.objects.filter(pk=OuterRef("owner_id")).values("name")[:1]),
        depends_on=["owner"],
    )
    full_name = synced(models.CharField(max_length=41), Concat("title", "owner__name"))
    latest = synced(models.DateTimeField(null=True), Greatest("changed", "owner__since"))


# Values over no rows -----------------------------------------------------------------------------


class Job(models.Model):
    spent = synced(models.DurationField(default=dt.timedelta(0)), Sum("shifts__length"))
    started = models.IntegerField(default=3)
    left = synced(
        count_field(), F("started") - Coalesce(Max("shifts__number"), 0), depends_on=["shifts"]
    )
    grade = synced(models.CharField(max_length=9), lambda: grade())  # noqa: PLW0108 - comes later


class Shift(models.Model):
    job = models.ForeignKey(Job, models.CASCADE, related_name="shifts")
    length = models.DurationField(default=dt.timedelta(minutes=5))
    number = models.IntegerField(default=1)


def grade():
    has_shifts = Exists(Shift.objects.filter(job=OuterRef("pk")))
    return Case(When(has_shifts, then=Value("some")), default=Value("none"))


class Area(models.Model):
    name = models.CharField(max_length=20, default="")
    is_taken = synced(models.BooleanField(default=False), lambda: Exists(plots()))
    is_free = synced(models.BooleanField(default=True), lambda: ~Exists(plots()))


class Plot(models.Model):
    area = models.OneToOneField(Area, models.CASCADE)


def plots():
    return Plot.objects.filter(area=OuterRef("pk"))


# A parent in another table -----------------------------------------------------------------------


class Thing(models.Model):
    f = models.IntegerField(default=2)


class Label(models.Model):
    thing = models.ForeignKey(Thing, models.CASCADE, related_name="labels")
    w = models.IntegerField(default=1)


class Tool(Thing):
    label_count = synced(count_field(), Count("labels"))
    over = synced(models.IntegerField(null=True), Max("labels__w") - F("f"))
    handle = models.CharField(max_length=20, default="")
