"""``update()`` and ``delete()`` of querysets of every shape: Django says which rows are written."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product

import pytest
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import NotSupportedError, connection, models
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)

from syncfields import coalesce, synced, unsynced
from tests.ownmodels import assert_kept, kept_by, own_apps
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

APPS = own_apps("shapes")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "shapes"


class Field(Own):
    """Counts and sums alone: the short way."""

    size = models.IntegerField(default=0)
    n = synced(models.IntegerField(default=0), Count("plants"))
    total = synced(models.IntegerField(default=0), Sum("plants__height", filter=Q(plants__ok=True)))


class Owner(Own):
    """The long way."""

    name = models.CharField(max_length=9, default="")
    n = synced(models.IntegerField(default=0), Count("plants"))
    best = synced(models.IntegerField(null=True), Max("plants__height"))
    mean = synced(models.FloatField(null=True), Avg("plants__height"))


class Herb(Own):
    """Nothing refers to it, and sums are all that it matters to."""

    field = models.ForeignKey(Field, models.CASCADE, null=True, related_name="plants")
    height = models.IntegerField(default=1, null=True)
    ok = models.BooleanField(default=True)
    around = models.ForeignKey("self", models.DO_NOTHING, null=True, related_name="inner")


class HerbProxy(Herb):
    class Meta(Own.Meta):
        proxy = True


class Tree(Own):
    """Others refer to it, it is copied from and it copies."""

    field = models.ForeignKey(Owner, models.CASCADE, null=True, related_name="plants")
    height = models.IntegerField(default=1, null=True)
    ok = models.BooleanField(default=True)
    around = models.ForeignKey("self", models.SET_NULL, null=True, related_name="inner")
    owner_name = synced(models.CharField(max_length=9, null=True), F("field__name"))
    nests = synced(models.IntegerField(default=0), Count("nest"))


class TreeProxy(Tree):
    class Meta(Own.Meta):
        proxy = True


class Nest(Own):
    tree = models.ForeignKey(Tree, models.CASCADE)
    eggs = models.IntegerField(default=1)
    height = synced(models.IntegerField(null=True), F("tree__height"))


class Rearranged(QuerySet):
    """A class of a package: django-modeltranslation asks for columns in the order of a set."""

    def values_list(self, *names, **options):
        return super().values_list(*reversed(names), **options)

    def values(self, *names, **options):
        return super().values(*reversed(names), **options)

    def annotate(self, *names, **named):
        return super().annotate(*names, **dict(reversed(named.items())))


def over(model):
    return model._meta.get_field("field").related_model


def inner(model):
    return QuerySet(model).filter(around=OuterRef("pk"))


SHAPES = {
    "all": lambda rows, model: rows,
    "none": lambda rows, model: rows.none(),
    "empty in": lambda rows, model: rows.filter(pk__in=[]),
    "own column": lambda rows, model: rows.filter(height__gt=1),
    "own key": lambda rows, model: rows.filter(field_id__gt=0),
    "own or join": lambda rows, model: rows.filter(Q(height=1) | Q(field__n__gt=2)),
    "join": lambda rows, model: rows.filter(field__n__gte=2),
    "two joins": lambda rows, model: rows.filter(field__n__gte=2, around__ok=True),
    "excluded": lambda rows, model: rows.exclude(height=1),
    "excluded join": lambda rows, model: rows.exclude(field__n=2),
    "excluded reverse join": lambda rows, model: rows.exclude(inner__height=1),
    "reverse join": lambda rows, model: rows.filter(inner__height__gte=1),
    "without reverse": lambda rows, model: rows.filter(inner__isnull=True),
    "around": lambda rows, model: rows.filter(field__plants__height=3),
    "around, once": lambda rows, model: rows.filter(field__plants__height__gt=0).distinct(),
    "distinct": lambda rows, model: rows.filter(ok=True).distinct(),
    "subquery": lambda rows, model: rows.filter(pk__in=QuerySet(model).filter(height=3)),
    "subquery of targets": lambda rows, model: rows.filter(
        field__in=QuerySet(over(model)).filter(n__gt=1)
    ),
    "sliced subquery": lambda rows, model: rows.filter(
        pk__in=list(QuerySet(model).order_by("-height", "pk").values_list("pk", flat=True)[:2])
    ),
    "exists": lambda rows, model: rows.filter(Exists(inner(model))),
    "not exists": lambda rows, model: rows.filter(~Exists(inner(model))),
    "compared": lambda rows, model: rows.filter(height__gt=F("field__n")),
    "alias": lambda rows, model: rows.alias(twice=F("height") * 2).filter(twice__gt=4),
    "alias of a join": lambda rows, model: rows.alias(x=F("field__n")).filter(x__gt=1),
    "annotated": lambda rows, model: rows.annotate(twice=F("height") * 2),
    "annotated join": lambda rows, model: rows.annotate(x=F("field__n")).filter(x__gt=1),
    "annotated count": lambda rows, model: rows.annotate(x=Count("inner")),
    "having": lambda rows, model: rows.annotate(x=Count("inner")).filter(x__gt=0),
    "annotated subquery": lambda rows, model: rows.annotate(
        x=Subquery(inner(model).order_by("pk").values("height")[:1])
    ).filter(x__gt=0),
    "filtered relation": lambda rows, model: rows.annotate(
        tall=FilteredRelation("inner", condition=Q(inner__height__gt=0))
    ).filter(tall__isnull=False),
    "ordered": lambda rows, model: rows.order_by("-height"),
    "ordered by a join": lambda rows, model: rows.order_by("-field__n", "pk"),
    "ordered by chance": lambda rows, model: rows.order_by("?"),
    "reversed": lambda rows, model: rows.order_by("height").reverse(),
    "extra where": lambda rows, model: rows.extra(where=["height > %s"], params=[1]),
    "extra select": lambda rows, model: rows.extra(select={"x": "height * 2"}),
    "select_related": lambda rows, model: rows.select_related("field").filter(height=3),
    "prefetch_related": lambda rows, model: rows.prefetch_related("inner").filter(height=3),
    "only": lambda rows, model: rows.only("height").filter(height=3),
    "defer": lambda rows, model: rows.defer("height").filter(height=3),
    "locked": lambda rows, model: rows.select_for_update().filter(height=3),
    "both": lambda rows, model: rows.filter(height=1) | rows.filter(field__n=2),
    "and": lambda rows, model: rows.filter(ok=True) & rows.filter(field__n=2),
    "of another class": lambda rows, model: Rearranged(rows.model).filter(height__gt=1),
    "of another class, join": lambda rows, model: Rearranged(rows.model).filter(field__n__gte=2),
    "related manager": lambda rows, model: over(model).objects.first().plants.filter(ok=True),
    "related manager, join": lambda rows, model: (
        over(model).objects.first().plants.filter(field__n__gt=0, around=None)
    ),
}
REFUSED = {
    "sliced": lambda rows: rows.order_by("pk")[:2],
    "union": lambda rows: rows.filter(height=1).union(rows.filter(height=3)),
}
VALUES = {
    "constant": lambda model: {"height": 7},
    "null": lambda model: {"height": None},
    "flag": lambda model: {"ok": False},
    "moved": lambda model: {"field": over(model).objects.last()},
    "moved and changed": lambda model: {"field": over(model).objects.last(), "height": 5},
    "nowhere": lambda model: {"field": None, "ok": True},
    "expression": lambda model: {"height": F("height") + F("pk")},
    "case": lambda model: {"height": Case(When(ok=True, then=Value(4)), default=F("height"))},
    "case of keys": lambda model: {
        "field": Case(
            When(height__in=[1, 3], then=Value(over(model).objects.last().pk)),
            When(ok=False, then=Value(None)),
            default=Value(over(model).objects.first().pk),
        )
    },
    "subquery": lambda model: {
        "field": Subquery(QuerySet(over(model)).order_by("-pk").values("pk")[:1])
    },
}
VALUED = ("height", "ok", "field")
MODELS = [Herb, HerbProxy, Tree, TreeProxy]


@pytest.fixture(autouse=True)
def planted():
    for source in (Herb, Tree):
        fields = [over(source).objects.create() for _ in range(3)]
        last = None
        for number, where in enumerate((0, 0, 0, 1, 1, None)):
            last = source.objects.create(
                field=None if where is None else fields[where],
                height=(1, 3, 2, 3, None, 4)[number],
                ok=number != 1,
                around=last if number % 3 else None,
            )
    for number, tree in enumerate(Tree.objects.all()[:3]):
        for eggs in range(number):
            Nest.objects.create(tree=tree, eggs=eggs)
    assert_kept()


def chosen(shape, model):
    queryset = SHAPES[shape](model.objects.all(), model)
    return queryset, set(queryset.order_by().values_list("pk", flat=True))


WITHIN = {
    "plain": nullcontext,
    "coalesce": coalesce,
    "unsynced": lambda: unsynced(reconcile=True),
}
CASES = [
    *product(MODELS, ["plain"]),
    (Herb, "unsynced"),
    (Tree, "coalesce"),
]


def free(shape, model):
    """Let no other row refer to those to be deleted, where Django's own cascade does nothing."""
    if model in (Herb, HerbProxy):
        _, gone = chosen(shape, model)
        others = Herb.objects.filter(around__in=gone)
        # InnoDB checks keys row by row.
        others = others if connection.vendor == "mysql" else others.exclude(pk__in=gone)
        others.update(around=None)


