"""Expressions in words."""

from __future__ import annotations

import pytest
from django.db.models import Avg, Count, Exists, F, Max, Min, Q, Sum, Value
from django.db.models.functions import Upper

from syncfields.admin.words import WAYS, in_words
from syncfields.explain.graph import graph
from tests.testapp.models import Book

WORDS = {
    "number of books": Count("books"),
    "number of different shelf of books": Count("books__shelf", distinct=True),
    "sum of line total of lines of invoices": Sum("invoices__lines__line_total"),
    "least of year of batting": Min("batting__year"),
    "greatest of created of comments, where is public of comments is True": Max(
        "comments__created", filter=Q(comments__is_public=True)
    ),
    "average of score": Avg("score"),
    "sum of price of lines times quantity of lines": Sum(F("lines__price") * F("lines__quantity")),
    "sum of a times (b minus 2)": Sum(F("a") * (F("b") - Value(2))),
    "number of tasks, where deleted at of tasks is empty": Count(
        "tasks", filter=Q(tasks__deleted_at__isnull=True)
    ),
    "number of tasks, where done at of tasks is not empty and size of tasks is at least 3": Count(
        "tasks", filter=Q(tasks__done_at__isnull=False, tasks__size__gte=3)
    ),
    "number of posts of room, where at of posts of room is greater than read until": Count(
        "room__posts", filter=Q(room__posts__at__gt=F("read_until"))
    ),
    "number of tasks, where state of tasks is one of ['new', 'open']": Count(
        "tasks", filter=Q(tasks__state__in=["new", "open"])
    ),
    "copy of e mail of user": F("user__e_mail"),
    # For all else there are no words.
    "Upper(F(user__name))": Upper("user__name"),
    "Sum(Upper(F(a)) + F(b))": Sum(Upper("a") + F("b")),
    "Exists(Book.objects.all())": Exists(Book.objects.all()),
}


@pytest.mark.parametrize(("words", "expression"), WORDS.items(), ids=WORDS)
def test_words(words, expression):
    assert in_words(expression) == words


def test_each_way_of_keeping_a_rule_has_words():
    assert {each.maintenance for each in graph().nodes} == set(WAYS)


def test_a_condition_that_is_more_than_comparisons_is_shown_as_it_is():
    condition = Q(books__pages=1) | ~Q(books__shelf=None)

    assert in_words(Count("books", filter=condition)) == f"number of books, where {condition!r}"
