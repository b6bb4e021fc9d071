"""Declarations drawn at random: what ``annotate()`` takes, as the text that a user would write.

An expression is a text, so that a failing example can be pasted; two readings of the same text,
one by the rule and one by the truth (``truth.py``), cannot differ by how they were built.
"""

from __future__ import annotations

from django.db import connection

from tests.declarations.relations import (
    TOUCHED,
    WORLD,
    Key,
    Model,
    Route,
    facts,
    keys_to,
    own_columns,
    own_slots,
)
from tests.declarations.values import Values
from tests.declarations.words import (
    AGGREGATES,
    COMPARED,
    CONSTANTS,
    FIELDS,
    FITS,
    Declared,
    Term,
    typed,
)


class Drawing(Values):
    """Expressions with aggregates and subqueries, and the rules that are made of them."""

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
                of = self.pick(["int", "text", "date", "bool", "ip", "dec", "uuid", "json"])
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
        key: Key = self.pick(keys_to(model))
        far, condition = key.model, ""
        with self.within(key.lookup, far):
            if self.chance(30):
                condition = self.condition([Route(far)], 1) + ", "
        columns = [each.name for each in facts(far) if each.kind == kind]
        order = self.pick(["", "-"]) + self.pick(facts_compared(far))
        ordered = f'.order_by("{order}", "pk")'
        if far._meta.ordering and self.chance(50):
            ordered = ""
        text = (
            f'Subquery({far.__name__}.objects.filter({condition}{key.name}=OuterRef("{key.named}"))'
            f'{ordered}.values("{self.pick(columns)}")[:1])'
        )
        return Term(text, kind, True)

    def opaque(self, model: Model, kind: str) -> Term:
        """An expression that nobody can look into."""
        inner = self.pick([self.aggregate, self.aggregate, self.copy])(model, kind)
        name = model.__name__
        text = (
            f'Subquery({name}._base_manager.filter(pk=OuterRef("pk"))'
            f'.annotate(value={inner.text}).values("value"))'
        )
        return Term(text, inner.kind, inner.null)

    def raw(self, model: Model, kind: str) -> Term:
        keys = [each for each in keys_to(model) if each.field.target_field.model is model]
        if not keys:
            return self.opaque(model, kind)
        key: Key = self.pick(keys)
        with self.within(key.lookup, key.model):
            far, near = key.field.model._meta.db_table, model._meta.db_table
        what = self.pick(["COUNT(*)", "COUNT(far.at)", "MAX(far.size)", "SUM(far.double)"])
        column = key.field.target_field.column
        text = f"SELECT {what} FROM {far} far WHERE far.{key.field.column} = {near}.{column}"
        return Term(
            f'RawSQL("({text})", [], output_field=IntegerField())', "int", "COUNT" not in what
        )

    def copy(self, model: Model, kind: str) -> Term:
        return self.scalar([self.route(model, many=False), Route(model)], kind)

    def rule(self) -> Declared | None:
        model = self.pick(self.seen) if self.seen and self.chance(50) else self.pick(WORLD)
        self.read = {}
        how = self.pick(
            ["aggregate"] * 5
            + ["outer"] * 3
            + ["copy"] * 3
            + ["exists", "subquery", "opaque", "raw"]
        )
        if how in ("exists", "subquery") and not keys_to(model):
            how = "aggregate"
        kind = self.pick(KINDS_KEPT + (["bool", "json", "uuid", "ip"] if how == "copy" else []))
        if how == "exists":
            term = self.exists(model)
        elif how == "outer":
            term = self.outer(model, kind, 2)
        else:
            term = getattr(self, how)(model, kind)
        if how == "copy" and not any(name in term.text for name in self.read):
            return None
        slots = [
            each
            for each in own_slots(model, inherited=self.chance(5))
            if each.kind in FITS.get(term.kind, (term.kind,))
            and (each.null or not term.null or (term.sums and each.kind != "float"))
            and (each.name != "pos" or term.counts)
            and not any(rule.model is model and rule.slot.name == each.name for rule in self.rules)
        ]
        if not slots or (how == "opaque" and not self.read):
            return None
        self.seen[model] = None
        options = self.options(model, how)
        return Declared(model, self.pick(slots), term.text, options)

    def options(self, model: Model, how: str) -> tuple[str, ...]:
        found = []
        if how in ("opaque", "raw"):
            names = ", ".join(f'"{name}"' for name in self.read)
            found.append(f"depends_on=[{names}]")
        if TOUCHED in own_columns(model) and self.chance(20):
            found.append(f'touch="{self.pick([TOUCHED, TOUCHED, "at"])}"')
        if self.in_memory and self.chance(85):
            found.append('tracking="memory"')
        return tuple(found)


KINDS_KEPT = [
    *["int"] * 3,
    *("dec", "float", "text", "date", "datetime", "duration", "time"),
]


def facts_compared(model: Model) -> list[str]:
    return [each.name for each in facts(model) if each.kind in COMPARED]


def declarations(drawing: Drawing, most: int = 5) -> list[Declared]:
    """Three to five rules, of which the later may read the earlier."""
    drawing.in_memory = drawing.chance(20)
    for _ in range(drawing.pick([3, 4, 5, 2, 1][: max(1, most)])):
        if rule := drawing.rule():
            drawing.rules.append(rule)
    return drawing.rules
