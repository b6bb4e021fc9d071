"""Writes drawn at random, as the lines that a user would write.

``row(Item, 2)`` is the third item or what comes round to it, ``rows(Item, 1, 3)`` some of them;
both are empty where there are none.
"""

from __future__ import annotations

from typing import Any

from tests.declarations.models import WORLD, Area, Comment, Item, Owner, Special, Tag, Toy, Visit
from tests.declarations.relations import Model, kind_of
from tests.declarations.words import Draw

# The same values in every form that a field accepts.
FORMS = {
    "bool": ["True", "False", "1", '"0"'],
    "int": ["0", "1", "2", "3", "7", "-2", '"4"', '" 5"', "True"],
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
    ],
    "duration": ["dt.timedelta(hours=2)", "dt.timedelta(0)", "dt.timedelta(seconds=-5)"],
    "ip": ['""', '"10.0.0.1"', '"::1"', '"::ffff:10.0.0.1"'],
    "json": ['{"a": 1}', "[]", '{"a": None}', '"x"', "Value(None, JSONField())"],
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
    "json": ['F("specs")'],
}
WRITTEN = (
    *("w", "size", "rank", "price", "fee", "heat", "name", "note", "kind"),
    *("active", "sure", "at", "day", "took", "ip", "specs", "extra"),
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
)


class Writing:
    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.unique = 0

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

    def relation(self, field: Any, fresh: bool) -> tuple[str, str]:
        far = field.remote_field.model.__name__
        value = self.row(far)
        if field.null and self.chance(20):
            return field.name, "None"
        if not field.remote_field.model._meta.proxy and self.chance(20):
            return field.attname, f"key({value}, {field.target_field.attname!r})"
        return field.name, value

    def value(self, field: Any, expressions: bool = False) -> str:
        kind = kind_of(field)
        if field.null and self.chance(15):
            return "None"
        if expressions and self.chance(30):
            return self.pick(CHANGES[kind])
        return self.pick(FORMS[kind])

    def values(self, model: Model, few: bool, expressions: bool = False) -> dict[str, str]:
        """Some columns with what is written into them, as text."""
        plain = [name for name in WRITTEN if name != "extra" or model is Special]
        names = [self.pick(plain) for _ in range(self.pick([1, 2, 3] if few else [2, 4, 6]))]
        found = {name: self.value(model._meta.get_field(name), expressions) for name in names}
        for field in model._meta.concrete_fields:
            if not field.is_relation or field.name == "item_ptr" or (few and self.chance(60)):
                continue
            if field.name == "content_type":
                if not expressions:
                    found["about"] = self.row(self.pick(["Item", "Owner"]))
            elif field.primary_key and few:
                continue
            elif not field.null or not few or self.chance(70):
                name, value = self.relation(field, not few)
                found[name] = value
        if not few and model is Area:
            self.unique += 1
            found["code"] = self.pick(['"c%d"', '"c%d"']) % self.unique
            found["number"] = self.pick(["%d", '"%d"']) % self.unique
        return found

    def text(self, values: dict[str, str]) -> str:
        return ", ".join(f"{name}={value}" for name, value in values.items())

    def new(self, model: Model) -> str:
        return f"{model.__name__}({self.text(self.values(model, few=False))})"

    # Writes ---------------------------------------------------------------------------------------

    def model(self) -> Model:
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
        row = self.pick(["row", "row", "row", "stale"])
        options = ""
        if self.chance(30):
            options = f"update_fields={[*values]}" if "about" not in values else ""
        where = f"{row}({model.__name__}, {self.pick(range(4))})"
        return f"save({where}, dict({self.text(values)}){', ' if options else ''}{options})"

    def update(self):
        model = self.model()
        values = self.values(model, few=True, expressions=self.chance(50))
        values.pop("about", None)
        if not values:
            return self.create()
        return f"{self.some(model)}.update({self.text(values)})"

    def some(self, model: Model) -> str:
        name = model.__name__
        chosen = ", ".join(str(self.pick(range(4))) for _ in range(self.pick([1, 2])))
        related = [each for each in model._meta.concrete_fields if each.is_relation]
        related = [each for each in related if each.name not in ("content_type", "item_ptr")]
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

    def bulk_create(self):
        model = self.pick([each for each in WORLD if each is not Special])
        new = ", ".join(self.new(model) for _ in range(self.pick([2, 1, 3])))
        options = ""
        if model is Area and self.chance(50):
            new = new.replace(f'"c{self.unique}"', '"c1"')
            options = ", ignore_conflicts=True"
            if self.chance(60):
                options = (
                    ', update_conflicts=True, update_fields=["size", "active", "name"], **by_code'
                )
        return f"{model.__name__}.objects.bulk_create([{new}]{options})"

    def bulk_update(self):
        model = self.pick([each for each in WORLD if each is not Special])
        values = self.values(model, few=True)
        values.pop("about", None)
        names = [name for name in values if not model._meta.get_field(name).primary_key]
        if not names:
            return self.create()
        some = self.rows(model.__name__)
        return f"bulk_update({model.__name__}, {some}, dict({self.text(values)}))"

    def delete(self):
        model = self.model()
        return f"row({model.__name__}, {self.pick(range(4))}).delete()"

    def delete_some(self):
        return f"{self.some(self.model())}.delete()"

    def relate(self):
        near, accessor, far = self.pick(MANY * 2 + SETS)
        how = self.pick(["add", "add", "add", "set", "remove", "clear"])
        others = self.rows(far)
        arguments = {"add": f"*{others}", "remove": f"*{others}", "set": others, "clear": ""}[how]
        return f"{self.row(near)}.{accessor}.{how}({arguments})"

    def proxied(self):
        return f"save(row(Quick, {self.pick(range(4))}), dict(size={self.pick(FORMS['int'])}))"

    def parent_save(self):
        """A multi-table child is made of, or taken away from, a row that is there."""
        if self.chance(50):
            return f"{self.row('Special')}.delete(keep_parents=True)"
        return f"Special(item_ptr=row(Item, {self.pick(range(4))}), extra=2).save_base(raw=True)"

    def line(self, depth: int = 1) -> str:
        line = getattr(self, self.pick(WRITES))()
        if depth == 0 or self.chance(85):
            return line
        lines = [line, *(self.line(0) for _ in range(self.pick([1, 2])))]
        how = self.pick(["coalesce()", "atomic()", "rolled_back()", "unsynced(reconcile=True)"])
        return "\n".join([f"with {how}:", *(f"    {each}" for each in lines)])


WRITES = (
    ["create"] * 5
    + ["save"] * 4
    + ["update"] * 3
    + ["relate"] * 3
    + ["bulk_create", "bulk_update", "delete", "delete_some", "proxied", "parent_save"]
)
SEED = (Area, Owner, Tag, Item, Toy, Comment, Visit)


def writings(draw: Draw, most: int = 12) -> tuple[list[str], list[str]]:
    """Rows that are there before the rules are, and the writes that follow."""
    writing = Writing(draw)
    rows = [f"save({writing.new(model)}, {{}})" for model in SEED for _ in range(2)]
    # They are there before the rules, or the first that is written.
    known = writing.pick([len(rows), 4, 0])
    seeds, lines = rows[:known], rows[known:]
    lines += [writing.line() for _ in range(writing.pick(range(3, most + 1)))]
    return seeds, lines
