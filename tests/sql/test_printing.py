"""Expressions are printed as they are written, and nothing is asked of a database for it."""

from __future__ import annotations

import pytest
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from syncfields.explain.rules import explain_rules
from syncfields.sql.printing import shown
from tests.testapp.models import Comment

OF_POST = Comment.objects.filter(post=OuterRef("pk"))
NEWEST = OF_POST.order_by("-created").values("text")[:1]
FILTER = "Comment.objects.filter(post=OuterRef('pk'))"
SUBQUERY = f"Subquery({FILTER}.order_by('-created').values('text')[:1])"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (Count("comments"), "Count(F(comments))"),
        (Exists(OF_POST), f"Exists({FILTER})"),
        (~Exists(OF_POST), f"~(Exists({FILTER}))"),
        (Exists(Comment.objects.all()), "Exists(Comment.objects.all())"),
        (Subquery(NEWEST), SUBQUERY),
        (Coalesce(Subquery(NEWEST), Value("")), f"Coalesce({SUBQUERY}, Value(''))"),
        (
            Count("comments", filter=Q(Exists(OF_POST)) & ~Q(title="x")),
            f"Count(F(comments), filter=(AND: Exists({FILTER}), (NOT (AND: ('title', 'x')))))",
        ),
        (
            Case(When(Exists(OF_POST), then=Value(1)), default=Value(0)),
            f"<Case: CASE WHEN Exists({FILTER}) THEN Value(1), ELSE Value(0)>",
        ),
        (
            Count("comments", filter=Q(comments__in=Comment.objects.filter(score__gt=1))),
            (
                "Count(F(comments), filter=(AND: ('comments__in', "
                "Comment.objects.filter(score__gt=1))))"
            ),
        ),
        (
            Exists(
                Comment.objects.filter(
                    Q(score=1) | Q(post__blog__name="x"), created__year__gt=2024, heat=F("score")
                )
                .exclude(author=None)
                .distinct()
            ),
            (
                "Exists(Comment.objects.filter((score=1 OR post__blog__name='x'), "
                "created__year__gt=2024, heat=F('score')).exclude(author__isnull=True).distinct())"
            ),
        ),
        (Subquery(Comment.objects.values("pk")[2:]), "Subquery(Comment.objects.values('pk')[2:])"),
    ],
    ids=range(11),
)
def test_an_expression_is_shown_as_it_is_written(expression, text):
    assert shown(expression) == text


def test_explain_shows_it():
    (rule,) = explain_rules("testapp.Post.has_comments")

    assert rule.expression == f"Exists({FILTER})"
