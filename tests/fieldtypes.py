"""Every field of Django, and fields with every hook overridden: each as a source and as a target.

Their models are no part of the zoo: there are a few for each field, made by ``world_of()`` in a
registry of applications of their own.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import django
from django.contrib.postgres.fields import (
    ArrayField,
    DateTimeRangeField,
    HStoreField,
    IntegerRangeField,
)
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models, transaction
from django.db.models import Count, F, Max, Min, Q, Sum, Value
from django.db.models.functions import Lower
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from tests.ownmodels import own_apps

UTC = dt.timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")
DAY = dt.date(2024, 2, 3)
NOON = dt.datetime(2024, 2, 3, 12, tzinfo=UTC)


class Kind(models.TextChoices):
    A = "a"
    B = "b"


class Number(models.IntegerChoices):
    FIVE = 5
    SIX = 6


class PlainKind(str, enum.Enum):
    A = "a"


class Integral:
    """As the integers of numpy."""

    def __int__(self) -> int:
        return 6

    __index__ = __int__


# Fields with hooks of their own. -----------------------------------------------------------------


class Reversed(models.CharField):
    """Stored the other way round."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value and value[::-1]

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value and value[::-1]


class Emptied(models.CharField):
    """Stores NULL for ``""``."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(value) or None


class PreparedForTheDatabase(models.CharField):
    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(value, connection, prepared) or None


class PreparedForSave(models.CharField):
    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if hasattr(value, "resolve_expression"):
            return value
        return super().get_db_prep_save(value, connection) or None


class Presaved(models.CharField):
    def pre_save(self, model_instance: Any, add: bool) -> Any:
        return getattr(model_instance, self.attname) or None


class Raised(models.IntegerField):
    """``to_python()`` is no use for what is stored."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return None if value is None else value + 100


class Typed(models.CharField):
    def db_type(self, connection: Any) -> str:
        return "text"


class Placed(models.CharField):
    """Stored in capitals, by the database."""

    if django.VERSION >= (6, 1):

        def get_placeholder_sql(self, value: Any, compiler: Any, connection: Any) -> Any:
            sql, params = compiler.compile(value) if hasattr(value, "as_sql") else ("%s", (value,))
            return f"UPPER({sql})", params

    else:

        def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
            return "UPPER(%s)"


class Selected(models.CharField):
    def select_format(self, compiler: Any, sql: str, params: Any) -> Any:
        return f"UPPER({sql})", params


class Kept:
    """A descriptor that keeps its value elsewhere, and ``""`` as None."""

    def __init__(self, field: Any) -> None:
        self.name = f"_{field.attname}"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else vars(instance).get(self.name)

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self.name] = value or None


class Described(models.CharField):
    descriptor_class = Kept

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, Kept(self))


# The cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[..., Any]
    """Makes the field, with the options that it is given."""
    forms: Sequence[Any]
    """Values that it may be given; the first two are not NULL, and in their order."""
    only: str = ""
    """The database that it is for."""
    extension: str = ""
    """What that database must have been extended by."""
    inexact: Sequence[Any] = ()
    """Values that SQLite does not hold as the column should: see docs/guarantees.md."""
    wanted: Sequence[Any] = ()
    """Two values for filters, where they are others than the first two forms."""
    target: Callable[..., Any] | None = None
    """Makes the field of a target, if it is another one."""
    written: str = "value"
    """The attribute that is written."""
    more: Callable[[], dict[str, Any]] = dict
    """Further fields of the source."""
    is_key: bool = False
    """Whether no two rows of a source hold the same."""
    is_copied: bool = True
    """Whether a key can refer to the source."""

    def __str__(self) -> str:
        return self.name

    @property
    def is_custom(self) -> bool:
        return type(self.make()).__module__ == __name__

    @property
    def adds_up(self) -> bool:
        return isinstance(self.make(), (models.IntegerField, models.DecimalField))

    @property
    def filtered_by(self) -> tuple[Any, Any]:
        first, second, *_ = self.wanted or self.forms
        return first, second


def to(field: str) -> Callable[..., Any]:
    return lambda **options: models.ForeignKey(
        "fieldtypes.Other", models.CASCADE, to_field=field, related_name="+", **options
    )


def of(kind: Any, **options: Any) -> Callable[..., Any]:
    return lambda **more: kind(**options, **more)


TEXTS = ("a", "b", "", 5, True, lazystr("a"), Kind.A, PlainKind.A, mark_safe("b"), None)
TEXTS += ("A", Value("a"), Lower(Value("A")), "ab       ")
INTEGERS = (
    5,
    6,
    "5",
    True,
    Decimal(5),
    5.7,
    Number.FIVE,
    Integral(),
    None,
    Value(5),
    F("rank") + 5,
)
KEYS = (1, 2, "1", True, None, Value(2), F("rank") + 1)
PATHS = ("/a", "/b", "", PurePosixPath("/a"), None, Kind.A)
ARRAYS = ([1, 2], [2], [], ["1", 2], (1, 2), None)
HSTORES = ({"a": "1"}, {"a": "1", "b": None}, {}, {"a": 1}, {"b": "2", "a": "1"}, None)
VECTORS = ("a", "b", "", "b a", SearchVector(Value("a b"), config="simple"), None)
TIMES = ((NOON, None), (None, NOON), None)

