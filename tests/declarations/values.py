"""What is drawn of one row: columns, values that are made of them, and conditions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connection

from tests.declarations.relations import Model, Route, facts, keys_to, relations
from tests.declarations.words import (
    COMPARED,
    CONDITIONS,
    CONSTANTS,
    EQUALLED,
    FIELDS,
    SCALARS,
    Declared,
    Draw,
    Term,
    typed,
)

# These are meant in the project's time zone.
ZONED = [
    "at__date=dt.date(2023, 12, 31)",
    "at__month=1",
    "at__hour__lt=12",
    "at__date__gte=dt.date(2024, 1, 1)",
    "at__week_day=2",
]


@cache
def knows_zones() -> bool:
    return bool(connection.features.has_zoneinfo_database)


@dataclass
class Values:
    """What the expressions of one example share."""

    draw: Draw
    rules: list[Declared] = field(default_factory=list)
    seen: dict[Model, None] = field(default_factory=dict)
    """The models that the rules name so far."""
    read: dict[str, None] = field(default_factory=dict)
    """The relations that the rule being drawn reads, as lookups from its model on."""
    base: str = ""
    """Where lookups begin: within a subquery, at the rows that it selects."""
    in_memory: bool = False

    def pick(self, options: Any) -> Any:
        options = list(options)
        return options[self.draw(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.draw(0, 99) >= 100 - percent

    # Paths and columns ----------------------------------------------------------------------------

    def route(self, start: Model, longest: int = 3, many: bool | None = None) -> Route:
        """One to three relations; ``many``: whether it may, or must not, lead to many rows."""
        found = Route(start)
        for _ in range(self.pick([1, 1, 2, 2, 3][: 2 * longest - 1])):
            steps = [each for each in relations(found.end) if many is not False or not each.many]
            if not steps:
                break
            found = found.on(self.pick(steps))
        self.note(found.lookup, *(step.far for step in found.steps))
        return found

    def note(self, lookup: str, *models: Model) -> None:
        if lookup:
            self.read[self.base + lookup] = None
        self.seen.update(dict.fromkeys(models))

    @contextmanager
    def within(self, lookup: str, model: Model) -> Iterator[None]:
        """A subquery over the rows at the end of a lookup."""
        self.note(lookup, model)
        self.base, before = f"{self.base}{lookup}__", self.base
        yield
        self.base = before

    def columns(self, route: Route, kind: str) -> list[Term]:
        synced = [rule.slot for rule in self.rules if issubclass(route.end, rule.model)]
        return [
            Term(f'F("{route.prefix}{each.name}")', kind, each.null or route.may_be_missing)
            for each in (*facts(route.end), *synced * 2)
            if each.kind == kind
        ]

    # Values of one row ----------------------------------------------------------------------------

    def scalar(self, routes: list[Route], kind: str, depth: int = 2) -> Term:
        """An expression over the columns at the ends of ``routes``, mostly of the first."""
        if depth > 0 and SCALARS[kind] and self.chance(45):
            return getattr(self, self.pick(SCALARS[kind]))(routes, kind, depth - 1)
        route = self.pick(routes) if self.chance(25) else routes[0]
        if columns := self.columns(route, kind):
            return self.pick(columns)
        return self.constant(kind)

    def constant(self, kind: str) -> Term:
        output = f", output_field={FIELDS[kind]}" if kind in ("duration", "dec") else ""
        return Term(f"Value({self.pick(CONSTANTS[kind])}{output})", kind, False)

    def arithmetic(self, routes, kind, depth):
        left, right = (self.scalar(routes, kind, depth) for _ in range(2))
        sign = self.pick("+-" if kind in ("duration", "dec") else "+-*")
        null = left.null or right.null
        if sign == "-" and self.chance(50):
            third = self.scalar(routes, kind, depth)
            text = f"({left.text} - ({right.text} - {third.text}))"
            return Term(text, kind, null or third.null)
        return Term(f"({left.text} {sign} {right.text})", kind, null)

    def coalesce(self, routes, kind, depth):
        value = self.scalar(routes, kind, depth)
        other = self.scalar(routes, kind, 0) if self.chance(40) else self.constant(kind)
        text = f"Coalesce({value.text}, {other.text}{typed(kind)})"
        return Term(text, kind, value.null and other.null)

    def case(self, routes, kind, depth):
        then, other = self.scalar(routes, kind, depth), self.scalar(routes, kind, depth)
        condition = self.condition(routes, 1)
        if self.chance(30):
            return Term(f"Case(When({condition}, then={then.text}){typed(kind)})", kind, True)
        text = f"Case(When({condition}, then={then.text}), default={other.text}{typed(kind)})"
        return Term(text, kind, then.null or other.null)

    def extreme_of(self, routes, kind, depth):
        name = self.pick(["Greatest", "Least"])
        left, right = self.scalar(routes, kind, depth), self.scalar(routes, kind, depth)
        # SQLite and MariaDB give NULL where any is, PostgreSQL where all are.
        text = f"{name}({left.text}, {right.text}{typed(kind)})"
        return Term(text, kind, left.null or right.null)

    def number_of(self, routes, kind, depth):
        which = self.pick(["Length", "Abs", "Extract", "CastBool"])
        if which == "Length":
            value = self.scalar(routes, "text", depth)
            return Term(f"Length({value.text})", kind, value.null)
        if which == "Abs":
            value = self.scalar(routes, kind, depth)
            return Term(f"Abs({value.text})", kind, value.null)
        if which == "Extract":
            over = self.pick(["date", "datetime"])
            names = ["ExtractYear", "ExtractMonth", "ExtractWeekDay"]
            name = self.pick([*names, "ExtractHour"] if over == "datetime" else names)
            zone = self.zone() if over == "datetime" else ""
            value = self.scalar(routes, over, 0)
            return Term(f"{name}({value.text}{zone})", kind, value.null)
        value = self.scalar(routes, "bool", 0)
        return Term(f"Cast({value.text}, IntegerField())", kind, value.null)

    def zone(self) -> str:
        """The project's, or another: MariaDB knows none but UTC where no table names them."""
        others = ["", ", tzinfo=EAST", ", tzinfo=WEST"] if knows_zones() else []
        return self.pick([", tzinfo=UTC", *others])

    def cast(self, routes, kind, depth):
        over = {"dec": "int", "float": "int", "text": "int"}[kind]
        value = self.scalar(routes, over, depth)
        return Term(f"Cast({value.text}, {FIELDS[kind]})", kind, value.null)

    def text_of(self, routes, kind, depth):
        which = self.pick(["Upper", "Lower", "Concat", "Left", "Replace"])
        value = self.scalar(routes, "text", depth)
        if which == "Concat":
            other = self.scalar(routes, "text", depth)
            # Which Django coalesces to an empty text.
            text = f"Concat({value.text}, {other.text}{typed(kind)})"
            return Term(text, kind, value.null and other.null)
        arguments = {"Left": ", 1", "Replace": ', Value("a"), Value("z")'}.get(which, "")
        return Term(f"{which}({value.text}{arguments})", kind, value.null)

    def date_of(self, routes, kind, depth):
        if self.chance(50):
            value = self.scalar(routes, "datetime", 0)
            return Term(f"TruncDate({value.text}{self.zone()})", kind, value.null)
        value = self.scalar(routes, "date", depth)
        return Term(f"TruncMonth({value.text})", kind, value.null)

    def hour_of(self, routes, kind, depth):
        value = self.scalar(routes, kind, depth)
        if connection.vendor == "mysql":  # Which gives texts for those, that Django cannot read.
            return value
        zone = ", tzinfo=UTC" if self.chance(70) or not knows_zones() else ""
        return Term(f"{self.pick(['TruncHour', 'TruncDay'])}({value.text}{zone})", kind, value.null)

    def key_of(self, routes, kind, depth):
        return Term(f'KT("{routes[0].prefix}specs__a")', kind, True)

    def between(self, routes, kind, depth):
        left, right = self.scalar(routes, "datetime", 0), self.scalar(routes, "datetime", 0)
        text = f"ExpressionWrapper({left.text} - {right.text}, output_field=DurationField())"
        return Term(text, kind, left.null or right.null)

    def test(self, routes, kind, depth):
        condition = self.condition(routes, depth)
        text = f"Case(When({condition}, then=Value(True)), default=Value(False))"
        return Term(text, kind, False)

    # Conditions -----------------------------------------------------------------------------------

    def condition(self, routes: list[Route], depth: int = 2) -> str:
        if depth > 0 and self.chance(30):
            how = self.pick("~&|")
            first = self.condition(routes, depth - 1)
            if how == "~":
                return f"~{first}"
            return f"({first} {how} {self.condition(routes, depth - 1)})"
        route = self.pick(routes) if self.chance(25) else routes[0]
        return getattr(self, self.pick(CONDITIONS))(route, routes)

    def fact(self, route, routes, kinds=COMPARED):
        synced = [rule.slot for rule in self.rules if issubclass(route.end, rule.model)]
        columns = [each for each in facts(route.end) if each.name != "pk"]
        return self.pick([each for each in (*columns, *synced) if each.kind in kinds])

    def is_equal(self, route, routes):
        each = self.fact(route, routes, EQUALLED)
        return f"Q({route.prefix}{each.name}={self.pick(CONSTANTS[each.kind])})"

    def is_beyond(self, route, routes):
        each, how = self.fact(route, routes), self.pick(["gt", "gte", "lt", "lte"])
        return f"Q({route.prefix}{each.name}__{how}={self.pick(CONSTANTS[each.kind])})"

    def is_among(self, route, routes):
        each = self.fact(route, routes)
        some = [self.pick(CONSTANTS[each.kind]) for _ in range(self.pick([2, 2, 1, 0]))]
        return f"Q({route.prefix}{each.name}__in=[{', '.join(some)}])"

    def is_null(self, route, routes):
        each = self.fact(route, routes, (*EQUALLED, "json"))
        return f"Q({route.prefix}{each.name}__isnull={self.pick(['True', 'False'])})"

    def has_none(self, route, routes):
        beyond = [each for each in relations(route.end) if each.may_be_missing or each.many]
        if not beyond:
            return self.is_null(route, routes)
        step = self.pick(beyond)
        lookup = f"{route.prefix}{step.name}"
        self.note(lookup, step.far)
        return f"Q({lookup}__isnull={self.pick(['True', 'False'])})"

    def compares(self, route, routes):
        each, how = self.fact(route, routes), self.pick(["gt", "lte", "exact"])
        other = self.scalar([self.pick(routes)], each.kind, 0)
        return f"Q({route.prefix}{each.name}__{how}={other.text})"

    def transformed(self, route, routes):
        over = self.pick(
            [
                "day__year=2024",
                "day__month__lte=6",
                'name__startswith="a"',
                'name__iexact="A"',
                "specs__a=1",
                'specs__has_key="a"',
                "specs__a__isnull=True",
                "at__year=2024",
                "at__year__lt=2024",
                *(ZONED if knows_zones() else []),
                "day__range=(dt.date(2024, 1, 1), dt.date(2024, 12, 31))",
                'name__contains="b"',
            ]
        )
        return f"Q({route.prefix}{over})"

    def has_row(self, route, routes):
        if not (keys := keys_to(route.end)):
            return self.is_equal(route, routes)
        key = self.pick(keys)
        model, condition = key.model, ""
        with self.within(route.prefix + key.lookup, model):
            if self.chance(40):
                condition = f"{self.condition([Route(model)], 0)}, "
        outer = f'{key.name}=OuterRef("{route.prefix}{key.named}")'
        return f"Exists({model.__name__}.objects.filter({condition}{outer}))"
