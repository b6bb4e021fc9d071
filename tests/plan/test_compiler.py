"""How an expression is kept, and what it reads: a table, asked without a database."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import models
from django.db.models import (
    Aggregate,
    Avg,
    Case,
    Count,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    FloatField,
    IntegerField,
    Max,
    OuterRef,
    Q,
    StdDev,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Length
from django.db.models.lookups import GreaterThan
from django.test.utils import isolate_apps

from syncfields.declare.rules import Declaration, Rule
from syncfields.plan.compiler import compile_rule
from tests.testapp.models import Blog, Comment, Order, Post, Reaction

COMMENTS = Comment.objects.filter(post=OuterRef("pk"))
LIKED = COMMENTS.alias(liked=FilteredRelation("reactions", condition=Q(reactions__kind="like")))
HALF = F("comments__score") * Value(Decimal("0.5"))
REACTED = Exists(Reaction.objects.filter(comment=OuterRef("comments__pk")))


def compiled(expression, model=Post, name="comment_count", **options):
    return compile_rule(Rule(model, name, Declaration(expression, **options)))


class Own(Length):
    """A function that somebody else has written."""


class OwnAggregate(Aggregate):
    """An aggregate that somebody else has written: it may see rows that hold NULL."""

    function = "COUNT"
    output_field = IntegerField()


class Doubled(IntegerField):
    """Stored as twice the number."""

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value and value * 2

    def from_db_value(self, value, expression, connection):
        return value and value // 2


@pytest.mark.parametrize(
    ("expression", "kinds"),
    [
        (Count("comments"), ["delta"]),
        (Count("comments", filter=Q(GreaterThan(Length("comments__text"), 3))), ["delta"]),
        (Count("comments") - Sum("comments__score"), ["delta", "delta"]),
        (Count("comments") - (Count("comments") - Sum("comments__score")), ["delta"] * 3),
        (Sum("comments__score", default=0), ["delta"]),
        (Coalesce(Sum("comments__score"), 0), ["delta"]),
        (Sum(F("comments__score") * 2), ["delta"]),
        # Differences say nothing here.
        (Count("comments", distinct=True), ["recompute"]),
        (Count("comments", filter=REACTED), ["recompute"]),
        (Count("comments", filter=Q(comments__in=COMMENTS)), ["recompute"]),
        (Count("comments", filter=Q(comments__reactions__isnull=True)), ["recompute"]),
        (Count("comments") * 2, ["recompute"]),
        (Sum("comments__score", default=5), ["recompute"]),
        (Sum(Coalesce("comments__score", 1)), ["recompute"]),
        (Count(Case(When(comments__is_public=True, then=1))), ["recompute"]),
        (Count("comments", filter=Q(GreaterThan(Own("comments__text"), 3))), ["recompute"]),
        (Count("comments", filter=Q(comments__score__gt=F("comments__author__pk"))), ["delta"]),
        (Max("comments__score", default=0), ["recompute"]),
        (Sum(HALF, output_field=IntegerField(), default=0), ["recompute"]),
        (Avg("comments__score", output_field=IntegerField(), default=0), ["recompute"]),
    ],
)
def test_a_way_of_keeping_is_chosen_where_it_is_proven(expression, kinds):
    found = compiled(expression, depends_on=("comments", "comments__reactions"))

    assert [each.kind for each in found] == kinds


def test_a_sum_over_two_branches_is_not_kept_by_differences():
    both = Sum(F("posts__comments__score") + F("followers__pk"))

    assert [each.kind for each in compiled(both, Blog, "post_count")] == ["recompute"]


def test_a_sum_is_not_kept_by_differences_in_a_column_of_floats():
    assert [
        each.kind for each in compiled(Sum("comments__score", default=0), name="score_average")
    ] == ["recompute"]


def test_a_count_is_not_kept_by_differences_in_a_column_that_is_encoded():
    with isolate_apps("tests.testapp"):

        class Tin(models.Model):
            n = Doubled(default=0)

            class Meta:
                app_label = "testapp"

        class Bean(models.Model):
            tin = models.ForeignKey(Tin, models.CASCADE, related_name="beans")

            class Meta:
                app_label = "testapp"

    (found,) = compiled(Count("beans", output_field=Doubled()), Tin, "n")

    assert found.kind == "recompute"


def test_what_is_made_of_rows_next_to_the_target_is_a_copy():
    assert [each.kind for each in compiled(Coalesce(Length("blog__name"), 0))] == ["copy"]


SCORE = F("comments__score")


@pytest.mark.parametrize(
    ("expression", "name", "kind"),
    [
        (Max(SCORE), "best_score", "extreme"),
        (Max(SCORE * 2 - 1), "best_score", "extreme"),
        (Max(Length("comments__text")), "best_score", "recompute"),
        # What is computed has other digits where it is read than where it is stored.
        (Max(SCORE * Value(1.5)), "score_average", "recompute"),
        (Max(SCORE / 3.0), "score_average", "recompute"),
        (Max(ExpressionWrapper(SCORE / 3, FloatField())), "score_average", "recompute"),
        (Max(ExpressionWrapper(SCORE / 2, IntegerField())), "best_score", "recompute"),
        (Max(Cast(SCORE * Value(1.5), IntegerField())), "best_score", "recompute"),
    ],
)
def test_an_extreme_is_compared_where_its_field_stores_what_it_is(expression, name, kind):
    assert compiled(expression, name=name)[0].kind == kind


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (Count("comments", distinct=True) * F("pk"), {"comment_count"}),
        # What is beside the aggregate is not made of the row alone.
        (Count("comments", distinct=True) + Subquery(COMMENTS.values("score")[:1]), set()),
        (Count("comments", distinct=True) + Own("title"), set()),
    ],
)
def test_rules_share_a_query_where_each_is_made_of_groups_and_of_the_row(expression, names):
    (found,) = compiled(expression)

    assert found.grouped.keys() == names


PRICE, QUANTITY = F("lines__price"), F("lines__qty")


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        (Sum(PRICE), "delta"),
        (Sum(QUANTITY), "delta"),
        (Sum(PRICE * QUANTITY), "delta"),
        (Sum(PRICE + Value(Decimal("0.25"))), "delta"),
        (Sum(PRICE * Value(3)), "delta"),
        # More places than the column has.
        (Sum(PRICE * PRICE), "recompute"),
        (Sum(PRICE - Value(Decimal("0.125"))), "recompute"),
        (Sum(PRICE * Value(Decimal("0.5"))), "recompute"),
        # Nobody knows how many.
        (Sum(PRICE / 2), "recompute"),
        (Sum(PRICE * Value(0.5), output_field=DecimalField()), "recompute"),
    ],
)
def test_a_sum_is_kept_by_differences_where_the_column_holds_it_exactly(expression, kind):
    assert [each.kind for each in compiled(expression, Order, "total")] == [kind]


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        (Max(PRICE * PRICE), "extreme"),
        (Max(PRICE * PRICE * PRICE), "recompute"),
        (Max(PRICE - Value(Decimal("0.0625"))), "extreme"),
        (Max(PRICE - Value(Decimal("0.03125"))), "recompute"),
        (Max(QUANTITY), "recompute"),
    ],
)
def test_an_extreme_is_compared_where_the_column_holds_it_exactly(expression, kind):
    assert [each.kind for each in compiled(expression, Order, "average_price")] == [kind]


def read(maintenance):
    return {
        str(each.path): (sorted(each.columns), each.hollow)
        for each in maintenance.dependencies
        if each.path.hops
    }


@pytest.mark.parametrize(
    ("model", "name", "expression", "expected"),
    [
        (Post, "comment_count", Count("comments"), {"comments": (["post_id"], False)}),
        # A comment without reactions contributes nothing: they must come first.
        (
            Post,
            "comment_count",
            Count("comments__reactions"),
            {
                "comments": (["post_id"], True),
                "comments__reactions": (["comment_id"], False),
            },
        ),
        (
            Post,
            "best_score",
            OwnAggregate("comments__reactions"),
            {
                "comments": (["post_id"], False),
                "comments__reactions": (["comment_id"], False),
            },
        ),
        # A row beside them is joined with the reactions that are there already.
        (
            Blog,
            "post_count",
            Sum(F("posts__comments__score") + F("followers__pk")),
            {
                "posts": (["blog_id"], True),
                "posts__comments": (["post_id", "score"], False),
                "followers": (["blog_id"], False),
            },
        ),
        # A comment counts by what it lacks, or by itself.
        (
            Post,
            "comment_count",
            Count("comments", filter=Q(comments__reactions__isnull=True)),
            {
                "comments": (["post_id"], False),
                "comments__reactions": (["comment_id"], False),
            },
        ),
        (
            Post,
            "comment_count",
            Count("comments", distinct=True) + Count("comments__reactions", distinct=True),
            {
                "comments": (["post_id"], False),
                "comments__reactions": (["comment_id"], False),
            },
        ),
        # What is ordered by decides which row comes first.
        (
            Post,
            "newest_text",
            Subquery(COMMENTS.order_by("-score", "author__username").values("text")[:1]),
            {
                "comments": (["author_id", "post_id", "score", "text"], False),
                "comments__author": (["username"], False),
            },
        ),
        (
            Post,
            "best_score",
            Subquery(COMMENTS.alias(size=Length("text")).order_by("size").values("score")[:1]),
            {"comments": (["post_id", "score", "text"], False)},
        ),
        (
            Post,
            "best_score",
            Subquery(COMMENTS.order_by(Length("text").desc()).values("score")[:1]),
            {"comments": (["post_id", "score", "text"], False)},
        ),
        # Which comes first is nothing to whether there is one.
        (
            Post,
            "has_comments",
            Exists(COMMENTS.order_by("score")) & Exists(COMMENTS.order_by("?")[:1]),
            {"comments": (["post_id"], False)},
        ),
        # A join may have a condition of its own.
        (
            Post,
            "best_score",
            Subquery(LIKED.values("liked__pk")[:1]),
            {
                "comments": (["post_id"], False),
                "comments__reactions": (["comment_id", "kind"], False),
            },
        ),
        # A list of expressions.
        (
            Blog,
            "comment_count",
            Count("posts", filter=Q(posts__comment_count__in=[F("posts__public_count"), 0])),
            {"posts": (["blog_id", "comment_count", "public_count"], False)},
        ),
    ],
)
def test_all_that_an_expression_says_is_read(model, name, expression, expected):
    (found,) = compiled(expression, model, name)

    assert read(found) == expected


def test_a_path_is_known_by_the_relations_that_it_walks():
    (one,) = compiled(Count("comments"))
    (other,) = compiled(Count("comments", filter=Q(comments__is_public=True)))
    (further,) = compiled(StdDev("comments__score"), name="score_deviation")

    found = [each for kept in (one, other, further) for each in kept.dependencies]
    assert len(found) == 6
    assert len({each.path for each in found}) == 2
