"""django-import-export: rows of a file are saved one by one, or in bulk."""

from __future__ import annotations

import pytest

pytest.importorskip("import_export", reason="django-import-export is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from import_export import resources
from import_export.resources import modelresource_factory  # noqa: F401 - the page uses it
from tablib import Dataset

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Store(models.Model):
    name = models.CharField(max_length=20)
    item_count = synced(models.IntegerField(default=0), Count("items"))
    dear_count = synced(
        models.IntegerField(default=0), Count("items", filter=Q(items__price__gt=10))
    )
    price_sum = synced(models.IntegerField(default=0), Sum("items__price"))
    dearest = synced(models.IntegerField(null=True), Max("items__price"))


class Item(models.Model):
    store = models.ForeignKey(Store, models.CASCADE, related_name="items")
    price = models.IntegerField(default=1)
    store_name = synced(models.CharField(max_length=20, null=True), F("store__name"))


def resource(target, **options):
    meta = type("Meta", (), {"model": target, **options})
    return type("Resource", (resources.ModelResource,), {"Meta": meta})()


def load(target, headers, *rows, dry_run=False, **options):
    result = resource(target, **options).import_data(
        Dataset(*rows, headers=headers), raise_errors=True, dry_run=dry_run
    )
    assert not result.has_validation_errors()
    return result


BULK = [{}, {"use_bulk": True}, {"use_bulk": True, "batch_size": 2}]
ITEM = ("id", "store", "price")


@pytest.fixture
def stores(db):
    one, two = Store.objects.create(name="one"), Store.objects.create(name="two")
    Item.objects.bulk_create(Item(pk=900 + n, store=one, price=5 * n) for n in range(4))
    assert_true()
    return one, two


@pytest.mark.parametrize("options", BULK)
def test_rows_come(stores, options):
    one, two = stores
    load(Item, ITEM, ("", one.pk, 30), ("", two.pk, 40), ("", two.pk, 2), **options)
    assert_true()
    assert Item.objects.count() == 7


@pytest.mark.parametrize("options", BULK)
def test_rows_change(stores, options):
    _, two = stores
    load(Item, ITEM, *((pk, two.pk, pk - 880) for pk in (901, 902, 903)), **options)
    assert_true()
    assert two.items.count() == 3


@pytest.mark.parametrize("options", [*BULK, {"skip_diff": True}, {"skip_unchanged": True}])
@pytest.mark.parametrize("target", [Item, Store])
def test_what_was_exported_comes_back(stores, options, target):
    """The file names the synced fields; what it says of them is not written."""
    _one, two = stores
    exported = resource(target).export()
    Item.objects.filter(pk__lt=902).update(store=two)
    Store.objects.filter(pk=two.pk).update(name="new")

    result = resource(target, **options).import_data(exported, raise_errors=True)
    assert not result.has_validation_errors()
    assert_true()


def delete_all(self, row, instance):
    return True


@pytest.mark.parametrize("options", BULK)
def test_rows_go(stores, options):
    class Gone(resources.ModelResource):
        def for_delete(self, row, instance):
            return True

        class Meta:
            model = Item
            use_bulk = options.get("use_bulk", False)
            batch_size = options.get("batch_size", 1000)

    Gone().import_data(Dataset((901, 1, 1), (903, 1, 1), headers=ITEM), raise_errors=True)
    assert_true()
    assert Item.objects.count() == 2


@pytest.mark.parametrize("options", BULK)
def test_a_rehearsal_leaves_nothing(stores, options):
    one, two = stores
    load(
        Item,
        ITEM,
        ("", two.pk, 30),
        (901, two.pk, 8),
        dry_run=True,
        use_transactions=True,
        **options,
    )
    assert_true()
    assert one.items.count() == Item.objects.count() == 4


def test_a_failed_import_leaves_nothing(stores):
    _one, two = stores
    data = Dataset(("", two.pk, 30), ("", two.pk, "many"), headers=ITEM)
    result = resource(Item, use_transactions=True).import_data(
        data, rollback_on_validation_errors=True
    )
    assert result.has_validation_errors() or result.has_errors()
    assert_true()
    assert Item.objects.count() == 4


def test_a_file_that_names_a_synced_field_alone(stores):
    one, _ = stores
    load(Store, ("id", "name", "item_count"), (one.pk, "renamed", 999), ("", "fresh", 7))
    assert_true()
    load(
        Store,
        ("id", "name", "item_count"),
        (one.pk, "again", 999),
        use_bulk=True,
        fields=("id", "name"),
    )
    assert_true()
    assert Store.objects.get(pk=one.pk).name == "again"


def test_what_the_page_shows(stores):
    shown("django-import-export", globals())
    assert_true()
