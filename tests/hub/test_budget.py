"""What a write costs grows with the tables that it changes, never with the rules, nor with the
rows: shown for generated sets of rules over the hub.

More on demand: SYNCFIELDS_TEST_EXAMPLES=100.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.db.models import Avg, Count, F, Max, Min, Q, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncfields.reconcile import reconcile
from tests.hub import writes
from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.ownmodels import assert_kept, kept
from tests.statements import sent
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

EXAMPLES = int(
    os.environ.get("SYNCFIELDS_TEST_EXAMPLES") or {"sqlite": 8}.get(connection.vendor, 3)
)
FEW = 16
"""So many rows of a bulk write, where it is not ``writes.MANY``; enough to change every target."""

PUBLIC = Q(comments__is_public=True)
ACTIVE = Q(comments__author__is_active=True)
ALIKE: dict[str, list[tuple[Any, str, Any]]] = {
    "sums": [
        (Post, "comment_count", Count("comments")),
        (Post, "public_count", Count("comments", filter=PUBLIC)),
        (Post, "score_sum", Sum("comments__score")),
    ],
    "filtered beyond": [
        (Post, "active_count", Count("comments", filter=ACTIVE)),
    ],
    "evaluated": [
        (Post, "score_avg", Avg("comments__score")),
        (Post, "rating_sum", Sum("comments__rating")),
    ],
    "extremes": [
        (Post, "best", Max("comments__score")),
        (Post, "first_at", Min("comments__created")),
        (Post, "last_at", Max("comments__created")),
    ],
    "two hops": [
        (Blog, "comment_count", Count("posts__comments")),
    ],
    "a chain": [
        (Blog, "comment_total", Sum("posts__comment_count")),  # If "sums" are kept; else a sum.
    ],
    "in an author": [
        (Author, "comment_count", Count("comments")),
    ],
    "in a topic": [
        (Topic, "comment_count", Count("comments")),
        (Topic, "public_count", Count("comments", filter=PUBLIC)),
    ],
    "a copy": [
        (Comment, "blog_name", F("author__name")),
    ],
}
"""Rules of the hub, those of one kind and path together."""


@dataclass(frozen=True, slots=True)
class More:
    """Statements that a write may need beside the budget."""

    why: str
    sqlite: int
    postgresql: int
    mysql: int

    def on(self, vendor: str) -> int:
        return int(getattr(self, vendor))


FAN_OUT = "From the author, or the post, to its comments no SELECT of one row leads."
LOCKS = "A row that a filter reads is locked, too, on MariaDB by a statement of its own."
MORE = {
    "create": More(LOCKS, 0, 0, 1),
    "delete": More(LOCKS + " So is the comment, by the SELECT that reads it.", 0, 0, 2),
    "move_to_another_post_and_author": More(
        "What it contributes by rows that it leads to is read before it and after it. " + LOCKS,
        *(1, 1, 3),
    ),
    "author_becomes_inactive": More(FAN_OUT, 1, 3, 3),
    "post_moves": More(FAN_OUT + " PostgreSQL is asked whether the new blog is there.", 1, 2, 1),
    "delete_post": More("The comments that go with it are locked, and read.", 1, 2, 4),
    "bulk_create": More(LOCKS, 0, 0, 1),
    "bulk_update": More("Values that the database computes are read after the write.", 1, 1, 1),
    "update_a_summed_value": More("As those of bulk_update().", 1, 1, 1),
    "delete_many": More(LOCKS + " So what it decides of is read by one.", 0, 0, 2),
}
"""Expected exceptions, each with its reason."""


@contextmanager
def keeping(groups: Sequence[str], each: int | None = None) -> Iterator[None]:
    """The rules of some kinds, or so many of each, are kept, and right."""
    with kept(rule for group in groups for rule in ALIKE[group][:each]), rolled_back():
        reconcile()
        yield


def played(name: str) -> list[str]:
    """What a write sends, each statement by its verb and its table."""
    with rolled_back():
        act = writes.WRITES[name]()
        with sent() as statements:
            act()
        assert_kept()
    return statements


def beside(statements: Sequence[str], own: Sequence[str]) -> list[str]:
    """What was sent beside Django's own statements."""
    more = [*statements]
    for each in own:
        more.remove(each)
    return more


def changed(more: Sequence[str]) -> set[str]:
    """The tables that were written."""
    updates = [each.removeprefix("UPDATE ") for each in more if each.startswith("UPDATE")]
    return {table for each in updates for table in each.split(", ")}


@pytest.fixture(autouse=True)
def own() -> dict[str, list[str]]:
    """What Django sends for each write by itself; the rows are there."""
    with kept([]):
        writes.populate()
        return {name: played(name) for name in writes.WRITES}


def generated(test: Any) -> Any:
    """For generated kinds of rules."""
    kinds = st.sets(st.sampled_from(sorted(ALIKE)), min_size=1).map(sorted)
    # Each example ends by a rollback, and begins with the same rows.
    calm = settings(
        max_examples=EXAMPLES,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return calm(given(groups=kinds)(test))


@generated
def test_what_a_write_sends_grows_with_the_tables_that_it_changes(own, groups):
    vendor = connection.vendor
    with keeping(groups):
        for name in writes.WRITES:
            more = beside(played(name), own[name])

            locked_and_written = 2 if vendor == "mysql" else 1
            allowed = MORE[name].on(vendor) if name in MORE else 0
            assert len(more) <= locked_and_written * len(changed(more)) + 2 + allowed, (name, more)


@generated
def test_a_rule_like_another_one_adds_no_statement(own, groups):
    with keeping(groups, each=1):
        few = {name: beside(played(name), own[name]) for name in writes.WRITES}
    with keeping(groups):
        for name in writes.WRITES:
            more = beside(played(name), own[name])

            if changed(more) == changed(few[name]):
                assert len(more) <= len(few[name]), (name, few[name], more)


@generated
def test_many_rows_cost_as_few(own, groups):
    with keeping(groups):
        many = {name: played(name) for name in writes.BULK}
        few = list(Comment.objects.order_by("pk").values_list("pk", flat=True)[:FEW])
        Comment.objects.exclude(pk__in=few).delete()  # MariaDB takes no LIMIT in such a subquery.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writes, "MANY", FEW)

            assert {name: played(name) for name in writes.BULK} == many
