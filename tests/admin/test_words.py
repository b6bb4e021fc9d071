"""Expressions in words."""

from __future__ import annotations

import pytest
from django.db.models import Avg, Count, Exists, F, Max, Min, Q, Sum, Value
from django.db.models.functions import Upper

from syncfields.admin.words import in_words
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
    "copy of e mail of user": F("user__e_mail"),
    # For all else there are no words.
    "Upper(F(user__name))": Upper("user__name"),
    "Sum(F(a) * Value(2))": Sum(F("a") * Value(2)),
    "Exists(Book.objects.all())": Exists(Book.objects.all()),
}


@pytest.mark.parametrize(("words", "expression"), WORDS.items(), ids=WORDS)
def test_words(words, expression):
    assert in_words(expression) == words


def test_a_condition_that_is_more_than_comparisons_is_shown_as_it_is():
    condition = Q(books__pages=1) | ~Q(books__shelf=None)

    assert in_words(Count("books", filter=condition)) == f"number of books, where {condition!r}"
