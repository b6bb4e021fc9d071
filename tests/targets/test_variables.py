"""What is evaluated in a block of statements, into variables of the column's type, is what
``annotate()`` says. On other databases than MariaDB the UPDATE evaluates by itself.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection, models
from django.db.models import Avg, Count, Max, Min, Sum
from hypothesis import given
from hypothesis import strategies as st

from syncfields import synced
from syncfields.sql.databases import takes_blocks
from syncfields.sql.plain import PLAIN
from syncfields.targets.variables import can_be_declared
from tests.ownmodels import assert_kept, empty, kept_by, own_apps
from tests.statements import sent
from tests.undo import rolled_back

APPS = own_apps("variables")
kept = kept_by(APPS)
UTC = dt.timezone.utc


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "variables"


class Above(Own):
    """What is locked before, without which nothing needs to be foreseen."""

    extreme_count = synced(models.IntegerField(default=0), Count("extremes__parts"))
    average_count = synced(models.IntegerField(default=0), Count("averages__parts"))


class Extremes(Own):
    """Evaluated each by itself, where the value that has left may have been the one."""

    above = models.ForeignKey(Above, models.CASCADE, related_name="extremes")
    number = synced(models.SmallIntegerField(null=True), Max("parts__number"))
    many = synced(models.BigIntegerField(null=True), Min("parts__many"))
    money = synced(
        models.DecimalField(max_digits=9, decimal_places=3, null=True), Max("parts__money")
    )
    ratio = synced(models.FloatField(null=True), Min("parts__ratio"))
    name = synced(models.CharField(max_length=20, null=True), Max("parts__name"))
    text = synced(models.TextField(null=True), Min("parts__text"))
    at = synced(models.DateTimeField(null=True), Max("parts__at"))
    day = synced(models.DateField(null=True), Min("parts__day"))
    hour = synced(models.TimeField(null=True), Max("parts__hour"))
    lasts = synced(models.DurationField(null=True), Max("parts__lasts"))


class Averages(Own):
    """Evaluated together, and what may have been an extreme with it."""

    above = models.ForeignKey(Above, models.CASCADE, related_name="averages")
    average = synced(models.FloatField(null=True), Avg("parts__number"))
    total = synced(models.BigIntegerField(null=True), Sum("parts__many"))
    sevenfold = synced(models.IntegerField(default=0), Count("parts") * 7 + Count("parts__name"))
    name = synced(models.CharField(max_length=20, null=True), Max("parts__name"))
    first = synced(models.DateTimeField(null=True), Min("parts__at"))
    lasts = synced(models.DurationField(null=True), Sum("parts__lasts"))


class Values(Own):
    number = models.SmallIntegerField(null=True)
    many = models.BigIntegerField(null=True)
    money = models.DecimalField(max_digits=9, decimal_places=3, null=True)
    ratio = models.FloatField(null=True)
    name = models.CharField(max_length=20, null=True)
    text = models.TextField(null=True)
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    hour = models.TimeField(null=True)
    lasts = models.DurationField(null=True)

    class Meta(Own.Meta):
        abstract = True


class ExtremePart(Values):
    whole = models.ForeignKey(Extremes, models.CASCADE, related_name="parts")


class AveragePart(Values):
    whole = models.ForeignKey(Averages, models.CASCADE, related_name="parts")


PAIRS = {"extremes": (Extremes, ExtremePart), "averages": (Averages, AveragePart)}


def maybe(*values):
    return st.none() | st.sampled_from(values)


VALUES = st.fixed_dictionaries(
    {
        "number": maybe(-32_768, -1, 0, 2, 7, 32_767),
        "many": maybe(-(2**40), -1, 0, 5, 2**40),
        "money": maybe(*map(Decimal, ("-999.999", "0", "0.005", "1.115", "123456.789"))),
        "ratio": maybe(-1e300, -0.1, 0.0, 0.1, 1 / 3, 1e-300),
        "name": maybe("", "a", "B", "ö", "z%s", "☃", "it's"),
        "text": maybe("", "a", "B", "ñandú", "%", "\\n"),
        "at": maybe(
            dt.datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC),
            dt.datetime(2026, 3, 1, tzinfo=UTC),
            dt.datetime(2026, 3, 1, 0, 0, 0, 1, UTC),
        ),
        "day": maybe(dt.date(1999, 12, 31), dt.date(2026, 3, 1)),
        "hour": maybe(dt.time(0), dt.time(12, 30, 0, 5), dt.time(23, 59, 59, 999_999)),
        "lasts": maybe(
            dt.timedelta(days=-1), dt.timedelta(0), dt.timedelta(days=400, microseconds=1)
        ),
    }
)


@pytest.mark.django_db
@pytest.mark.parametrize("name", PAIRS)
@given(
    first=st.lists(VALUES, max_size=2),
    second=st.lists(VALUES, max_size=1),
    then=VALUES,
    moves=st.booleans(),
)
def test_what_is_evaluated_is_what_annotate_says(name, first, second, then, moves):
    whole, part = PAIRS[name]
    with rolled_back():
        one, other = (whole.objects.create(above=Above.objects.create()) for _ in range(2))
        parts = [part.objects.create(whole=one, **values) for values in first]
        parts += [part.objects.create(whole=other, **values) for values in second]
        assert_kept()
        for each in parts[:1]:
            for attname, value in then.items():
                setattr(each, attname, value)
            if moves:
                each.whole = other
            each.save()
            assert_kept()
        for each in parts:
            each.delete()
            assert_kept()


def block(act):
    """What is written in a block."""
    with sent() as statements:
        act()
    return [
        sql for sql in statements.sql if sql.startswith("BEGIN NOT ATOMIC") and "UPDATE `" in sql
    ]


only_blocks = pytest.mark.skipif(connection.vendor != "mysql", reason="only MariaDB takes blocks")


@only_blocks
@pytest.mark.django_db
@pytest.mark.parametrize("name", PAIRS)
def test_it_is_evaluated_in_a_block(name):
    if not takes_blocks("default"):
        pytest.skip("MySQL takes no blocks")
    whole, part = PAIRS[name]
    one, other = (whole.objects.create(above=Above.objects.create()) for _ in range(2))
    given = {"number": 3, "many": 4, "name": "five", "text": "six"}
    (created,) = block(lambda: part.objects.create(whole=one, **given))
    made = part.objects.get()
    (changed,) = block(lambda: part(pk=made.pk, whole=other, **given).save())
    (deleted,) = block(part.objects.get().delete)

    assert ("INTO _syncfields" in created) == (name == "averages")
    assert changed.count("INTO _syncfields") == 1 + (name == "averages")
    assert "INTO _syncfields" in deleted
    # What is evaluated anyway and what may be is one SELECT.
    assert deleted.count("INTO _syncfields") == 1
    assert "LEFT OUTER JOIN" in deleted
    assert_kept()


def alter(kind):
    with connection.cursor() as cursor:
        for model in (Extremes, ExtremePart):
            cursor.execute(f"ALTER TABLE {model._meta.db_table} MODIFY number {kind} NULL")


@pytest.fixture
def wider():
    alter("bigint")
    yield
    empty(APPS)
    alter("smallint")


@only_blocks
@pytest.mark.django_db(transaction=True)
def test_a_column_may_be_wider_than_its_field_says(wider):
    """As it is while one deploys, or in tables of others."""
    whole = Extremes.objects.create(above=Above.objects.create())
    parts = [ExtremePart.objects.create(whole=whole, number=2**power) for power in (40, 41)]
    parts[1].delete()

    assert Extremes.objects.get().number == 2**40


@only_blocks
@pytest.mark.django_db
@pytest.mark.parametrize("name", PAIRS)
def test_the_server_has_nothing_to_say_against_it(name):
    whole, part = PAIRS[name]
    one = whole.objects.create(above=Above.objects.create())
    made = [part.objects.create(whole=one, number=number, name="a") for number in range(2)]
    with connection.cursor() as cursor:
        for each in made:
            each.delete()
            cursor.execute("SHOW WARNINGS")
            assert list(cursor.fetchall()) == []


@pytest.mark.parametrize(
    ("field", "is_declared"),
    [
        *((kind(), True) for kind in PLAIN if kind is not models.DecimalField),
        (models.DecimalField(max_digits=9, decimal_places=2), True),
        (models.ForeignKey(Above, models.CASCADE), True),
        (models.JSONField(), False),
        (models.BinaryField(), False),
        (models.GenericIPAddressField(), False),
        (type("Own", (models.IntegerField,), {})(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_which_columns_variables_are_declared(field, is_declared):
    app = own_apps("declared")
    meta = type("Meta", (), {"apps": app, "app_label": "declared"})
    if field.get_internal_type().endswith("AutoField"):
        pytest.skip("a key is no synced field")
    made = type("Declared", (models.Model,), {"value": field, "Meta": meta, "__module__": __name__})
    name = made._meta.get_field("value").attname
    assert can_be_declared(made, [name]) is is_declared
