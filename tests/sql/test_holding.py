"""What is known of a column that was given a value, what that saves, and where it is not known."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, models
from django.db.models import Case, Count, F, Max, Q, Sum, When

from syncfields.declare.rules import Declaration
from syncfields.sql.holding import UNKNOWN, Backend, holding, keeping, nulling
from tests.ownmodels import kept, own_apps, tables
from tests.statements import sent

pytestmark = pytest.mark.django_db

UTC = dt.timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")
NOON = dt.datetime(2024, 2, 3, 12, tzinfo=UTC)
ON_EACH = tuple(map(Backend, ("sqlite", "postgresql", "mysql")))


class Kind(models.TextChoices):
    FAST = "fast"
    SLOW = "slow"


class Level(models.IntegerChoices):
    LOW = 1
    HIGH = 2


class Own(models.CharField):
    """May do anything."""


DECIMAL = models.DecimalField(max_digits=6, decimal_places=2)
WIDE = models.DecimalField(max_digits=20, decimal_places=2)
TEXT, SHORT = models.CharField(max_length=9), models.CharField(max_length=3)
TIME = models.DateTimeField()


@pytest.mark.parametrize(
    ("field", "given", "held"),
    [
        (models.IntegerField(), 5, 5),
        (models.IntegerField(), "5", 5),
        (models.IntegerField(), Level.HIGH, 2),
        (models.IntegerField(), 2**31, UNKNOWN),
        (models.IntegerField(), "five", UNKNOWN),
        (models.IntegerField(), F("other"), UNKNOWN),
        (models.PositiveIntegerField(), -1, UNKNOWN),
        (models.IntegerField(), None, None),
        (models.AutoField(primary_key=True), None, UNKNOWN),
        (TEXT, "fast", "fast"),
        (TEXT, Kind.FAST, "fast"),
        (TEXT, 5, UNKNOWN),
        (SHORT, "ab  ", UNKNOWN),
        (models.TextField(max_length=3), "ab  ", "ab  "),
        (Own(max_length=9), "fast", UNKNOWN),
        (Own(max_length=9), None, UNKNOWN),
        (DECIMAL, Decimal("1.2"), Decimal("1.2")),
        (DECIMAL, 3, Decimal(3)),
        (DECIMAL, Decimal("1.205"), UNKNOWN),
        (DECIMAL, Decimal("NaN"), UNKNOWN),
        (DECIMAL, 1.5, UNKNOWN),
        (DECIMAL, Decimal(10000), UNKNOWN),
        (models.BooleanField(), True, True),
        (models.BooleanField(), 1, UNKNOWN),
        (models.UUIDField(), str(uuid.UUID(int=7)), uuid.UUID(int=7)),
        (models.DateField(), NOON, UNKNOWN),
        (TIME, NOON, NOON),
        (TIME, NOON.astimezone(BERLIN), NOON),
        (TIME, dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN), UNKNOWN),
        (TIME, dt.datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN), UNKNOWN),
        (TIME, NOON.replace(tzinfo=None), UNKNOWN),
        (models.GenericIPAddressField(), "10.0.0.1", UNKNOWN),
        (models.JSONField(), None, UNKNOWN),
        (models.FileField(), None, UNKNOWN),
    ],
    ids=str,
)
def test_what_a_column_holds(field, given, held):
    for backend in ON_EACH:
        found = holding(field, backend)(given)

        assert (found, type(found)) == (held, type(held))
    assert holding(field, Backend("oracle"))(given) is UNKNOWN


def test_a_decimal_of_many_digits_is_a_float_in_sqlite():
    value = Decimal("123456789012345.67")

    assert holding(WIDE, Backend("sqlite"))(value) is UNKNOWN
    assert holding(WIDE, Backend("postgresql"))(value) == value


def test_a_time_that_is_stored_in_another_zone_is_not_known():
    assert holding(TIME, Backend("mysql", in_utc=False))(NOON) is UNKNOWN


@pytest.mark.parametrize(
    ("field", "given", "is_null"),
    [
        (models.GenericIPAddressField(), "", UNKNOWN),
        (models.GenericIPAddressField(), "10.0.0.1", False),
        (models.GenericIPAddressField(), None, True),
        (models.FileField(), None, UNKNOWN),
        (models.JSONField(), None, UNKNOWN),
        (models.FloatField(), float("nan"), UNKNOWN),
        (models.FloatField(), 1.5, False),
        (TEXT, "", False),
        (TEXT, Kind.FAST, False),
        (Own(), "a", UNKNOWN),
        (models.BinaryField(), b"", False),
        (models.IntegerField(), "5", False),
        (models.IntegerField(), F("other"), UNKNOWN),
    ],
    ids=str,
)
def test_whether_a_column_is_null(field, given, is_null):
    for backend in ON_EACH:
        assert nulling(field, backend)(given) is is_null


@pytest.mark.parametrize(
    ("field", "old", "new", "is_kept"),
    [
        (models.IntegerField(), 5, 5, True),
        (models.IntegerField(), 5, "5", True),
        (models.IntegerField(), 1, 2, False),
        (models.BooleanField(), True, 1, False),
        (models.GenericIPAddressField(), "10.0.0.1", "10.0.0.1", True),
        (models.GenericIPAddressField(), "0:0::1", "0:0::1", False),
        (models.GenericIPAddressField(), "", "", False),
        (models.GenericIPAddressField(), None, None, True),
        (models.JSONField(), None, None, False),
        (models.BinaryField(), b"a", b"a", True),
        (models.FloatField(), 0.5, 0.5, True),
        (Own(), "a", "a", False),
    ],
    ids=str,
)
def test_whether_a_column_is_left_as_it_is(field, old, new, is_kept):
    for backend in ON_EACH:
        assert keeping(field, backend)(old, new) is is_kept


@pytest.fixture(scope="module")
def network(django_db_setup, django_db_blocker):
    """A host, and its network cards."""
    own = own_apps("network")

    class Host(models.Model):
        nic_count = models.IntegerField(default=0)
        known_count = models.IntegerField(default=0)
        fast_count = models.IntegerField(default=0)
        high_count = models.IntegerField(default=0)
        speed = models.IntegerField(default=0)
        last = models.BigIntegerField(null=True)

        class Meta:
            app_label = "network"
            apps = own

    class Nic(models.Model):
        host = models.ForeignKey(Host, models.CASCADE, null=True, related_name="nics")
        ip = models.GenericIPAddressField(null=True)
        kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.SLOW)
        level = models.IntegerField(choices=Level.choices, default=Level.LOW)
        made = models.GeneratedField(
            expression=Case(When(level=2, then=F("level"))),
            output_field=models.IntegerField(),
            db_persist=True,
        )

        class Meta:
            app_label = "network"
            apps = own

    made = (Host, Nic)
    with tables(django_db_blocker, made):
        yield made


def stored(host):
    return type(host).objects.values_list("nic_count", "known_count").get(pk=host.pk)


@pytest.mark.parametrize("tracking", ["database", "memory"])
def test_an_empty_address_is_not_counted(network, tracking):
    host_model, nic = network
    rules = [
        (host_model, "nic_count", Declaration(Count("nics"), tracking=tracking)),
        (host_model, "known_count", Declaration(Count("nics__ip"), tracking=tracking)),
    ]
    with kept(rules):
        host = host_model.objects.create()
        row = nic.objects.create(host=host, ip="")
        assert stored(host) == (1, 0)
        row.ip = "10.0.0.1"
        row.save()
        assert stored(host) == (1, 1)
        row.ip = ""
        row.save()
        assert stored(host) == (1, 0)
        nic.objects.bulk_create([nic(host=host, ip=""), nic(host=host, ip="::1")])
        assert stored(host) == (3, 1)
        nic.objects.update(ip="")
        assert stored(host) == (3, 0)
        row.delete()
        assert stored(host) == (2, 0)


def test_a_key_that_is_remembered_is_the_one_that_was_stored(network):
    host_model, nic = network
    one, other = host_model.objects.create(), host_model.objects.create()
    rule = Declaration(Count("nics"), tracking="memory")
    with kept([(host_model, "nic_count", rule)]):
        row = nic.objects.create(host_id=str(one.pk))
        row.host_id = str(other.pk)
        row.save()
        row.host_id = str(one.pk)
        with sent() as statements:
            row.save()

    assert "SELECT network_host" not in statements or connection.vendor == "mysql"
    assert (stored(one)[0], stored(other)[0]) == (1, 0)


def test_a_generated_column_that_is_null_is_not_counted(network):
    host_model, nic = network
    with kept([(host_model, "known_count", Count("nics__made"))]):
        host = host_model.objects.create()
        nic.objects.create(host=host)
        nic.objects.create(host=host, level=2)

        assert stored(host)[1] == 1


def test_the_key_of_a_new_row_is_known_when_it_is_there(network):
    host_model, nic = network
    rules = [(host_model, "last", Max("nics__id")), (host_model, "speed", Sum("nics__id"))]
    with kept(rules):
        host = host_model.objects.create()
        pks = [nic.objects.create(host=host).pk for _ in range(2)]

        host.refresh_from_db()
        assert (host.last, host.speed) == (max(pks), sum(pks))


LITERALS = {"fast_count": Q(nics__kind="fast"), "high_count": Q(nics__level=2)}
MEMBERS = {"fast_count": Q(nics__kind=Kind.FAST), "high_count": Q(nics__level=Level.HIGH)}


def costs(network, conditions, kind, level):
    host_model, nic = network
    rules = [(host_model, name, Count("nics", filter=each)) for name, each in conditions.items()]
    with kept(rules):
        host = host_model.objects.create()
        with sent() as statements:
            row = nic.objects.create(host=host, kind=kind, level=level)
            nic.objects.bulk_create([nic(host=host, kind=kind, level=level) for _ in range(3)])
            row.save()
            nic.objects.update(kind=kind, level=level)
            row.delete()
        host.refresh_from_db()
        assert (host.fast_count, host.high_count) == (3, 3)
    return statements


def test_a_member_of_an_enumeration_costs_what_its_value_does(network):
    expected = costs(network, LITERALS, "fast", 2)

    assert costs(network, MEMBERS, "fast", 2) == expected
    assert costs(network, LITERALS, Kind.FAST, Level.HIGH) == expected
    assert costs(network, MEMBERS, Kind.FAST, Level.HIGH) == expected


def test_create_of_a_member_is_one_update(network):
    host_model, nic = network
    rules = [
        (host_model, name, Count("nics", filter=each))
        for name, each in MEMBERS.items()
        if name == "fast_count"
    ]
    with kept(rules):
        host = host_model.objects.create()
        with sent() as statements:
            nic.objects.create(host=host, kind=Kind.FAST)

    locked = ["SELECT network_host"] if connection.vendor == "mysql" else []
    assert statements == [*locked, "INSERT network_nic", "UPDATE network_host"]
