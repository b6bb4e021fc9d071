"""Random bulk writes of every shape over the whole zoo: afterwards all is what it has to be.

Each is played by itself on the animals of ``menagerie.py``. More on demand, and others:
SYNCFIELDS_TEST_EXAMPLES=1000 SYNCFIELDS_TEST_SEED=7.
"""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from random import Random
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import DataError, IntegrityError, connection, models, transaction
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.deletion import ProtectedError, RestrictedError

from syncfields import coalesce, unsynced
from syncfields.plan import registry
from tests.menagerie import populate
from tests.truth import assert_truth
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

EXAMPLES = int(
    os.environ.get("SYNCFIELDS_TEST_EXAMPLES") or {"sqlite": 80}.get(connection.vendor, 20)
)
SEED = int(os.environ.get("SYNCFIELDS_TEST_SEED") or 0)
REFUSED = (IntegrityError, DataError, ProtectedError, RestrictedError)
"""What Django and the database say of writes that cannot be."""


def zoo_models() -> list[type[models.Model]]:
    found = [*apps.get_app_config("testapp").get_models(include_auto_created=True)]
    return [*(model for model in found if model._meta.managed), get_user_model()]


class Writer:
    """Makes up writes of one model."""

    def __init__(self, model: type[models.Model], random: Random) -> None:
        self.model = model
        self.random = random
        self.told: list[str] = [model.__name__]
        self.queryset = QuerySet(model)

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def pks(self) -> list[Any]:
        found = list(QuerySet(self.model).order_by("pk").values_list("pk", flat=True))
        return self.random.sample(found, self.random.randint(0, len(found)))

    # Which rows ------------------------------------------------------------------------------

    def columns(self, model: type[models.Model]) -> list[Any]:
        """What may be asked of, or written to, rows of a model."""
        owned = registry.plan().owned
        return [
            field
            for field in model._meta.concrete_fields
            if field.attname not in owned.get(field.model._meta.concrete_model, {})
            and not field.primary_key
            and not field.generated
            and field not in model._meta.pk_fields
        ]

    def relations(self) -> list[tuple[str, Any]]:
        """Lookups, and the models they lead to."""
        found = []
        for field in self.model._meta.get_fields():
            if field.is_relation and field.related_model and not getattr(field, "hidden", False):
                name = field.name if field.concrete else getattr(field, "name", None)
                if name and not name.endswith("+"):
                    found.append((name, field.related_model))
        return found

    def condition(self, depth: int = 0) -> Q:
        kind = self.pick("keys", "keys", "own", "own", "related", "related", "both", "null")
        if kind == "keys":
            return Q(pk__in=self.pks())
        if kind == "both" and depth < 2:
            left, right = self.condition(depth + 1), self.condition(depth + 1)
            return left | right if self.pick(True, False) else left & ~right
        relations = self.relations()
        if kind == "null" and relations:
            name, _ = self.random.choice(relations)
            return Q(**{f"{name}__isnull": self.pick(True, False)})
        if kind == "related" and relations:
            name, model = self.random.choice(relations)
            return self.about(model, f"{name}__")
        return self.about(self.model, "")

    def about(self, model: type[models.Model], prefix: str) -> Q:
        columns = self.columns(model)
        if not columns:
            return Q(**{f"{prefix}pk__in": self.values_of(model, model._meta.pk)})
        field = self.random.choice(columns)
        values = self.values_of(model, field)
        value = self.random.choice(values) if values else None
        if value is None or isinstance(field, models.JSONField):
            return Q(**{f"{prefix}{field.attname}__isnull": value is None})
        if isinstance(field, (models.IntegerField, models.DateTimeField)):
            return Q(**{f"{prefix}{field.attname}__{self.pick('gt', 'lte', 'exact')}": value})
        return Q(**{f"{prefix}{field.attname}": value})

    def values_of(self, model: type[models.Model], field: Any) -> list[Any]:
        return list(QuerySet(model).order_by("pk").values_list(field.attname, flat=True))

    def choose(self) -> QuerySet[Any]:
        manager = self.pick("plain", "default")
        rows = QuerySet(self.model) if manager == "plain" else self.model._default_manager.all()
        for _ in range(self.random.randint(0, 2)):
            condition = self.condition()
            self.told.append(str(condition))
            if self.pick(True, True, False):
                rows = rows.filter(condition)
            else:
                self.told[-1] = f"exclude {self.told[-1]}"
                rows = rows.exclude(condition)
        return self.shaped(rows)

    def shaped(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        shape = self.pick(
            "", "", "", "distinct", "ordered", "annotated", "subquery", "exists", "having", "joined"
        )
        self.told.append(shape)
        relations = self.relations()
        if shape == "distinct":
            return rows.distinct()
        if shape == "ordered":
            return rows.order_by("-pk")
        if shape == "annotated" and len(self.model._meta.pk_fields) == 1:
            return rows.annotate(_key=F("pk"))
        if shape == "subquery":
            return QuerySet(self.model).filter(pk__in=rows.values("pk"))
        if shape == "exists" and len(self.model._meta.pk_fields) == 1:
            return QuerySet(self.model).filter(Exists(rows.filter(pk=OuterRef("pk"))))
        # Over a key of its own Django writes no valid SQL, and it counts no keys of two columns.
        many = [
            name
            for name, model in relations
            if not self.model._meta.get_field(name).concrete and len(model._meta.pk_fields) == 1
        ]
        if shape == "having" and many:
            name = self.random.choice(many)
            return rows.annotate(_number=Count(name)).filter(_number__gte=self.pick(0, 1))
        if shape == "joined" and relations:
            name, _ = self.random.choice(relations)
            return rows.order_by(name, "pk")
        return rows

    # What is written -------------------------------------------------------------------------

    def value(self, field: Any) -> Any:
        if field.null and self.random.random() < 0.2:
            return None
        if field.is_relation:
            values = self.values_of(field.related_model, field.target_field)
            return self.random.choice(values) if values else None
        values = self.values_of(self.model, field)
        if isinstance(field, (models.BooleanField,)):
            return self.pick(True, False)
        if isinstance(field, (models.IntegerField, models.DecimalField, models.FloatField)):
            return self.random.randint(0, 9)
        if field.unique:
            return f"u{self.random.randint(0, 10**6)}"[: field.max_length]
        return self.random.choice(values) if values else field.get_default()

    def written(self, field: Any) -> Any:
        """A value, or an expression for it."""
        value, how = self.value(field), self.pick("value", "value", "value", "case", "sum", "query")
        if how == "case":
            other = self.value(field)
            if value is other is None:  # PostgreSQL takes a CASE of nothing but NULL for text.
                return None
            when = When(pk__in=self.pks(), then=Value(value, output_field=field))
            return Case(when, default=Value(other, output_field=field))
        if how == "sum" and isinstance(field, models.IntegerField) and not field.is_relation:
            return F(field.attname) + self.random.randint(0, 3)
        if how == "query" and field.is_relation:
            there = QuerySet(field.related_model).order_by("-pk")
            return Subquery(there.values(field.target_field.attname)[:1])
        return value

    def update(self) -> None:
        columns = self.columns(self.model)
        if columns:
            chosen = self.random.sample(columns, self.random.randint(1, min(3, len(columns))))
            values = {field.attname: self.written(field) for field in chosen}
            self.told.append(f"update {values}")
            self.choose().update(**values)

    def delete(self) -> None:
        self.told.append("delete")
        self.choose().delete()

    def bulk_update(self) -> None:
        columns = self.columns(self.model)
        instances = list(QuerySet(self.model).filter(pk__in=self.pks()))
        if columns and instances:
            chosen = self.random.sample(columns, self.random.randint(1, min(2, len(columns))))
            for instance in instances:
                for field in chosen:
                    setattr(instance, field.attname, self.value(field))
            self.told.append(f"bulk_update {[field.name for field in chosen]}")
            QuerySet(self.model).bulk_update(instances, [field.name for field in chosen])

    def bulk_create(self) -> None:
        if self.model._meta.parents or len(self.model._meta.pk_fields) > 1:
            return
        made = [self.model() for _ in range(self.random.randint(1, 5))]
        for instance in made:
            for field in self.columns(self.model):
                setattr(instance, field.attname, self.value(field))
        options = self.pick({}, {}, {"batch_size": 2}, {"ignore_conflicts": True})
        self.told.append(f"bulk_create {len(made)} {options}")
        QuerySet(self.model).bulk_create(made, **options)

    def relate(self) -> None:
        """Many-to-many relations, there and back."""
        fields = [each for each in self.model._meta.many_to_many if hasattr(each, "m2m_db_table")]
        instances = list(QuerySet(self.model).order_by("pk"))
        if not fields or not instances:
            return
        field = self.random.choice(fields)
        manager = getattr(self.random.choice(instances), field.name)
        others = list(QuerySet(field.related_model).order_by("pk"))
        some = self.random.sample(others, self.random.randint(0, len(others)))
        how = self.pick("add", "remove", "clear", "set")
        self.told.append(f"{field.name}.{how}")
        getattr(manager, how)(*({"clear": (), "set": (some,)}.get(how, some)))

    def write(self) -> None:
        ways = (self.update, self.update, self.update, self.delete, self.delete)
        self.pick(*ways, self.bulk_update, self.bulk_create, self.relate)()


BLOCKS: dict[str, Any] = {
    "plain": nullcontext,
    "coalesce": coalesce,
    "unsynced": lambda: unsynced(reconcile=True),
}


def play(seed: str) -> None:
    random = Random(seed)
    block = random.choice(["plain", "plain", "plain", "coalesce", "unsynced"])
    told: list[Any] = [seed, block]
    with rolled_back():
        with suppress(*REFUSED), transaction.atomic(), BLOCKS[block]():
            for _ in range(random.randint(1, 3)):
                writer = Writer(random.choice(zoo_models()), random)
                told.append(writer.told)
                writer.write()
        try:
            assert_truth()
        except AssertionError as error:
            raise AssertionError(told) from error


@pytest.mark.parametrize("part", range(4))
def test_bulk_writes_of_every_shape(part):
    populate()
    assert_truth()

    for number in range(EXAMPLES // 4):
        play(f"{SEED}-{part}-{number}")
