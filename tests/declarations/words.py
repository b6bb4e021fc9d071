"""The words of a declaration: constants, operations, and terms that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.declarations.relations import Column, Model

Draw = Callable[[int, int], int]
"""Draws a whole number between two, both included."""
CONSTANTS = {
    "bool": ["True", "False"],
    "int": ["0", "1", "2", "5", "-3"],
    "dec": ['Decimal("0")', 'Decimal("1.50")', 'Decimal("2.25")', 'Decimal("-0.5")'],
    "float": ["0.0", "0.5", "1.25"],
    "text": ['"a"', '""', '"bc"', '"plain"', "Kind.RARE"],
    "datetime": ["dt.datetime(2024, 1, 1, tzinfo=UTC)", "dt.datetime(2024, 6, 2, 9, tzinfo=UTC)"],
    "date": ["dt.date(2024, 1, 1)", "dt.date(2023, 12, 31)"],
    "duration": ["dt.timedelta(0)", "dt.timedelta(hours=2)", "dt.timedelta(days=-1)"],
    "ip": ['"10.0.0.1"', '"::1"'],
    "json": ["{}", "[1]"],
    "time": ["dt.time(9)", "dt.time(12, 30)"],
    "uuid": ["UUID(int=1)", "UUID(int=2)"],
}
FIELDS = {
    "bool": "BooleanField()",
    "int": "IntegerField()",
    "dec": "DecimalField(max_digits=12, decimal_places=2)",
    "float": "FloatField()",
    "text": "CharField(max_length=60)",
    "datetime": "DateTimeField()",
    "date": "DateField()",
    "duration": "DurationField()",
    "time": "TimeField()",
    "uuid": "UUIDField()",
}
COMPARED = ("int", "dec", "float", "text", "datetime", "date", "duration", "time")
EQUALLED = (*COMPARED, "bool", "ip", "uuid")
FITS = {
    "int": ("int", "dec", "float"),
    "dec": ("dec", "float"),
    "float": ("float",),
}


def typed(kind: str) -> str:
    return f", output_field={FIELDS[kind]}" if kind in FIELDS else ""


@dataclass(frozen=True)
class Term:
    """An expression as text, and what is known of its value."""

    text: str
    kind: str
    null: bool
    sums: bool = False
    """Counts and sums only, added and subtracted: no rows are read as 0 where NULL cannot be."""
    counts: bool = False
    """Never negative."""


@dataclass(frozen=True)
class Declared:
    """A rule, as text."""

    model: Model
    slot: Column
    text: str
    options: tuple[str, ...] = ()
    """As ``register()`` takes them: ``touch="touched"``."""

    @property
    def label(self) -> str:
        return f"{self.model._meta.label}.{self.slot.name}"

    def __str__(self) -> str:
        options = "".join(f", {each}" for each in self.options)
        return f"register({self.model.__name__}, {self.slot.name}={self.text}{options})"


SCALARS = {
    "int": ["arithmetic", "coalesce", "case", "extreme_of", "number_of"],
    "dec": ["arithmetic", "coalesce", "case", "extreme_of", "cast"],
    "float": ["arithmetic", "coalesce", "case", "cast"],
    "text": ["coalesce", "case", "text_of", "cast", "key_of"],
    "bool": ["test", "coalesce"],
    "datetime": ["coalesce", "case", "extreme_of", "hour_of"],
    "date": ["coalesce", "case", "date_of"],
    "duration": ["arithmetic", "coalesce", "between"],
    "time": ["coalesce", "case"],
    "uuid": ["coalesce"],
    "json": [],
    "ip": [],
}
CONDITIONS = [
    "is_equal",
    "is_beyond",
    "is_among",
    "is_null",
    "has_none",
    "compares",
    "transformed",
] * 2 + ["has_row"]
AGGREGATES = {
    "int": ["Count", "Count", "Count", "Sum", "Sum", "Min", "Max"],
    "dec": ["Sum", "Min", "Max"],
    "float": ["Sum", "Min", "Max", "Avg", "StdDev", "Variance"],
    "text": ["Min", "Max"],
    "datetime": ["Min", "Max"],
    "date": ["Min", "Max"],
    "duration": ["Sum", "Min", "Max"],
    "time": ["Min", "Max"],
}