CASES = [
    Case("IntegerField", of(models.IntegerField), INTEGERS),
    *(
        Case(kind.__name__, of(kind), (5, 6, "5", Number.FIVE, None))
        for kind in (
            models.BigIntegerField,
            models.PositiveBigIntegerField,
            models.PositiveIntegerField,
            models.PositiveSmallIntegerField,
            models.SmallIntegerField,
        )
    ),
    Case("CharField", of(models.CharField, max_length=5), TEXTS),
    *(
        Case(kind.__name__, of(kind, max_length=5), ("a", "b", "", Kind.A, None))
        for kind in (models.EmailField, models.SlugField, models.URLField)
    ),
    Case("TextField", of(models.TextField), ("a", "b", "", 5, Kind.A, None)),
    Case("FilePathField", of(models.FilePathField, path="/"), PATHS),
    Case("BinaryField", of(models.BinaryField), (b"a", b"b", b"", bytearray(b"a"), None)),
    Case("BooleanField", of(models.BooleanField), (False, True, 1, "False", None, Value(True))),
    Case("DateField", of(models.DateField), (DAY, dt.date(2024, 2, 4), "2024-02-03", NOON, None)),
    Case(
        "DateTimeField",
        of(models.DateTimeField),
        (
            NOON,
            NOON + dt.timedelta(microseconds=1),
            NOON.astimezone(BERLIN),
            dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
            dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
            dt.datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN),
            NOON.replace(tzinfo=None),
            "2024-02-03 12:00:00+00:00",
            DAY,
            None,
        ),
    ),
    Case(
        "DecimalField",
        of(models.DecimalField, max_digits=6, decimal_places=2),
        (Decimal("1.20"), Decimal(2), "1.2", 1.25, 3, Number.FIVE, None),
        inexact=(1.005, Decimal("1.205")),
    ),
    Case(
        "DecimalField(max_digits=20)",
        of(models.DecimalField, max_digits=20, decimal_places=2),
        (Decimal("1.20"), Decimal("1234567890123.45"), None),
        inexact=(Decimal("123456789012345678.91"), Decimal("123456789012345678.93")),
    ),
    Case(
        "DurationField",
        of(models.DurationField),
        (dt.timedelta(hours=1), dt.timedelta(days=40, microseconds=1), None),
    ),
    Case(
        "FloatField", of(models.FloatField), (0.5, 1.5, "0.5", 1, Decimal("0.5"), -0.0, 0.0, None)
    ),
    Case(
        "FileField",
        of(models.FileField, max_length=20),
        ("a.txt", "b.txt", "", None),
    ),
    Case(
        "ImageField",
        of(models.ImageField, max_length=20),
        ("a.png", "b.png", "", None),
    ),
    Case(
        "GenericIPAddressField",
        of(models.GenericIPAddressField),
        ("10.0.0.1", "::1", "", "0:0:0:0:0:0:0:1", "::ffff:10.0.0.1", None, lazystr("10.0.0.1")),
    ),
    Case(
        "JSONField",
        of(models.JSONField),
        ({"a": 1}, {"a": 2}, [1], "a", 1, True, None, Value(None, models.JSONField())),
    ),
    Case("TimeField", of(models.TimeField), (dt.time(9), dt.time(9, 0, 0, 1), "09:00", NOON, None)),
    Case(
        "UUIDField",
        of(models.UUIDField),
        (uuid.UUID(int=1), uuid.UUID(int=2), str(uuid.UUID(int=1)), uuid.UUID(int=2).hex, 3, None),
    ),
    Case(
        "GeneratedField",
        lambda **_: models.GeneratedField(
            expression=F("made") + 1, output_field=models.IntegerField(null=True), db_persist=True
        ),
        INTEGERS[:-2],
        target=of(models.IntegerField),
        written="made",
        more=lambda: {"made": models.IntegerField(null=True)},
    ),
    Case("ForeignKey", to("id"), KEYS, target=of(models.BigIntegerField), written="value_id"),
    Case(
        "ForeignKey(to_field=...)",
        to("code"),
        ("a", "b", None, Kind.A, Value("a"), mark_safe("b")),
        target=of(models.CharField, max_length=5),
        written="value_id",
    ),
    Case(
        "OneToOneField",
        lambda **options: models.OneToOneField(
            "fieldtypes.Other", models.CASCADE, related_name="+", **options
        ),
        (1, 2, "3", True, None, Value(2), Number.FIVE),
        target=of(models.BigIntegerField),
        written="value_id",
        is_key=True,
    ),
    Case(
        "member of a CompositePrimaryKey",
        lambda **_: models.IntegerField(),
        (5, 6, "5", True, Number.SIX, Decimal(7), "8"),
        target=of(models.IntegerField),
        more=lambda: {"pk": models.CompositePrimaryKey("rank", "value")},
        is_key=True,
        is_copied=False,
    ),
    Case("ArrayField", of(ArrayField, base_field=models.IntegerField()), ARRAYS, only="postgresql"),
    Case("IntegerRangeField", of(IntegerRangeField), ((1, 2), (2, 5), None), only="postgresql"),
    Case("DateTimeRangeField", of(DateTimeRangeField), TIMES, only="postgresql"),
    Case("HStoreField", of(HStoreField), HSTORES, only="postgresql", extension="hstore"),
    Case("SearchVectorField", of(SearchVectorField), VECTORS, only="postgresql"),
    *(
        Case(kind.__name__, of(kind, max_length=20), TEXTS[:-1])
        for kind in (
            Reversed,
            Emptied,
            PreparedForTheDatabase,
            PreparedForSave,
            Presaved,
            Typed,
            Placed,
            Selected,
            Described,
        )
    ),
    Case("Raised", of(Raised), INTEGERS),
]

