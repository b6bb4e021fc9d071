"""Whether what was read of a column is stored again as it was."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import models

from syncfields.sql.plain import is_read_as_stored

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


class Shouted(models.CharField):
    def from_db_value(self, value, expression, connection):
        return value and value.upper()


class Listed(models.JSONField):
    pass


READ = [
    (models.IntegerField(), 3, True),
    (models.IntegerField(), None, True),
    (models.IntegerField(), 3.5, False),
    (models.BigAutoField(primary_key=True), 3, True),
    (models.CharField(max_length=9), "a", True),
    (Shouted(max_length=9), "A", False),
    (Shouted(max_length=9), None, False),
    (models.DateField(), dt.date(2026, 1, 1), True),
    (models.DateField(), NOON, False),
    (models.DateTimeField(), NOON, True),
    (models.DateTimeField(), NOON.replace(tzinfo=None), False),
    (models.JSONField(), {"a": 1}, False),
    (models.JSONField(), None, False),
    (Listed(), [1], False),
    (models.FilePathField(), "a", False),
]


@pytest.mark.parametrize(("field", "value", "is_read_so"), READ)
def test_whether_what_was_read_is_stored_again_as_it_was(field, value, is_read_so):
    assert is_read_as_stored(field, value) is is_read_so
