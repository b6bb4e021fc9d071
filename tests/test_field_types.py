"""Each field, given values in every form, in every way of writing: what is stored is what plain
``annotate()`` says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from django.contrib.postgres.signals import get_hstore_oids, register_type_handlers
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.models import F

from syncfields.declare.rules import Declaration, Rule
from syncfields.plan.compiler import compile_rules
from tests.fieldtypes import CASES, is_accepted, rules_of, world_of
from tests.ownmodels import kept, tables

LINK = re.compile(r"\[(\w+)\]\([^)]*\)")
PAGE = Path(__file__).parent.parent / "docs" / "fields.md"
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:.*received a naive datetime"),
]


@pytest.fixture(scope="module")
def worlds(django_db_setup, django_db_blocker):
    """The tables of all cases that are for this database."""
    with django_db_blocker.unblock():
        here = [case for case in CASES if is_here(case)]
    made = {case.name: world_of(case) for case in here}
    tabled = [
        model
        for world in made.values()
        for model in (world.other, world.target, world.source, world.copying, world.plain)
        if model is not None
    ]
    with tables(django_db_blocker, tabled):
        yield made


def is_here(case):
    """Whether the case is for this database, which is extended for it if it can be."""
    if case.only not in ("", connection.vendor):
        return False
    if case.extension:
        with suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {case.extension}")
            get_hstore_oids.cache_clear()
            register_type_handlers(connection)
            return True
    return not case.extension


def verdict(rule):
    """How a use is answered by the checks, or by the database where it is no expression for it."""
    model, name, expression = rule
    _, errors = compile_rules([Rule(model, name, Declaration(expression))])
    if errors:
        return errors[0].id.removeprefix("syncfields.")
    try:
        with transaction.atomic():
            list(model.objects.annotate(truth=expression).values_list("truth"))
    except Exception:  # noqa: BLE001 - no expression for this database
        return "no"
    return "yes"


def is_same(model, name, one, other):
    field = model._meta.get_field(name)
    if isinstance(field, models.DecimalField) and isinstance(other, Decimal):
        # SQLite adds up floats, and rounds a half up where Python rounds to even.
        return abs(one - other) <= Decimal("0.00500001")
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


def alike(value):
    """What MariaDB finds equal: any of it can be the least, or the greatest."""
    return value.casefold() if isinstance(value, str) else value


def wrong(rules):
    """What is not as ``annotate()`` has it."""
    for model in {model for model, _, _ in rules.values()}:
        own = {use: rule[1:] for use, rule in rules.items() if rule[0] is model}
        truths = {f"truth_of_{use}": expression for use, (_, expression) in own.items()}
        for row in model.objects.annotate(**truths).values():
            for use, (name, _) in own.items():
                stored, truth = row[name], row[f"truth_of_{use}"]
                if use in ("Min", "Max") and connection.vendor == "mysql":
                    stored, truth = alike(stored), alike(truth)
                if not is_same(model, name, stored, truth):
                    yield f"{use}: {stored!r} is stored, the truth is {truth!r}"


def writes(world, forms) -> Iterator[object]:
    """Writes the forms in every way; says each time what was done."""
    written, source = world.case.written, world.source
    targets = [world.target.objects.create() for _ in range(2)]

    def values(number, form):
        return {"target": targets[number % 2], written: form}

    rows = []
    for number, form in enumerate(forms):
        row = source.objects.create(**values(number, form))
        rows.append(row)
        yield "create()", form
        world.copying.objects.create(source=row)
        yield "create() of a copy", form
    chosen = source.objects.get(pk=rows[0].pk)
    for number, form in enumerate(forms):
        setattr(chosen, written, form)
        chosen.save()
        yield "save()", form
        setattr(rows[1], written, form)
        rows[1].target = targets[number % 2]
        rows[1].save()
        yield "save() elsewhere", form
        chosen = source.objects.get(pk=chosen.pk)
        chosen.save()
        yield "save() of what was read", form
        source.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(**{written: form})
        yield "update()", form
    made = [source(**values(number, form)) for number, form in enumerate([*forms, *forms])]
    source.objects.bulk_create(made)
    yield "bulk_create()", forms
    known = list(source.objects.all())
    for row, form in zip(known, [*forms, *reversed(forms), *forms], strict=False):
        setattr(row, written, form)
    source.objects.bulk_update(known, [written])
    yield "bulk_update()", forms
    world.copying.objects.bulk_create(world.copying(source=row) for row in known)
    yield "bulk_create() of copies", forms
    world.copying.objects.all().delete()
    for row in known[: len(known) // 2]:
        row.delete()
        yield "delete()", getattr(row, written)
    source.objects.filter(target=targets[0]).delete()
    yield "delete() of a queryset", forms
    source.objects.all().delete()
    yield "delete() of all", forms


def writes_of_keys(world, forms) -> Iterator[object]:
    """As ``writes()``, where no two rows can hold the same: what the database refuses is undone."""
    written, source = world.case.written, world.source
    targets = [world.target.objects.create() for _ in range(2)]
    copying = world.copying

    def attempt(write):
        with suppress(IntegrityError), transaction.atomic():
            write()

    def first():
        return source.objects.order_by("rank", "value").first()

    for number, form in enumerate(forms):
        values = {"target": targets[number % 2], "rank": number, written: form}
        attempt(partial(source.objects.create, **values))
        yield "create()", form
        if copying:
            attempt(lambda: copying.objects.create(source=source.objects.latest("pk")))
            yield "create() of a copy", form
    for number, form in enumerate([*forms, *forms[::-1]]):
        row = first()
        setattr(row, written, form)
        row.target = targets[number % 2]
        attempt(row.save)
        yield "save()", form
        rows = source.objects.filter(pk=first().pk)
        attempt(partial(rows.update, **{written: form}))
        yield "update()", form
    made = [
        source(**{"target": targets[number % 2], "rank": number, written: form})
        for number, form in enumerate(forms, 50)
    ]
    for row in made:
        attempt(partial(source.objects.bulk_create, [row], ignore_conflicts=True))
        yield "bulk_create()", getattr(row, written)
    attempt(lambda: source.objects.update(rank=F("rank") + 100))
    yield "update() of all", forms
    first().delete()
    yield "delete()", forms
    source.objects.filter(target=targets[0]).delete()
    yield "delete() of a queryset", forms
    source.objects.all().delete()
    yield "delete() of all", forms


@pytest.mark.parametrize("case", CASES, ids=str)
def test_stored_values_are_those_of_annotate(case, worlds):
    if case.name not in worlds:
        pytest.skip(f"for {case.only} {case.extension and f'with {case.extension}'}".strip())
    world = worlds[case.name]
    rules = {use: rule for use, rule in rules_of(world).items() if verdict(rule) == "yes"}
    for pk, code in enumerate("abcdef", 1):
        world.other.objects.create(pk=pk, code=code)
    exact = connection.vendor != "sqlite"
    forms = [*case.forms, *(case.inexact if exact else ())]
    forms = [form for form in forms if is_accepted(case, world, form)]

    with kept(rules.values()):
        for done, form in (writes_of_keys if case.is_key else writes)(world, forms):
            assert list(wrong(rules)) == [], f"after {done} with {form!r}"


NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mysql": "MariaDB"}


def pages_verdicts():
    """What the page says: ``{case: {use: cell}}``."""
    rows = [
        [LINK.sub(r"\1", cell).strip(" `") for cell in line.strip("|\n").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    (_, *uses), _, *found = rows
    return {name: dict(zip(uses, cells, strict=True)) for name, *cells in found}


def said(cell):
    """What a cell says of this database: yes, no, or the check that refuses."""
    if cell.startswith("not "):
        return "no" if NAMES[connection.vendor] in cell else "yes"
    return cell


def test_the_page_of_fields_says_what_is_found(worlds):
    found = {
        name: {use: verdict(rule) for use, rule in rules_of(world).items()}
        for name, world in worlds.items()
        if not world.case.is_custom
    }
    page = pages_verdicts()

    assert {
        name: {use: said(page[name][use]) for use in own} for name, own in found.items()
    } == found
    assert list(page) == [case.name for case in CASES if not case.is_custom]
