"""The expression of a rule in words, for those who know the site and not Django."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Aggregate, Avg, Count, F, Max, Min, Q, Sum, Value
from django.db.models.constants import LOOKUP_SEP

from syncfields.sql.printing import shown

AGGREGATES: dict[type[Aggregate], str] = {
    Avg: "average",
    Count: "number",
    Max: "greatest",
    Min: "least",
    Sum: "sum",
}
WAYS = {
    "copy": "the rows that refer to a changed row take its new value",
    "delta": "the difference that a write makes is added",
    "extreme": "a value that comes is compared; when the extreme leaves it is looked for anew",
    "recompute": "the expression is evaluated anew for the rows concerned",
    "tally": "an event is counted, and never taken back",
}
"""What a write does to a rule that is kept so."""
SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
COMPARISONS = {
    "exact": "",
    "gt": "greater than ",
    "gte": "at least ",
    "lt": "less than ",
    "lte": "at most ",
    "in": "one of ",
}


def in_words(expression: Any) -> str:
    """What a rule says, as far as there are words for it; else the expression as it is written."""
    if isinstance(expression, F):
        return f"copy of {spoken(expression)}"
    word = AGGREGATES.get(type(expression))
    (source, *_) = expression.get_source_expressions() if word else (None,)
    summand = operand(source)
    if summand is None:
        return shown(expression)
    different = "different " if getattr(expression, "distinct", False) else ""
    words = f"{word} of {different}{summand}"
    condition = expression.filter
    return words if condition is None else f"{words}, where {conditions(condition)}"


def operand(expression: Any) -> str | None:
    """A column, a number, or what is calculated from them; None where there are no words."""
    if isinstance(expression, F):
        return spoken(expression)
    if isinstance(expression, Value) and isinstance(expression.value, (int, float, Decimal)):
        return str(expression.value)
    sign = SIGNS.get(getattr(expression, "connector", ""))
    if sign is None:
        return None
    sides = [operand(side) for side in expression.get_source_expressions()]
    if None in sides:
        return None
    inner = [
        f"({words})" if hasattr(side, "connector") else words
        for side, words in zip(expression.get_source_expressions(), sides, strict=True)
    ]
    return f" {sign} ".join(map(str, inner))


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
    return " and ".join(comparison(name, value) for name, value in condition.children)


def comparison(name: str, value: Any) -> str:
    path, _, lookup = name.rpartition(LOOKUP_SEP)
    other = spoken(value) if isinstance(value, F) else repr(value)
    if path and lookup == "isnull":
        return f"{spoken(F(path))} is {'empty' if value else 'not empty'}"
    if path and lookup in COMPARISONS:
        return f"{spoken(F(path))} is {COMPARISONS[lookup]}{other}"
    return f"{spoken(F(name))} is {other}"
