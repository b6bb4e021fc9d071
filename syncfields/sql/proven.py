"""Expressions of Django of which something is proven, by their exact class.

A subclass may do anything, and so may what is given a template or another function name. What is
not listed here goes the slow, right way. A test compares the lists with what Django has, so that a
new class is either listed or known to be missing.
"""

from __future__ import annotations

from typing import Any

from django.db.models import (
    Avg,
    Case,
    Count,
    ExpressionWrapper,
    F,
    Func,
    Max,
    Min,
    StdDev,
    Sum,
    Value,
    Variance,
    When,
    aggregates,
    expressions,
    functions,
    lookups,
)
from django.db.models.expressions import (
    Col,
    CombinedExpression,
    DurationExpression,
    NegatedExpression,
    TemporalSubtraction,
)
from django.db.models.fields import json, related_lookups, tuple_lookups
from django.db.models.sql.where import WhereNode

from syncfields.sql.trees import nodes


def of(module: Any, names: str) -> frozenset[type]:
    """The classes of these names, of those that this version of Django has."""
    return frozenset(getattr(module, name) for name in names.split() if hasattr(module, name))


# SQL's own operators: NULL as soon as an operand is NULL. A constant may be NULL itself.
OPERATORS: frozenset[type] = frozenset(
    [
        Col,
        CombinedExpression,
        DurationExpression,
        ExpressionWrapper,
        TemporalSubtraction,
        Value,
        *of(expressions, "JSONNull"),
    ]
)
CONDITIONAL: frozenset[type] = frozenset([Case, NegatedExpression, When, WhereNode])
# Functions of their arguments, and of nothing else: neither of the time, nor of chance, nor of
# other rows. Of these NULL is made of NULL:
STRICT_FUNCTIONS = of(
    functions,
    "ACos ASin ATan ATan2 Abs Cast Ceil Chr Collate Cos Cot Degrees Exp Extract ExtractDay "
    "ExtractHour ExtractIsoWeekDay ExtractIsoYear ExtractMinute ExtractMonth ExtractQuarter "
    "ExtractSecond ExtractWeek ExtractWeekDay ExtractYear Floor LTrim Left Length Ln Log Lower MD5 "
    "Mod Ord Power RTrim Radians Replace Reverse Right Round SHA1 SHA224 SHA256 SHA384 SHA512 Sign "
    "Sin Sqrt Substr Tan Trim Trunc TruncDate TruncDay TruncHour TruncMinute TruncMonth "
    "TruncQuarter TruncSecond TruncTime TruncWeek TruncYear Upper",
) | of(json, "KeyTextTransform KeyTransform")
# Of these it is not:
OTHER_FUNCTIONS = of(
    functions,
    "Coalesce Concat ConcatPair Greatest JSONArray JSONObject LPad Least NullIf Pi RPad Repeat "
    "StrIndex",
)
# Of these each value is a whole number.
WHOLE_NUMBERS = of(
    functions,
    "ExtractDay ExtractHour ExtractIsoWeekDay ExtractIsoYear ExtractMinute ExtractMonth "
    "ExtractQuarter ExtractSecond ExtractWeek ExtractWeekDay ExtractYear Length Ord StrIndex",
)
LOOKUPS = (
    of(
        lookups,
        "Contains EndsWith Exact GreaterThan GreaterThanOrEqual IContains IEndsWith IExact IRegex "
        "IStartsWith In IntegerFieldExact IntegerGreaterThan IntegerGreaterThanOrEqual "
        "IntegerLessThan IntegerLessThanOrEqual IsNull LessThan LessThanOrEqual Range Regex "
        "StartsWith UUIDContains UUIDEndsWith UUIDIContains UUIDIEndsWith UUIDIExact "
        "UUIDIStartsWith UUIDStartsWith YearExact YearGt YearGte YearLt YearLte",
    )
    | of(
        json,
        "ContainedBy DataContains HasAnyKeys HasKey HasKeyOrArrayIndex HasKeys JSONExact "
        "JSONIContains JSONIn KeyTransformEndsWith KeyTransformExact KeyTransformGt "
        "KeyTransformGte KeyTransformIContains KeyTransformIEndsWith KeyTransformIExact "
        "KeyTransformIRegex KeyTransformIStartsWith KeyTransformIn KeyTransformIsNull "
        "KeyTransformLt KeyTransformLte KeyTransformRegex KeyTransformStartsWith",
    )
    | of(
        related_lookups,
        "RelatedExact RelatedGreaterThan RelatedGreaterThanOrEqual RelatedIn RelatedIsNull "
        "RelatedLessThan RelatedLessThanOrEqual",
    )
    | of(
        tuple_lookups,
        "TupleExact TupleGreaterThan TupleGreaterThanOrEqual TupleIn TupleIsNull TupleLessThan "
        "TupleLessThanOrEqual",
    )
)
# Not true where what is compared is NULL.
COMPARING = of(
    lookups,
    "Exact GreaterThan GreaterThanOrEqual In IntegerFieldExact IntegerGreaterThan "
    "IntegerGreaterThanOrEqual IntegerLessThan IntegerLessThanOrEqual LessThan LessThanOrEqual",
) | of(
    related_lookups,
    "RelatedExact RelatedGreaterThan RelatedGreaterThanOrEqual RelatedIn RelatedLessThan "
    "RelatedLessThanOrEqual",
)
# Made of the columns of one row, and of nothing else.
OF_A_ROW = OPERATORS | CONDITIONAL | STRICT_FUNCTIONS | OTHER_FUNCTIONS | LOOKUPS
# Leave out each joined row in which what they aggregate is NULL, and are NULL over no rows.
IGNORING_NULL: frozenset[type] = frozenset([Avg, Max, Min, StdDev, Sum, Variance])
# Made of what each joined row contributes by itself. (The delimiter is a constant.)
AGGREGATES = IGNORING_NULL | {
    Count,
    *of(aggregates, "AggregateFilter BitAnd BitOr BitXor StringAgg StringAggDelimiter"),
}


def is_one_of(node: Any, classes: frozenset[type]) -> bool:
    """Whether it is of one of these very classes, and does what that class does."""
    return type(node) in classes and not (isinstance(node, Func) and node.extra)


def compiles_alike(tree: Any) -> bool:
    """Whether an expression over one row compiles to the same statement at any time: what is not
    proven may ask for the time, the language or the tenant.
    """
    return all(type(node) is F or is_one_of(node, OF_A_ROW) for node in nodes(tree))
