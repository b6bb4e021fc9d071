"""A rule means the same whoever writes, in whatever time zone and language."""

from __future__ import annotations

import datetime as dt
from functools import partial

import pytest
from django.db import models
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Q, Value, When
from django.db.models.functions import Concat, ExtractHour, TruncDate, TruncMonth
from django.test import override_settings
from django.utils import timezone, translation
from django.utils.functional import lazy

from syncfields import Tally, reconcile
from syncfields.plan import registry
from syncfields.sql.zones import in_zone
from syncfields.testing import assert_in_sync
from tests.ownmodels import kept, own_apps, tables

pytestmark = pytest.mark.django_db

UTC = dt.timezone.utc
# In New York it is still 2023, in Auckland the second day of 2024.
MIDNIGHT = dt.datetime(2024, 1, 1, 0, 30, tzinfo=UTC)
WEST, EAST = "America/New_York", "Pacific/Auckland"


@pytest.fixture(scope="module")
def calendar(django_db_setup, django_db_blocker):
    """A calendar with events, and rules for it that read the clock in many ways."""
    own = own_apps("zones")

    class Calendar(models.Model):
        in_2024 = models.IntegerField(default=0)
        on_the_first = models.IntegerField(default=0)
        not_in_2024 = models.IntegerField(default=0)
        open_in_2024 = models.IntegerField(default=0)
        late = models.IntegerField(default=0)
        last_day = models.DateField(null=True)
        months = models.IntegerField(default=0)
        has_2024 = models.BooleanField(default=False)
        at_night = models.IntegerField(default=0)
        label = models.CharField(max_length=20, default="")

        class Meta:
            app_label = "zones"
            apps = own

    class Event(models.Model):
        calendar = models.ForeignKey(Calendar, models.CASCADE, null=True, related_name="events")
        at = models.DateTimeField(null=True)
        is_open = models.BooleanField(default=True)

        class Meta:
            app_label = "zones"
            apps = own

    class Entry(models.Model):
        event = models.ForeignKey(Event, models.CASCADE, null=True, related_name="entries")
        day = models.DateField(null=True)
        year = models.IntegerField(null=True)

        class Meta:
            app_label = "zones"
            apps = own

    made = (Calendar, Event, Entry)
    with tables(django_db_blocker, made):
        yield made


def greeting():
    return translation.get_language()


def rules_of(calendar, event, entry):
    of_2024 = event.objects.filter(calendar=OuterRef("pk"), at__year=2024)
    hour = ExtractHour("events__at")
    return {
        (calendar, "in_2024"): Count("events", filter=Q(events__at__year=2024)),
        (calendar, "on_the_first"): Count(
            "events", filter=Q(events__at__date=dt.date(2024, 1, 1), events__is_open=True)
        ),
        (calendar, "not_in_2024"): Count("events", filter=~Q(events__at__year=2024)),
        (calendar, "open_in_2024"): Count(
            "events", filter=Q(events__is_open=True) & (Q(events__at__year=2024) | Q(pk=0))
        ),
        (calendar, "late"): Count(Case(When(Q(events__at__hour__gte=12), then=hour))),
        (calendar, "last_day"): Max(TruncDate("events__at")),
        (calendar, "months"): Count(TruncMonth("events__at"), distinct=True),
        (calendar, "has_2024"): Exists(of_2024),
        (calendar, "label"): Concat(
            Value(lazy(greeting, str)(), output_field=models.CharField()),
            Max("events__pk"),
            output_field=models.CharField(),
        ),
        (entry, "day"): F("event__at__date"),
        (entry, "year"): F("event__at__year"),
    }


@pytest.fixture(params=["given", "made by functions"])
def in_berlin(calendar, request):
    """The rules are kept in a project of Berlin: all but that of ``label``."""
    rules = [(*of, each) for of, each in rules_of(*calendar).items() if of[1] != "label"]
    if request.param == "made by functions":
        rules = [(*of, lambda each=each: each) for *of, each in rules]
    tally = (calendar[0], "at_night", Tally("events", when=Q(at__hour__lt=6)))
    with override_settings(TIME_ZONE="Europe/Berlin"), kept([*rules, tally]):
        yield calendar


