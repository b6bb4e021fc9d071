"""Declarations drawn at random: what ``annotate()`` takes, as the text that a user would write.

An expression is a text, so that a failing example can be pasted; two readings of the same text,
one by the rule and one by the truth (``truth.py``), cannot differ by how they were built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from tests.declarations.relations import (
    WORLD,
    Model,
    Route,
    facts,
    keys_to,
    own_slots,
    relations,
)
from tests.declarations.words import (
    AGGREGATES,
    COMPARED,
    CONDITIONS,
    CONSTANTS,
    FIELDS,
    FITS,
    SCALARS,
    Declared,
    Draw,
    Term,
    typed,
)


@dataclass
class Drawing:
    """What the expressions of one example share."""

    draw: Draw
    rules: list[Declared] = field(default_factory=list)

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
        return found

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
        which = self.pick(["Length", "Abs", "ExtractYear", "CastBool"])
        if which == "Length":
            value = self.scalar(routes, "text", depth)
            return Term(f"Length({value.text})", kind, value.null)
        if which == "Abs":
            value = self.scalar(routes, kind, depth)
            return Term(f"Abs({value.text})", kind, value.null)
        if which == "ExtractYear":
            over = self.pick(["date", "datetime"])
            zone = ", tzinfo=UTC" if over == "datetime" else ""
            value = self.scalar(routes, over, 0)
            return Term(f"ExtractYear({value.text}{zone})", kind, value.null)
        value = self.scalar(routes, "bool", 0)
        return Term(f"Cast({value.text}, IntegerField())", kind, value.null)

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
            return Term(f"TruncDate({value.text}, tzinfo=UTC)", kind, value.null)
        value = self.scalar(routes, "date", depth)
        return Term(f"TruncMonth({value.text})", kind, value.null)

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
        each = self.fact(route, routes, (*COMPARED, "bool", "ip"))
        return f"Q({route.prefix}{each.name}={self.pick(CONSTANTS[each.kind])})"

    def is_beyond(self, route, routes):
        each, how = self.fact(route, routes), self.pick(["gt", "gte", "lt", "lte"])
        return f"Q({route.prefix}{each.name}__{how}={self.pick(CONSTANTS[each.kind])})"

    def is_among(self, route, routes):
        each = self.fact(route, routes)
        some = [self.pick(CONSTANTS[each.kind]) for _ in range(self.pick([2, 2, 1, 0]))]
        return f"Q({route.prefix}{each.name}__in=[{', '.join(some)}])"

    def is_null(self, route, routes):
        each = self.fact(route, routes, (*COMPARED, "bool", "ip", "json"))
        return f"Q({route.prefix}{each.name}__isnull={self.pick(['True', 'False'])})"

    def has_none(self, route, routes):
        beyond = [each for each in relations(route.end) if each.may_be_missing or each.many]
        lookup = f"{route.prefix}{self.pick(beyond).name}" if beyond else f"{route.prefix}pk"
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
                "day__range=(dt.date(2024, 1, 1), dt.date(2024, 12, 31))",
                'name__contains="b"',
            ]
        )
        return f"Q({route.prefix}{over})"

    def has_row(self, route, routes):
        if not (keys := keys_to(route.end)):
            return self.is_equal(route, routes)
        model, key, named = self.pick(keys)
        condition = self.condition([Route(by_name(model))], 0) if self.chance(40) else ""
        before = f"{condition}, " if condition else ""
        return f'Exists({model}.objects.filter({before}{key}=OuterRef("{route.prefix}{named}")))'

    # Aggregates -----------------------------------------------------------------------------------

    def aggregate(self, model: Model, kind: str, route: Route | None = None) -> Term:
        route = route or self.route(model)
        routes = [route, *(route.until(number) for number in range(len(route.steps)))]
        which = self.pick(AGGREGATES[kind])
        options = ""
        if self.chance(45):
            options += f", filter={self.condition(routes)}"
        if which == "Count":
            what = f'"{route.lookup}"'
            if self.chance(35):
                of = self.pick(["int", "text", "date", "bool", "ip", "dec"])
                what = self.scalar(routes, of, 1).text
            if self.chance(25):
                options += ", distinct=True"
            return Term(f"Count({what}{options})", kind, False, sums=True, counts=True)
        if which in ("StdDev", "Variance") and connection.vendor == "sqlite":
            which = "Avg"  # Django's own versions of those fail on a group without values.
        if which in ("Avg", "StdDev", "Variance"):
            what = self.scalar(routes, self.pick(["int", "float"]), 1).text
            return Term(f"{which}({what}{options}, output_field=FloatField())", kind, True)
        what = self.scalar(routes, kind, 2).text
        default = self.chance(20)
        if default:
            output = f", output_field={FIELDS[kind]}" if kind in ("dec", "duration") else ""
            options += f", default=Value({self.pick(CONSTANTS[kind])}{output})"
        if which == "Sum" and self.chance(10):
            options += ", distinct=True"
        sums = which == "Sum" and not default and kind in ("int", "dec")
        return Term(f"{which}({what}{options})", kind, not default, sums=sums)

    def outer(self, model: Model, kind: str, depth: int) -> Term:
        """An expression around aggregates, or beside them."""
        if depth > 0 and self.chance(60):
            how = self.pick(["arithmetic", "arithmetic", "coalesce", "extreme_of", "case"])
            if how == "arithmetic" and kind not in ("int", "dec", "float", "duration"):
                how = "coalesce"
            left, right = self.outer(model, kind, depth - 1), self.outer(model, kind, depth - 1)
            null = left.null or right.null
            if how == "arithmetic":
                sign = self.pick("+-")
                text = f"({left.text} {sign} {right.text})"
                return Term(text, kind, null, sums=left.sums and right.sums)
            if how == "case":
                test = f"GreaterThan({self.aggregate(model, 'int').text}, 1)"
                text = f"Case(When({test}, then={left.text}), default={right.text}{typed(kind)})"
                return Term(text, kind, null)
            if how == "coalesce":
                text = f"Coalesce({left.text}, {right.text}{typed(kind)})"
                return Term(text, kind, left.null and right.null)
            name = self.pick(["Greatest", "Least"])
            return Term(f"{name}({left.text}, {right.text}{typed(kind)})", kind, null)
        if depth < 2 and self.chance(15):
            return self.scalar([Route(model)], kind, 0)
        return self.aggregate(model, kind)

    # Rules ----------------------------------------------------------------------------------------

    def exists(self, model: Model) -> Term:
        return Term(self.pick(["", "~"]) + self.has_row(Route(model), []), "bool", False)

    def subquery(self, model: Model, kind: str) -> Term:
        name, key, named = self.pick(keys_to(model))
        far = by_name(name)
        condition = self.condition([Route(far)], 1) + ", " if self.chance(30) else ""
        columns = [each.name for each in facts(far) if each.kind == kind]
        order = self.pick(["", "-"]) + self.pick(facts_compared(far))
        text = (
            f'Subquery({name}.objects.filter({condition}{key}=OuterRef("{named}"))'
            f'.order_by("{order}", "pk").values("{self.pick(columns)}")[:1])'
        )
        return Term(text, kind, True)

    def rule(self) -> Declared | None:
        model = self.pick(WORLD)
        how = self.pick(["aggregate"] * 5 + ["outer"] * 3 + ["copy"] * 3 + ["exists", "subquery"])
        if how in ("exists", "subquery") and not keys_to(model):
            how = "aggregate"
        if how == "exists":
            term = self.exists(model)
        else:
            kind = self.pick(
                [
                    "int",
                    "int",
                    "int",
                    "dec",
                    "float",
                    "text",
                    "date",
                    "datetime",
                    "duration",
                    *(["bool", "json"] if how == "copy" else []),
                ]
            )
            if how == "aggregate":
                term = self.aggregate(model, kind)
            elif how == "outer":
                term = self.outer(model, kind, 2)
            elif how == "subquery":
                term = self.subquery(model, kind)
            else:
                route = self.route(model, many=False)
                term = self.scalar([route, Route(model)], kind)
                if not route.steps or route.prefix not in term.text:
                    return None
        slots = [
            each
            for each in own_slots(model)
            if each.kind in FITS.get(term.kind, (term.kind,))
            and (each.null or not term.null or (term.sums and each.kind != "float"))
            and (each.name != "pos" or term.counts)
            and not any(rule.model is model and rule.slot is each for rule in self.rules)
        ]
        return Declared(model, self.pick(slots), term.text) if slots else None


def facts_compared(model: Model) -> list[str]:
    return [each.name for each in facts(model) if each.kind in COMPARED]


def by_name(name: str) -> Model:
    return next(each for each in WORLD if each.__name__ == name)


def declarations(draw: Draw, most: int = 5) -> list[Declared]:
    """Three to five rules, of which the later may read the earlier."""
    drawing = Drawing(draw)
    for _ in range(drawing.pick([3, 4, 5, 2, 1][: max(1, most)])):
        if rule := drawing.rule():
            drawing.rules.append(rule)
    return drawing.rules