@pytest.mark.parametrize("shape", SHAPES)
def test_deleted(shape):
    for model, within in CASES:
        with rolled_back():
            free(shape, model)
            queryset, gone = chosen(shape, model)
            left = set(model.objects.values_list("pk", flat=True)) - gone
            if Herb.objects.filter(pk__in=left, around__in=gone):
                continue  # Others are chosen now.

            with WITHIN[within]():
                queryset.delete()

            assert set(model.objects.values_list("pk", flat=True)) == left, (model, within)
            assert_kept()


@pytest.mark.parametrize("shape", SHAPES)
def test_updated(shape):
    for (model, within), (name, values) in product(CASES, VALUES.items()):
        if (within != "plain" or model._meta.proxy) and name not in ("moved and changed", "case"):
            continue
        with rolled_back():
            queryset, pks = chosen(shape, model)
            written = values(model)
            before = {row["pk"]: row for row in model.objects.values("pk", *VALUED)}

            with WITHIN[within]():
                number = queryset.update(**written)

            assert number == len(pks), (model, within, name)
            after = {row["pk"]: row for row in model.objects.values("pk", *VALUED)}
            assert {pk for pk, row in after.items() if row != before[pk]} <= pks
            assert_kept()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("shape", REFUSED)
def test_what_django_refuses_is_refused_in_its_words(shape, model):
    queryset = REFUSED[shape](model.objects.all())

    with pytest.raises((TypeError, NotSupportedError)):
        queryset.delete()
    with pytest.raises((TypeError, NotSupportedError)):
        queryset.update(height=3)

    assert_kept()


@pytest.mark.parametrize(
    "values",
    [
        {"height": F("field__n")},
        {"height": Count("inner")},
        {"height": F("nothing")},
        {"inner": None, "height": 1},
        {"nothing": None, "height": 1},
    ],
    ids=str,
)
def test_what_django_cannot_write_leaves_the_transaction_as_it_was(values):
    # Of a relation that leads backwards Django 5.2 says no more than AttributeError.
    with pytest.raises((FieldError, FieldDoesNotExist, AttributeError)):
        Tree.objects.update(**values)

    assert_kept()
