"""Conditions on more rows than a statement has variables for."""

from __future__ import annotations

import pytest
from django.db.models import F

from tests.testapp import models as zoo
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


def test_more_rows_than_a_statement_has_variables(monkeypatch):
    monkeypatch.setattr("syncfields.sql.rows.FEW", 3)
    shelf, other = zoo.Shelf.objects.create(), zoo.Shelf.objects.create()
    zoo.Book.objects.bulk_create([zoo.Book(shelf=shelf, pages=n) for n in range(10)])
    assert_truth()

    zoo.Book.objects.filter(pages__gt=1).update(shelf=other, pages=F("pages") + 1)
    assert_truth()
    zoo.Book.objects.filter(pages__lt=8).delete()

    assert_truth()
