"""The statements that save and delete one instance: the same as Django's, compiled once."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal
from unittest import mock
from uuid import UUID

import pytest
from django.db import connection, models, transaction
from django.db.models import Count, F, Value
from django.db.models.functions import Now, Upper
from django.db.models.sql import Query, compiler
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ownmodels import assert_kept, kept, own_apps, stored, tables_by
from tests.statements import sent
from tests.undo import rolled_back

APPS = own_apps("saved")
NOON = dt.datetime(2026, 2, 3, 12, 30, 15, 123456, tzinfo=dt.timezone.utc)
BERLIN = dt.timezone(dt.timedelta(hours=1))


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "saved"


class Parent(Own):
    rows = models.IntegerField(default=0)


class Level(models.IntegerChoices):
    HIGH = 2


class Kind(models.TextChoices):
    FAST = "fast"


class Upcased(models.CharField):
    """A class of its own, which may do anything."""

    def get_db_prep_save(self, value, connection):
        value = super().get_db_prep_save(value, connection)
        return value.upper() if isinstance(value, str) else value


class Columns(Own):
    """One of each type, and some of classes that are not Django's."""

    small = models.SmallIntegerField(null=True)
    number = models.IntegerField(null=True)
    positive = models.PositiveIntegerField(null=True)
    flag = models.BooleanField(null=True)
    amount = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    ratio = models.FloatField(null=True)
    title = models.CharField(max_length=20, null=True)
    slug = models.SlugField(null=True)
    text = models.TextField(null=True)
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    hour = models.TimeField(null=True)
    span = models.DurationField(null=True)
    key = models.UUIDField(null=True)
    upcased = Upcased(max_length=20, null=True)
    told = models.DateTimeField(auto_now=True)
    since = models.DateTimeField(db_default=Now())

    class Meta(Own.Meta):
        abstract = True


class Row(Columns):
    parent = models.ForeignKey(Parent, models.CASCADE, null=True, related_name="rows_of")


class Twin(Columns):
    """No rule reads it, so Django saves it."""


class Slow(Own):
    """Only plain columns, so that its statements are compiled once."""

    parent = models.ForeignKey(Parent, models.CASCADE, related_name="slow")
    title = models.CharField(max_length=20)


class LookedFor(Slow):
    class Meta(Own.Meta):
        abstract = False
        proxy = True
        select_on_save = True


class Counting(models.QuerySet):
    calls: list[str] = []

    def _insert(self, *args, **kwargs):
        self.calls.append("insert")
        return super()._insert(*args, **kwargs)

    def _update(self, *args, **kwargs):
        self.calls.append("update")
        return super()._update(*args, **kwargs)


class Managed(Own):
    """All that Django sends goes by way of a manager of its own."""

    parent = models.ForeignKey(Parent, models.CASCADE, related_name="managed")
    title = models.CharField(max_length=20)

    counting = Counting.as_manager()

    class Meta(Own.Meta):
        abstract = False
        base_manager_name = "counting"


class Selected(Own):
    parent = models.ForeignKey(Parent, models.CASCADE, related_name="selected")
    title = models.CharField(max_length=20)

    class Meta(Own.Meta):
        abstract = False
        select_on_save = True


RULES = [(Parent, "rows", Count("rows_of"))]
OF_SLOW = [(Parent, "rows", Count("slow"))]
pytestmark = pytest.mark.django_db


there = tables_by(APPS)


ODD = [None, "", "7", 7, -1, 0, True, 2.5, Decimal("1.25"), Level.HIGH, Kind.FAST, b"x"]
TIMES = [NOON, NOON.astimezone(BERLIN), NOON.replace(tzinfo=None), NOON.date(), "2026-02-03"]
OTHERS = [NOON.time(), dt.timedelta(days=1, microseconds=3), UUID(int=7), str(UUID(int=7))]
FAR = [2**31, 2**63, 2**70, Decimal("1.255"), Decimal("NaN"), float("inf"), "%s", "100 %", "a'b\\"]
LAZY = [gettext_lazy("lazy"), "\N{SNOWMAN}", "x" * 30]
VALUES = [*ODD, *TIMES, *OTHERS, *FAR, *LAZY]
NAMES = [
    each.attname
    for each in Row._meta.concrete_fields
    if each.name not in ("id", "parent", "told", "since")
]


def outcome(write, row):
    """What the columns of the row hold, as the database gives them, or the class of an error."""
    names = ", ".join(connection.ops.quote_name(each) for each in NAMES)
    try:
        with warnings.catch_warnings(), transaction.atomic():
            warnings.simplefilter("ignore")  # Of naive times.
            write(row)
    except Exception as error:  # noqa: BLE001 - the same error is what is asked for
        return type(error)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {names} FROM {row._meta.db_table} WHERE id = %s",
            [row.pk],
        )
        return cursor.fetchone()


@settings(deadline=None, max_examples=150)
@given(values=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=6))
def is_stored_as_django_stores_it(values):
    found = []
    for model in (Row, Twin):
        inserted = outcome(model.save, model(**values))
        row = model.objects.create()
        vars(row).update(values)
        found.append((inserted, outcome(model.save, row)))

    assert repr(found[0]) == repr(found[1])