ADDED = (models.DurationField, models.FloatField)
USES = ("Count", "Min", "Max", "Sum", "copy", "equal", "isnull", "in", "gt")


@dataclass(frozen=True)
class World:
    """The models of one case: sources with a key to a target, and rows that copy from a source."""

    other: Any
    """What a foreign key refers to."""

    case: Case
    target: Any
    source: Any
    copying: Any
    """None if no key can refer to a source."""
    plain: Any
    """As the source, without relations and rules."""


def world_of(case: Case) -> World:
    apps = own_apps("fieldtypes")
    number = CASES.index(case)

    def model(name: str, **attributes: Any) -> Any:
        table = f"fieldtypes_{name}_{number}"
        attributes["Meta"] = type(
            "Meta", (), {"app_label": "fieldtypes", "apps": apps, "db_table": table.lower()}
        )
        return type(name, (models.Model,), {"__module__": __name__, **attributes})

    def own(**options: Any) -> Any:
        return (case.target or case.make)(**{"null": True, **options})

    other = model("Other", code=models.CharField(max_length=5, unique=True))
    total = {"null": False, "default": 0} if case.adds_up else {}
    target = model(
        "Target",
        count=models.IntegerField(default=0),
        low=own(),
        high=own(),
        total=own(**total),
        equal=models.IntegerField(default=0),
        isnull=models.IntegerField(default=0),
        among=models.IntegerField(default=0),
        gt=models.IntegerField(default=0),
    )
    columns = {"rank": models.IntegerField(default=0), "value": case.make(null=True)}
    source = model(
        "Source",
        target=models.ForeignKey(target, models.CASCADE, null=True, related_name="sources"),
        **case.more(),
        **columns,
    )
    copying = None
    if case.is_copied:
        copying = model(
            "Copying",
            source=models.ForeignKey(source, models.CASCADE, null=True, related_name="copies"),
            copy=own(),
        )
    plain = model(
        "Plain",
        rank=models.IntegerField(default=0),
        value=case.make(null=True),
        **case.more(),
    )
    return World(other, case, target, source, copying, plain)


def rules_of(world: World) -> dict[str, tuple[Any, str, Any]]:
    """What each use of a source is declared as: ``{use: (model, field, expression)}``."""
    first, second = world.case.filtered_by
    target = world.target
    total = Sum("sources__value", default=0 if world.case.adds_up else None)
    added = isinstance(world.source._meta.get_field("value"), ADDED) or world.case.adds_up

    def counted(condition: Q) -> Any:
        return Count("sources", filter=condition)

    return {
        "Count": (target, "count", Count("sources__value")),
        "Min": (target, "low", Min("sources__value")),
        "Max": (target, "high", Max("sources__value")),
        **({"Sum": (target, "total", total)} if added else {}),
        **({"copy": (world.copying, "copy", F("source__value"))} if world.copying else {}),
        "equal": (target, "equal", counted(Q(sources__value=first))),
        "isnull": (target, "isnull", counted(Q(sources__value__isnull=True))),
        "in": (target, "among", counted(Q(sources__value__in=[first, second]))),
        "gt": (target, "gt", counted(Q(sources__value__gt=first))),
    }


def is_accepted(case: Case, world: World, form: Any) -> bool:
    """Whether Django and the database take the value at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with transaction.atomic():
                row = world.plain.objects.create(**{case.written: form})
                list(world.plain.objects.filter(pk=row.pk).values())
        except Exception:  # noqa: BLE001 - whatever it is, it is not ours
            return False
    return True