def truths(model, rules):
    """What ``annotate()`` says in the project's zone."""
    own = {name: expression for (of, name), expression in rules.items() if of is model}
    own.pop("label", None)
    with timezone.override(timezone.get_default_timezone()):
        annotated = model.objects.annotate(**{f"true_{name}": each for name, each in own.items()})
        return [
            {name: (row[name], row[f"true_{name}"]) for name in own} for row in annotated.values()
        ]


def wrong(models, rules):
    return [
        f"{model.__name__}.{name} is {stored!r}, not {truth!r}"
        for model in models
        for row in truths(model, rules)
        for name, (stored, truth) in row.items()
        if stored != truth
    ]


def test_a_row_that_is_written_in_many_zones_counts_in_one(in_berlin):
    calendar, event, entry = in_berlin
    rules = rules_of(*in_berlin)
    made = calendar.objects.create()

    def check():
        assert wrong(in_berlin, rules) == []
        assert_in_sync()

    for hours in (0, -3, 3, 20, 14):
        at = MIDNIGHT + dt.timedelta(hours=hours)
        with timezone.override(WEST):
            row = event.objects.create(calendar=made, at=at)
            entry.objects.create(event=row)
            check()
        with timezone.override(EAST):
            event.objects.bulk_create([event(calendar=made, at=at), event(calendar=made)])
            check()
            row.at += dt.timedelta(hours=9)
            row.save()
            check()
        with timezone.override(WEST):
            event.objects.filter(pk__gt=row.pk).update(at=at - dt.timedelta(hours=5))
            check()
            assert reconcile().ok
        with timezone.override(EAST):
            entry.objects.bulk_create([entry(event=row)])
            check()
            assert reconcile().ok
    with timezone.override(EAST):
        event.objects.first().delete()
        check()
    with timezone.override(WEST):
        event.objects.filter(pk__lt=row.pk).delete()
        check()
        event.objects.all().delete()
        check()
    made.refresh_from_db()
    assert (made.in_2024, made.not_in_2024, made.has_2024) == (0, 0, False)


def test_a_tally_counts_the_hours_of_one_zone(in_berlin):
    calendar, event, _ = in_berlin
    made = calendar.objects.create()
    for zone in (WEST, EAST, "UTC"):
        with timezone.override(zone):
            event.objects.create(calendar=made, at=MIDNIGHT)  # Half past one in Berlin.
            event.objects.create(calendar=made, at=MIDNIGHT - dt.timedelta(hours=3))

    made.refresh_from_db()
    with timezone.override("Europe/Berlin"):  # Of which MariaDB may know nothing.
        expected = event.objects.filter(at__hour__lt=6).count()
    assert made.at_night == expected


@override_settings(USE_TZ=False)
def test_without_zones_there_is_nothing_to_settle(in_berlin):
    calendar, event, _ = in_berlin
    registry.rebuild()
    made = calendar.objects.create()
    for hours in (0, -3, 20):
        event.objects.create(
            calendar=made, at=MIDNIGHT.replace(tzinfo=None) + dt.timedelta(hours=hours)
        )
        assert wrong(in_berlin, rules_of(*in_berlin)) == []
    event.objects.first().delete()
    assert wrong(in_berlin, rules_of(*in_berlin)) == []


@pytest.mark.parametrize("is_made", [False, True])
def test_text_is_in_the_language_of_the_project(calendar, is_made):
    rule = rules_of(*calendar)[calendar[0], "label"]
    if is_made:
        rule = partial(rules_of(*calendar).get, (calendar[0], "label"))
    with translation.override("de"), kept([(calendar[0], "label", rule)]):
        made = calendar[0].objects.create()
        calendar[1].objects.create(pk=7, calendar=made)

    made.refresh_from_db()
    assert made.label == "en-us7"


@pytest.mark.parametrize(
    ("expression", "is_settled"),
    [
        (Count("events"), False),
        (Count("events", filter=Q(events__is_open=True)), False),
        (Max("events__at"), False),
        (Count("events", filter=Q(events__at__gt=MIDNIGHT)), False),
        (TruncDate("events__at", tzinfo=UTC), False),
        (TruncDate("events__at"), True),
        (F("events__at__hour"), True),
        (Count("events", filter=Q(events__at__minute=3)), True),
    ],
    ids=str,
)
def test_only_what_depends_on_a_zone_is_wrapped(calendar, expression, is_settled):
    assert (in_zone(calendar[0], expression) is not expression) is is_settled