def test_what_is_stored_is_what_django_stores():
    with kept(RULES):
        is_stored_as_django_stores_it()


def compiled_by(monkeypatch):
    """The compilers that compile a whole statement from now on, in vain for what is compiled."""
    found = []
    for name in ("SQLInsertCompiler", "SQLUpdateCompiler", "SQLDeleteCompiler"):
        kind = getattr(compiler, name)

        def as_sql(self, *args, original=kind.as_sql, **kwargs):
            found.append(type(self).__name__)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(kind, "as_sql", as_sql)
    return found


def test_each_statement_is_compiled_once(monkeypatch):

    def write(title):
        row = Slow.objects.create(parent=parents[0], title=title)
        row.parent = parents[1]
        row.save()
        row.delete()

    with kept(OF_SLOW):
        parents = [Parent.objects.create() for _ in range(2)]
        write("a")
        found = []

        def get_compiler(self, *args, original=Query.get_compiler, **kwargs):
            found.append(type(self).__name__)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(Query, "get_compiler", get_compiler)
        write("b")
        monkeypatch.undo()

        # A SELECT that locks is made anew on MariaDB.
        assert [each for each in found if each != "Query"] == []
        assert_kept()


def test_a_package_that_replaces_what_django_does_is_asked(monkeypatch):
    found = compiled_by(monkeypatch)
    with kept(OF_SLOW):
        row = Slow.objects.create(parent=Parent.objects.create(), title="a")
        row.title = "b"
        row.save()
        row.delete()

    mysql = connection.vendor == "mysql"  # Which has compilers of its own for these.
    assert {"SQLInsertCompiler"} <= set(found)
    assert mysql or {"SQLUpdateCompiler", "SQLDeleteCompiler"} <= set(found)


@pytest.mark.parametrize("first", [True, False], ids=["before the first write", "later"])
@pytest.mark.parametrize("name", ["_insert", "_update"])
def test_what_replaces_a_method_is_called(name, first):
    """Whatever it is: a mock has no module that it was written in."""
    with kept(OF_SLOW), rolled_back():
        parent = Parent.objects.create()
        if not first:
            Slow.objects.create(parent=parent, title="a").save()
        row = Slow(parent=parent, title="b")
        if name == "_update":
            row.save()
            row.title = "c"
        with (
            mock.patch.object(models.QuerySet, name, side_effect=ZeroDivisionError),
            pytest.raises(ZeroDivisionError),
            transaction.atomic(),
        ):
            row.save()


def test_a_proxy_that_is_looked_for_before_it_is_saved():
    with kept(OF_SLOW):
        Slow.objects.create(parent=Parent.objects.create(), title="a").save()
        row = LookedFor.objects.get()
        row.title = "b"
        with sent() as statements:
            row.save()

    assert [each.split()[0] for each in statements][-2:] == ["SELECT", "UPDATE"]
    assert any(each.startswith("SELECT 1 ") for each in statements.sql)


def test_a_manager_of_its_own_is_asked():
    Counting.calls.clear()
    with kept([(Parent, "rows", Count("managed"))]):
        row = Managed(parent=Parent.objects.create(), title="a")
        row.save()
        row.title = "b"
        row.save()

    assert Counting.calls == ["insert", "update"]


def test_a_row_that_is_looked_for_before_it_is_saved():
    with kept([(Parent, "rows", Count("selected"))]):
        row = Selected(parent=Parent.objects.create(), title="a")
        row.save()
        row.title = "b"
        with sent() as statements:
            row.save()

    assert sum("UPDATE" in each for each in statements) == 1
    assert stored(Selected, row.pk, "title") == {"title": "b"}


def test_expressions_are_left_to_django():
    with kept(OF_SLOW):
        row = Slow.objects.create(parent=Parent.objects.create(), title=Upper(Value("a")))
        row = Slow.objects.get(pk=row.pk)
        assert row.title == "A"
        row.title = Upper(F("title"))
        row.save()
        assert_kept()


@pytest.mark.parametrize("pk", [2**70, -(2**70), "x", None])
def test_a_key_that_no_row_can_have(pk):
    errors = []
    for rules in (OF_SLOW, RULES):
        with kept(rules), rolled_back():
            row = Slow.objects.create(parent=Parent.objects.create(), title="a")
            row.pk = pk
            with pytest.raises(Exception) as error, transaction.atomic():  # noqa: PT011
                row.save(force_update=True)
            errors.append((error.type, str(error.value)))

    assert errors[0] == errors[1]


def test_a_key_of_zero():
    """MySQL would make another one of it; Django refuses it there."""
    errors = []
    for rules in (OF_SLOW, RULES):
        with kept(rules), rolled_back():
            try:
                with transaction.atomic():
                    Slow(parent_id=0, title="a").save()
                    connection.check_constraints()
            except Exception as error:  # noqa: BLE001
                errors.append(type(error))
            try:
                with transaction.atomic():
                    Slow(pk=0, parent=Parent.objects.create(), title="a").save(force_insert=True)
                    errors.append(sorted(Slow.objects.values_list("pk")))
            except Exception as error:  # noqa: BLE001
                errors.append(type(error))

    assert errors[:2] == errors[2:]
