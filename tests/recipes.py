"""A project of one app for each recipe of the cookbook: random writes, and after each the truth.

`python -m tests.recipes FOLDER`: the cookbook's models are in the folder, as apps.
"""

from __future__ import annotations

import datetime as dt
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import IntegrityError, models, transaction

STEPS = 60
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def main(folder: str, databases: dict[str, Any]) -> None:
    sys.path.insert(0, folder)
    names = sorted(path.parent.name for path in Path(folder).glob("*/models.py"))
    settings.configure(
        INSTALLED_APPS=[
            *("django.contrib.auth", "django.contrib.contenttypes", "syncfields", *names)
        ],
        DATABASES=databases,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    assert [each for each in run_checks() if each.is_serious()] == []
    for name in names:
        checked = 0
        for model, field, expression in rules(name):
            checked += compared(model, field, expression)
        for _ in write(name):
            for model, field, expression in rules(name):
                checked += compared(model, field, expression)
        print(f"{name}: {checked} values are right")


def rules(name: str) -> list[tuple[Any, str, Any]]:
    from syncfields.plan import registry

    return [
        (rule.model, rule.field_name, rule.expression)
        for rule in registry.plan().rules
        if rule.model._meta.app_label == name and type(rule.expression).__name__ != "Tally"
    ]


def compared(model: Any, field: str, expression: Any) -> int:
    rows = list(model._base_manager.annotate(_truth=expression).values_list(field, "_truth"))
    for stored, truth in rows:
        assert stored == (0 if truth is None and stored == 0 else truth), (model, field, rows)
    return len(rows)


def write(name: str) -> Any:
    """Rows of each model, then writes at random."""
    random = Random(name)
    made = [*apps.get_app_config(name).get_models()]
    for _ in range(2):
        for model in made:
            with suppress(IntegrityError), transaction.atomic():
                model._base_manager.create(**values(model, random))
                yield
    for _ in range(STEPS):
        model = random.choice(made)
        with suppress(IntegrityError), transaction.atomic():
            random.choice([create, save, update, delete])(model, random)
            yield


def create(model: Any, random: Random) -> None:
    model._base_manager.create(**values(model, random))


def save(model: Any, random: Random) -> None:
    for row in model._base_manager.order_by("?")[:1]:
        for name, value in values(model, random).items():
            setattr(row, name, value)
        row.save()


def update(model: Any, random: Random) -> None:
    if chosen := values(model, random):
        name = random.choice(sorted(chosen))
        model._base_manager.filter(pk__gt=random.randrange(5)).update(**{name: chosen[name]})


def delete(model: Any, random: Random) -> None:
    for row in model._base_manager.order_by("?")[:1]:
        row.delete()


def values(model: Any, random: Random) -> dict[str, Any]:
    return {
        field.attname: value_of(field, random)
        for field in model._meta.concrete_fields
        if not field.primary_key and field.editable and not field.generated
    }


def value_of(field: Any, random: Random) -> Any:
    if field.is_relation:
        pks = list(field.related_model._base_manager.values_list("pk", flat=True))
        if not pks and not field.null:
            pks = [
                field.related_model._base_manager.create(**values(field.related_model, random)).pk
            ]
        return random.choice([*pks, *([None] if field.null else [])])
    if isinstance(field, models.DateTimeField):
        return NOON + dt.timedelta(minutes=random.randrange(5))
    if isinstance(field, models.DateField):
        return NOON.date() + dt.timedelta(days=random.randrange(3))
    if isinstance(field, models.BooleanField):
        return random.random() < 0.5
    if isinstance(field, (models.CharField, models.TextField)):
        return f"{random.randrange(10**9)}"
    low = -2 if type(field) in (models.IntegerField, models.SmallIntegerField) else 0
    return random.randrange(low, 6)


if __name__ == "__main__":
    import json

    main(sys.argv[1], json.loads(sys.argv[2]))
