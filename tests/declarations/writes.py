"""Writes drawn at random, as the lines that a user would write.

``row(Item, 2)`` is the third item or what comes round to it, ``rows(Item, 1, 3)`` some of them;
both are empty where there are none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from tests.declarations.models import WORLD, Area, Item, Owner, Rare, Special
from tests.declarations.relations import Model, kind_of
from tests.declarations.words import Declared, Draw

# The same values in every form that a field accepts.
FORMS = {
    "bool": ["True", "False", "1", '"0"', '"True"', "False"],
    "int": ["0", "1", "2", "3", "7", "-2", '"4"', '" 5"', "True", "Decimal(3)", "2.0"],
    "dec": ['Decimal("1.20")', 'Decimal("0.5")', "3", '"2.5"', '"-1"', "0.1"],
    "float": ["0.5", "1", '"2.25"', "0.1", "-3.5", 'Decimal("0.7")'],
    "text": ['"a"', '"b"', '""', '"abc"', 'lazy("a")', "5", "Kind.RARE", '"plain"'],
    "datetime": [
        "dt.datetime(2024, 1, 1, tzinfo=UTC)",
        "dt.datetime(2023, 12, 31, 23, 30, tzinfo=UTC)",
        '"2024-06-02T09:00:00Z"',
        '"2024-01-01 00:30:00+01:00"',
    ],
    "date": [
        "dt.date(2024, 1, 1)",
        '"2023-12-31"',
        "dt.datetime(2024, 7, 1, 12, tzinfo=UTC)",
        "dt.date(2024, 7, 31)",
        '"2024-1-5"',
    ],
    "duration": ["dt.timedelta(hours=2)", "dt.timedelta(0)", "dt.timedelta(seconds=-5)"],
    "ip": ['""', '"10.0.0.1"', '"::1"', '"::ffff:10.0.0.1"'],
    "json": ['{"a": 1}', "[]", '{"a": None}', '"x"', '{"a": "z"}', "Value(None, JSONField())"],
    "time": ["dt.time(9)", '"12:30"', "dt.time(23, 59, 59)", "dt.datetime(2024, 1, 1, 9)"],
    "uuid": ["UUID(int=1)", '"00000000000000000000000000000002"', "str(UUID(int=1))", "2"],
}
CHANGES = {
    "int": [
        'F("size") + 1',
        "Value(4)",
        "Case(When(active=True, then=Value(1)), default=Value(2))",
    ],
    "dec": ['F("fee") + 1', 'Value(Decimal("2.5"))'],
    "float": ["Value(0.25)"],
    "text": ['Upper("kind")', 'Concat("kind", Value("x"))', 'Value("a")'],
    "datetime": ['F("at")'],
    "date": ['F("day")'],
    "duration": ['F("took")'],
    "bool": ['~F("active")', "Value(False)"],
    "ip": ['F("ip")'],
    "json": ['F("specs")', 'Value({"a": 1}, JSONField())'],
    "time": ['F("alarm")'],
    "uuid": ['F("token")', "Value(UUID(int=2))"],
}
# What an INSERT may be given.
COMPUTED = {
    "int": ["Value(4)", "Value(1) + Value(2)", "Cast(Value('3'), IntegerField())"],
    "dec": ['Value(Decimal("2.5"))'],
    "float": ["Value(0.25)"],
    "text": ['Upper(Value("a"))', 'Concat(Value("a"), Value("b"))'],
    "bool": ["Value(False)"],
    "datetime": ["Now()"],
}
# Columns that name a row: a new one each time.
UNIQUE = {
    "code": ['"c%d"'],
    "number": ["%d", '"%d"'],
    "uid": ["UUID(int=%d)", "str(UUID(int=%d))"],
    "since": ["dt.date(2020, 1, %d)", '"2020-1-%d"'],
    "worth": ['Decimal("%d.50")', '"%d.5"', "%d.5"],
}
WRITTEN = (
    *("w", "size", "rank", "price", "fee", "heat", "name", "note", "kind"),
    *("active", "sure", "at", "day", "took", "ip", "specs", "extra", "alarm", "token"),
    *("place", "position"),
)
# (model, accessor, what it leads to)
MANY = (
    ("Item", "tags", "Tag"),
    ("Tag", "items", "Item"),
    ("Owner", "places", "Area"),
    ("Area", "visitors", "Owner"),
    ("Owner", "follows", "Owner"),
    ("Owner", "followers", "Owner"),
    ("Area", "near", "Area"),
    ("Depot", "areas", "Area"),
    ("Area", "depots", "Depot"),
)
SETS = (
    ("Owner", "items", "Item"),
    ("Owner", "helped", "Item"),
    ("Area", "items", "Item"),
    ("Area", "owners", "Owner"),
    ("Area", "residents", "Owner"),
    ("Area", "cards", "Card"),
    ("Tag", "children", "Tag"),
    ("Item", "toys", "Toy"),
    ("Item", "comments", "Comment"),
    ("Owner", "comments", "Comment"),
    ("Tag", "tag_comments", "Comment"),
    ("Special", "special_toys", "Toy"),
    ("Rare", "rare_toys", "Toy"),
    ("Owner", "spots", "Spot"),
    ("Depot", "parcels", "Parcel"),
    ("Depot", "of_day", "Parcel"),
    ("Depot", "of_worth", "Parcel"),
    ("Depot", "labels", "Label"),
    ("Area", "exports", "Supply"),
)
ZONES = ("Asia/Tokyo", "America/New_York")


class Writing:
    """``rules`` of the models that are written, most of which are those of ``focus``."""

    def __init__(
        self, draw: Draw, rules: Sequence[Declared] = (), focus: Collection[Model] = ()
    ) -> None:
        self.draw = draw
        self.rules = rules
        self.focus = [*focus]
        self.in_memory = any("tracking" in str(rule) for rule in rules)
        self.unique = 0
        self.by_hand = False
        """Whether synced fields may be written."""

    def pick(self, options: Any) -> Any:
        options = list(options)
        return options[self.draw(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.draw(0, 99) >= 100 - percent

    # Values ---------------------------------------------------------------------------------------

    def row(self, model: str) -> str:
        return f"row({model}, {self.pick(range(4))})"

    def rows(self, model: str) -> str:
        numbers = sorted({self.pick(range(4)) for _ in range(self.pick([1, 2, 3]))})
        return f"rows({model}, {', '.join(map(str, numbers))})"

    def relation(self, field: Any) -> tuple[str, str]:
        target = field.remote_field.model
        if field.null and self.chance(20):
            return field.name, "None"
        if not field.db_constraint and self.chance(25):  # Of a row that is not there, or not yet.
            name = field.target_field.name
            some = self.pick(UNIQUE.get(name, ["%d"])) % self.pick(range(1, 8))
            return field.attname, some
        value = self.row(target.__name__)
        if not target._meta.proxy and self.chance(20):
            return field.attname, f"key({value}, {field.target_field.attname!r})"
        return field.name, value

    def value(self, field: Any, expressions: bool = False, new: bool = False) -> str:
        kind = kind_of(field)
        if field.null and self.chance(15):
            return "None"
        if new and self.chance(4) and kind in COMPUTED:
            return self.pick(COMPUTED[kind])
        if expressions and self.chance(30):
            return self.pick(CHANGES[kind])
        return self.pick(FORMS[kind])

    def values(
        self, model: Model, few: bool, expressions: bool = False, keys: bool = False
    ) -> dict[str, str]:
        """Some columns with what is written into them, as text."""
        known = {field.name: field for field in model._meta.concrete_fields}
        plain = [name for name in WRITTEN if name in known]
        names = [self.pick(plain) for _ in range(self.pick([1, 2, 3] if few else [2, 4, 6]))]
        found = {name: self.value(known[name], expressions, not few) for name in names}
        for field in known.values():
            if getattr(field.remote_field, "parent_link", False):
                continue
            is_key = field in model._meta.pk_fields
            if few and (self.chance(90 if is_key or field.name in UNIQUE else 60)):
                continue
            if few and is_key and not keys:
                continue
            if field.name == "content_type":
                found |= self.generic(model, expressions)
            elif field.name in UNIQUE:
                found[field.name] = self.fresh(field.name)
            elif field.is_relation and (not field.null or not few or self.chance(70)):
                name, value = self.relation(field)
                found[name] = value
        if self.synced(model) and (self.chance(60) if self.by_hand else not few and self.chance(8)):
            name = self.pick(self.synced(model))
            found[name] = self.value(known[name])
        return found

    def synced(self, model: Model) -> list[str]:
        return [rule.slot.name for rule in self.rules if issubclass(model, rule.model)]

    def generic(self, model: Model, expressions: bool) -> dict[str, str]:
        if expressions:
            return {}
        named = self.pick(["Item", "Owner"] if model.__name__ == "Comment" else ["Depot"])
        if self.chance(15):
            number = '"c2"' if named == "Depot" else "2"
            return {"content_type": f"content_type({named})", "object_id": number}
        return {"about": self.row(named)}

    def fresh(self, name: str) -> str:
        self.unique = self.unique % 27 + 1
        return self.pick(UNIQUE[name]) % self.unique

    def text(self, values: dict[str, str]) -> str:
        return ", ".join(f"{name}={value}" for name, value in values.items())

    def new(self, model: Model) -> str:
        return f"{model.__name__}({self.text(self.values(model, few=False))})"

    # Writes ---------------------------------------------------------------------------------------

    def model(self) -> Model:
        if self.focus and self.chance(75):
            return self.pick(self.focus)
        return self.pick([*WORLD, Item, Item, Owner])

    def create(self):
        model = self.model()
        how = self.pick([f"{model.__name__}.objects.create"] * 3 + ["get_or_create"])
        values = self.text(self.values(model, few=False))
        if how == "get_or_create":
            return f"{model.__name__}.objects.get_or_create({values})"
        return f"{how}({values})"

    def save(self):
        model = self.model()
        values = self.values(model, few=True, expressions=self.chance(20))
        row = self.pick(["row", "row", "row", "row" if self.in_memory else "stale"])
        options = ""
        if self.chance(30):
            options = f"update_fields={[*values]}" if "about" not in values else ""
            if not self.by_hand and not values.keys().isdisjoint(self.synced(model)):
                options = ""
        where = f"{row}({model.__name__}, {self.pick(range(4))})"
        return f"save({where}, dict({self.text(values)}){', ' if options else ''}{options})"

    def update(self):
        model = self.model()
        values = self.values(model, few=True, expressions=self.chance(50), keys=self.chance(20))
        values.pop("about", None)
        if not values:
            return self.create()
        return f"{self.some(model)}.update({self.text(values)})"

    def some(self, model: Model) -> str:
        name = model.__name__
        chosen = ", ".join(str(self.pick(range(4))) for _ in range(self.pick([1, 2])))
        related = [each for each in model._meta.concrete_fields if each.is_relation]
        related = [each for each in related if each.name != "content_type"]
        condition = self.pick(
            [
                "all()",
                f"filter(pk__in=pks({name}, {chosen}))",
                f"filter(pk__in=pks({name}, {chosen}))",
                "filter(size__lte=1)",
                "exclude(active=False)",
                "filter(w__isnull=True)",
                *[f"filter({each.name}__active=True)" for each in related],
            ]
        )
        return f"{name}.objects.{condition}"

    def one_table(self) -> Model:
        model = self.model()
        return Item if issubclass(model, Special) else model

    def bulk_create(self):
        model = self.one_table()
        new = ", ".join(self.new(model) for _ in range(self.pick([2, 1, 3])))
        options = ""
        if model is Area and self.chance(50):
            new = re.sub(r'code="c\d+"', 'code="c1"', new)
            options = ", ignore_conflicts=True"
            if self.chance(60):
                options = (
                    ', update_conflicts=True, update_fields=["size", "active", "name"], **by_code'
                )
        return f"{model.__name__}.objects.bulk_create([{new}]{options})"

    def bulk_update(self):
        model = self.one_table()
        values = self.values(model, few=True)
        values.pop("about", None)
        if not values:
            return self.create()
        some = self.rows(model.__name__)
        return f"bulk_update({model.__name__}, {some}, dict({self.text(values)}))"

    def delete(self):
        model = self.model()
        return f"row({model.__name__}, {self.pick(range(4))}).delete()"

    def delete_some(self):
        return f"{self.some(self.model())}.delete()"

    def relate(self):
        among = [each for each in MANY * 2 + SETS if self.is_in_focus(each)]
        near, accessor, far = self.pick(among if among and self.chance(75) else MANY * 2 + SETS)
        how = self.pick(["add", "add", "add", "set", "remove", "clear", "create"])
        others = self.rows(far)
        if how == "create":
            new = self.text(self.values(named(far), few=False))
            return f"{self.row(near)}.{accessor}.create({new})"
        arguments = {"add": f"*{others}", "remove": f"*{others}", "set": others, "clear": ""}[how]
        return f"{self.row(near)}.{accessor}.{how}({arguments})"

    def is_in_focus(self, relation: tuple[str, str, str]) -> bool:
        return any(each.__name__ in (relation[0], relation[2]) for each in self.focus)

    def copied(self):
        """A row is written once more, as another."""
        return f"copied({self.row(self.model().__name__)})"

    def loaded(self):
        """What was dumped, perhaps some time ago, is loaded."""
        kind = "row" if self.in_memory else self.pick(["row", "stale"])
        return f"loaded({kind}({self.model().__name__}, {self.pick(range(4))}))"

    def update_or_create(self):
        model = self.model()
        values = self.text(self.values(model, few=True))
        condition = self.pick(["size=0", "active=True", "name=''"])
        return f"{model.__name__}.objects.update_or_create({condition}, defaults=dict({values}))"

    def proxied(self):
        return f"save(row(Quick, {self.pick(range(4))}), dict(size={self.pick(FORMS['int'])}))"

    def parent_save(self):
        """A multi-table child is made of, or taken away from, a row that is there."""
        child, parent, link = self.pick([(Special, "Item", "item"), (Rare, "Special", "special")])
        if self.chance(50):
            return f"{self.row(child.__name__)}.delete(keep_parents=True)"
        row = f"row({parent}, {self.pick(range(4))})"
        return f"{child.__name__}({link}_ptr={row}).save_base(raw=True)"

    def line(self, depth: int = 2) -> str:
        if depth == 0 or self.chance(85 if depth == 2 else 70):
            return getattr(self, self.pick(WRITES))()
        how = self.pick(BLOCKS)
        before, self.by_hand = self.by_hand, how == "unsynced(reconcile=True)"
        lines = [self.line(depth - 1) for _ in range(self.pick([1, 2, 3]))]
        self.by_hand = before
        if how == "coalesce()" and self.chance(20):
            lines.insert(1, "flush()")
        inner = "\n".join(lines).replace("\n", "\n    ")
        return f"with {how}:\n    {inner}"


WRITES = (
    ["create"] * 5
    + ["save"] * 4
    + ["update"] * 3
    + ["relate"] * 3
    + ["bulk_create", "bulk_update", "delete", "delete_some", "proxied", "parent_save"]
    + ["copied", "loaded", "update_or_create"]
)
BLOCKS = (
    *("coalesce()", "atomic()", "rolled_back()", "unsynced(reconcile=True)"),
    *(f'override("{zone}")' for zone in ZONES),
)
SEED = (Area, Owner, Item)


def named(name: str) -> Model:
    return next(each for each in WORLD if each.__name__ == name)


def writings(
    draw: Draw, rules: Sequence[Declared], focus: Collection[Model], most: int = 12
) -> tuple[list[str], list[str]]:
    """Rows that are there before the rules are, and the writes that follow."""
    writing = Writing(draw, (), focus)
    models = [*SEED, *(each for each in WORLD if each in focus and each not in SEED)]
    models.sort(key=WORLD.index)
    rows = [f"save({writing.new(model)}, {{}})" for model in models for _ in range(2)]
    # They are there before the rules, or the first that is written.
    known = writing.pick([len(rows), 4, 0])
    seeds, lines = rows[:known], rows[known:]
    writing.rules = rules
    writing.in_memory = any("tracking" in str(rule) for rule in rules)
    lines += [writing.line() for _ in range(writing.pick(range(3, most + 1)))]
    return seeds, lines
