"""When a stored value is not the value of its expression, and what is written then."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from syncfields.plan import registry
from syncfields.reconcile.selection import plan_tasks
from syncfields.sql.scans import Rows, Scan
from syncfields.targets.drift import (
    FEW,
    Drift,
    by_field,
    candidates,
    compared,
    differing,
    is_taken_as_it_is,
    repair,
)
from tests.menagerie import write_behind
from tests.statements import sent
from tests.testapp.models import Book, Comment, Entry, Maker, Post, Shelf, Wallet
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def scan_of(model, *names):
    """The scan of some fields that one query asks for, and all rows of the model."""
    scans = [scan for task in plan_tasks((), None) if task.model is model for scan in task.scans]
    (scan,) = (scan for scan in scans if {*names} <= scan.values.keys())
    rows = Rows(model, "default", list(model.objects.values_list("pk", flat=True)))
    return Scan({name: scan.values[name] for name in names}, scan.path), rows


def found(model, *names):
    return {
        (pk, name): (drift.stored, drift.expected)
        for pk, drifts in differing(*scan_of(model, *names))
        for name, drift in drifts.items()
    }


@pytest.fixture
def posts():
    posts = [Post.objects.create() for _ in range(3)]
    for score, heat in ((4, 0.1), (9, 0.2)):
        Comment.objects.create(post=posts[0], score=score, heat=heat, created=NOON)
    return posts


@pytest.mark.parametrize(
    ("name", "stored", "expected"),
    [
        ("comment_count", 0, 2),
        ("best_score", 8, 9),
        ("best_score", None, 9),
        ("score_or_null", None, 13),
        ("score_average", None, 6.5),
        ("score_average", 6.4999, 6.5),
        ("last_comment_at", NOON - dt.timedelta(microseconds=1), NOON),
        ("newest_text", None, ""),
    ],
)
def test_a_value_that_is_not_what_it_should_be(posts, name, stored, expected):
    Post.objects.exclude(pk=posts[0].pk).delete()
    write_behind(Post, **{name: stored})
    if name == "score_average":
        stored, expected = map(pytest.approx, (stored, expected))

    assert found(Post, name) == {(posts[0].pk, name): (stored, expected)}
    assert list(candidates(*scan_of(Post, name))) == [posts[0].pk]


def test_null_is_a_value_in_both_directions(posts):
    assert found(Post, "best_score", "score_or_null") == {}

    write_behind(Post, best_score=0)

    assert found(Post, "best_score") == {
        (posts[0].pk, "best_score"): (0, 9),
        (posts[1].pk, "best_score"): (0, None),
        (posts[2].pk, "best_score"): (0, None),
    }


@pytest.mark.parametrize(("apart", "drifts"), [(1e-16, False), (1e-7, True)])
def test_floats_may_be_added_up_in_another_order(posts, apart, drifts):
    Post.objects.exclude(pk=posts[0].pk).delete()
    write_behind(Post, heat=0.1 + 0.2 + apart)

    assert bool(found(Post, "heat")) is drifts


@pytest.mark.parametrize(("apart", "drifts"), [(1e-14, False), (1e-7, True)])
def test_floats_may_be_calculated_in_another_order_within_a_subquery(posts, apart, drifts):
    Post.objects.exclude(pk=posts[0].pk).delete()
    deviation = Post.objects.values_list("score_deviation", flat=True).get()
    write_behind(Post, score_deviation=deviation + apart)

    assert bool(found(Post, "score_deviation")) is drifts


def test_of_several_fields_only_those_that_drifted_are_told(posts):
    write_behind(Post, comment_count=2)

    drifted = found(Post, "comment_count", "score_sum")

    assert drifted == {(post.pk, "comment_count"): (2, 0) for post in posts[1:]}


def test_all_rows_are_compared_and_equal_ones_are_no_drift(posts):
    rows = dict(compared(*scan_of(Post, "comment_count")))

    assert {pk: drifts["comment_count"].expected for pk, drifts in rows.items()} == {
        posts[0].pk: 2,
        posts[1].pk: 0,
        posts[2].pk: 0,
    }


@pytest.mark.parametrize("count", [2, FEW + 5])
def test_what_drifted_is_written_and_nothing_else(count):
    shelves = Shelf.objects.bulk_create(Shelf() for _ in range(count))
    shelves = list(Shelf.objects.all()) if shelves[0].pk is None else shelves
    Book.objects.bulk_create(Book(shelf=shelf, pages=3) for shelf in shelves)
    Shelf.objects.create()
    write_behind(Shelf, page_sum=0)
    scan, rows = scan_of(Shelf, "book_count", "page_sum")

    with sent() as statements:
        drifted = repair([scan], scan.values, rows)

    assert drifted.keys() == {"page_sum"}
    assert len(drifted["page_sum"]) == count
    assert statements.updates(Shelf) == 1
    assert not any("book_count" in sql.split("WHERE")[0] for sql in written(statements))
    assert_truth()
    with sent() as statements:
        assert repair([scan], scan.values, rows) == {}
    assert statements.updates(Shelf) == 0


def written(statements):
    return [sql for sql in statements.sql if sql.startswith(("UPDATE", "WITH"))]


def test_money_is_repaired_to_the_digit():
    wallet = Wallet.objects.create()
    for amount in ("0.10", "0.20"):
        Entry.objects.create(wallet=wallet, amount=Decimal(amount))
    write_behind(Wallet, balance=Decimal("0.31"))
    scan, rows = scan_of(Wallet, "balance")

    (drift,) = repair([scan], scan.values, rows)["balance"]

    assert (drift.stored, drift.expected) == (Decimal("0.31"), Decimal("0.30"))
    assert_truth(Wallet)


def test_drifts_are_sorted_by_field():
    one, two, three = (Drift(pk, 0, 1) for pk in (1, 2, 3))

    assert by_field([{"a": one, "b": two}, {"a": three}]) == {"a": [one, three], "b": [two]}


@pytest.mark.parametrize(
    ("model", "name", "as_it_is"),
    [(Post, "best_score", True), (Post, "score_average", False), (Maker, "mean_weight", False)],
)
def test_what_is_taken_as_it_is_has_the_bits_of_what_is_stored(model, name, as_it_is):
    assert is_taken_as_it_is(registry.plan().owned[model][name].expression) is as_it_is
