"""The expression of a rule in words, for those who know the site and not Django."""

from __future__ import annotations

from typing import Any

from django.db.models import Aggregate, Avg, Count, F, Max, Min, Q, Sum
from django.db.models.constants import LOOKUP_SEP

from syncfields.sql.printing import shown

AGGREGATES: dict[type[Aggregate], str] = {
    Avg: "average",
    Count: "number",
    Max: "greatest",
    Min: "least",
    Sum: "sum",
}


def in_words(expression: Any) -> str:
    """What a rule says, as far as there are words for it; else the expression as it is written."""
    if isinstance(expression, F):
        return f"copy of {spoken(expression)}"
    word = AGGREGATES.get(type(expression))
    (source, *_) = expression.get_source_expressions() if word else (None,)
    if not isinstance(source, F):
        return shown(expression)
    different = "different " if getattr(expression, "distinct", False) else ""
    words = f"{word} of {different}{spoken(source)}"
    condition = expression.filter
    return words if condition is None else f"{words}, where {conditions(condition)}"


def spoken(reference: Any) -> str:
    """``F("post__blog_name")`` as "blog name of post"."""
    names = reversed(reference.name.split(LOOKUP_SEP))
    return " of ".join(name.replace("_", " ") for name in names)


def conditions(condition: Any) -> str:
    """Plain comparisons in words."""
    if not isinstance(condition, Q):  # Django 6.1 has put it into an expression.
        (condition,) = condition.get_source_expressions()
    plain = condition.connector == Q.AND and not condition.negated
    if not plain or not all(isinstance(each, tuple) for each in condition.children):
        return shown(condition)
    return " and ".join(f"{spoken(F(name))} is {value!r}" for name, value in condition.children)
