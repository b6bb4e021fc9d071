"""Databases, or schemas, that lack what a rule reads."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from syncfields import reconcile
from syncfields.exceptions import NotMigrated
from syncfields.testing import assert_in_sync
from tests.testapp.models import Shelf

TABLE = ("testapp_book", "RENAME TO testapp_gone", "testapp_gone", "RENAME TO testapp_book")
COLUMN = (
    *("testapp_shelf", "RENAME COLUMN page_sum TO gone"),
    *("testapp_shelf", "RENAME COLUMN gone TO page_sum"),
)


@contextmanager
def renamed(table, away, new, back):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} {away}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {new} {back}")


@pytest.mark.parametrize(
    ("change", "lacking"),
    [(TABLE, "the table testapp_book"), (COLUMN, "the column testapp_shelf.page_sum")],
    ids=["table", "column"],
)
@pytest.mark.django_db(transaction=True)
def test_reconcile_says_what_is_missing(change, lacking):
    Shelf.objects.create()
    message = (
        f"The database 'default' lacks {lacking}. Run manage.py migrate there, or select rules "
        "whose tables it has."
    )

    with renamed(*change):
        for look in (reconcile, assert_in_sync):
            with pytest.raises(NotMigrated) as error:
                look(Shelf)
            assert str(error.value) == message
        with pytest.raises(CommandError) as failed:
            call_command("reconcile", "testapp.Shelf", "--check", "--no-progress")

    assert str(failed.value) == message
    assert failed.value.returncode not in (0, 1)
    assert_in_sync(Shelf)
