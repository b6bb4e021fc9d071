"""What an instance in memory says for certain, and what only the database can say."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db.models import F, Q

from syncfields.maintenance.folding import deciding, plain
from syncfields.sql.holding import UNKNOWN, Backend
from tests.testapp.models import Comment, Line

NAIVE = dt.datetime(2026, 1, 1)  # noqa: DTZ001
AWARE = NAIVE.replace(tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("condition", "row", "expected"),
    [
        (Q(is_public=True), {"is_public": True}, True),
        (Q(is_public=True), {"is_public": False}, False),
        (~Q(is_public=True), {"is_public": False}, True),
        (Q(is_public=True), {"is_public": None}, None),
        (Q(is_public=True), {"is_public": 1}, None),
        (Q(is_public=True), {}, None),
        (Q(is_public=True), {"is_public": F("x")}, None),
        (Q(score__gt=3), {"score": 4}, True),
        (Q(score__gt=3), {"score": 3}, False),
        (Q(score__gt=3), {"score": "4"}, True),
        (Q(score__gt=3), {"score": "x"}, None),
        (Q(post__isnull=True), {"post_id": None}, True),
        (Q(post__isnull=True), {"post_id": 1}, False),
        (Q(score=1) | Q(text__icontains="x"), {"score": 1, "text": "y"}, True),
        (Q(score=1) & Q(text__icontains="x"), {"score": 1, "text": "y"}, None),
        (Q(score=1) & Q(text__icontains="x"), {"score": 2, "text": "y"}, False),
        (Q(created__gt=NAIVE), {"created": AWARE}, None),
        (~Q(), {}, None),
    ],
    ids=str,
)
def test_conditions(condition, row, expected):
    assert deciding(condition, Comment, Backend("postgresql"))(row) is expected


@pytest.mark.parametrize(
    ("text", "vendor", "expected"),
    [("a", "mysql", True), ("A", "mysql", None), ("A", "sqlite", False)],
)
def test_text_is_compared_by_the_database_where_it_has_a_collation(text, vendor, expected):
    assert deciding(Q(text="a"), Comment, Backend(vendor))({"text": text}) is expected


def test_a_decimal_with_more_places_than_the_column_is_rounded_by_the_database():
    assert plain(Line, "price", Backend("sqlite"))({"price": Decimal("1.25")}) == Decimal("1.25")
    assert plain(Line, "price", Backend("sqlite"))({"price": Decimal("1.255")}) is UNKNOWN
