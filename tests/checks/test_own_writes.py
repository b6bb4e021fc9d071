"""W006: a queryset that makes an INSERT of its own. No database is needed."""

from __future__ import annotations

import pytest
from django.core.checks import Warning
from django.db import connection, models
from django.db.models import sql
from django.db.models.sql import InsertQuery

from syncfields.checks import declarations, own_writes
from syncfields.checks.hints import see
from tests.testapp.models import Book, Shelf


class OwnInsert(InsertQuery):
    pass


class Upserting(models.QuerySet):
    """As the queryset of django-postgres-extra is made."""

    def upsert(self, **fields):
        return self.insert(**fields)

    def insert(self, **fields):
        return self._compiler(fields).execute_sql(())

    def _compiler(self, fields):
        query = OwnInsert(self.model)
        query.insert_values([], [self.model(**fields)])
        return query.get_compiler(using=self.db)

    def newest(self):
        return self.order_by("-pk").first()


class ByModule(models.QuerySet):
    def touch(self):
        with connection.cursor() as cursor:
            cursor.execute(*self.query.chain(sql.UpdateQuery).get_compiler(self.db).as_sql())


class ByImport(models.QuerySet):
    def sweep(self):
        from django.db.models.sql.subqueries import DeleteQuery

        return [DeleteQuery(self.model).get_compiler(self.db).execute_sql("") for _ in "1"]


class InManager(models.Manager):
    def sweep(self):
        return sql.DeleteQuery(self.model).get_compiler("default").execute_sql("")


class Harmless(models.QuerySet):
    """Near misses: what only looks as if it wrote, or is seen."""

    def bulk_create(self, *args, **kwargs):
        return super().bulk_create(*args, **kwargs)

    def upsert(self, rows):
        return self.bulk_create(rows, update_conflicts=True, unique_fields=["id"])

    def insert(self, **fields):
        return self.create(**fields)

    def is_insert(self):
        return isinstance(self.query, InsertQuery)

    def raw_rows(self):
        return self.query.get_compiler(self.db).execute_sql("multi")

    def estimated(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class")
            return cursor.fetchone()


class Needy(models.Manager.from_queryset(Upserting)):
    def get_queryset(self):
        raise LookupError("no request")


@pytest.fixture
def managed(monkeypatch):
    """Give ``Book`` another manager."""

    def use(manager):
        manager.model, manager.name = Book, "objects"
        monkeypatch.setitem(vars(Book._meta), "managers", (manager,))

    return use


@pytest.mark.parametrize(
    ("manager", "culprit", "names"),
    [
        (Upserting.as_manager(), "Upserting", "insert(), upsert()"),
        (ByModule.as_manager(), "ByModule", "touch()"),
        (ByImport.as_manager(), "ByImport", "sweep()"),
        (InManager(), "InManager", "sweep()"),
        (Needy(), "Upserting", "insert(), upsert()"),
    ],
)
def test_w006_methods_that_write_by_a_query_of_their_own(managed, manager, culprit, names):
    managed(manager)

    assert declarations.check_own_writes() == [
        Warning(
            f"{culprit} writes testapp.Book by queries of its own, which are not seen: {names}.",
            hint="Use bulk_create(update_conflicts=True), update_or_create() or update() instead, "
            "or run manage.py reconcile after such writes; where there are none, silence this "
            f"check. {see('W006')}",
            obj=Book,
            id="syncfields.W006",
        )
    ]


@pytest.mark.parametrize("manager", [Harmless.as_manager(), models.Manager()])
def test_w006_is_not_said_of_what_is_seen_or_only_reads(managed, manager):
    managed(manager)

    assert declarations.check_own_writes() == []


def test_w006_is_not_said_of_the_zoo():
    assert declarations.check_own_writes() == []
    assert list(own_writes.of(Shelf)) == []
