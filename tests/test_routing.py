"""A replica that is read and never written: drift is found and repaired where writes go."""

from __future__ import annotations

import pytest
from django.db.models import F

from syncfields import reconcile, unsynced
from syncfields.testing import assert_in_sync
from tests.statements import sent
from tests.testapp.models import Book, Cup, Place, Restaurant, Review, Shelf, Tray, Zone

pytestmark = pytest.mark.django_db(databases=["default", "other"])


class Replica:
    """Reads go to the other database."""

    def db_for_read(self, model, **hints):
        return "other"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, one, other, **hints):
        return True


@pytest.fixture(autouse=True)
def replicated(settings):
    settings.DATABASE_ROUTERS = [Replica()]


@pytest.fixture
def shelf():
    """The same row in both databases, and one book of which neither says anything."""
    with unsynced():
        for using in ("other", "default"):
            shelf = Shelf.objects.using(using).create(pk=1)
            Book.objects.using(using).create(shelf=shelf, pages=3)
    return shelf


def stored(model=Shelf, name="book_count"):
    return tuple(
        model.objects.using(using).values_list(name, flat=True).get()
        for using in ("default", "other")
    )


@pytest.mark.parametrize(
    ("selection", "using"),
    [
        (Shelf.objects.all, None),
        (lambda: Shelf.objects.filter(books__pages=3), None),
        (lambda: Shelf.objects.order_by("pk")[:1], None),
        (lambda: Shelf, None),
        (lambda: "testapp.Shelf", None),
        (lambda: Shelf.objects.using("other"), "default"),
    ],
    ids=["queryset", "joined", "slice", "model", "label", "using"],
)
def test_what_is_repaired_is_the_database_that_is_written(shelf, selection, using):
    with sent("other") as statements:
        report = reconcile(selection(), using=using)

    assert report.repaired == 2
    assert stored() == (1, 0)
    assert statements == []


@pytest.mark.parametrize(
    ("selection", "using"),
    [
        (lambda: Shelf.objects.using("other"), None),
        (lambda: Shelf.objects.using("other").filter(books__pages=3), None),
        (lambda: Shelf, "other"),
        (Shelf.objects.all, "other"),
    ],
    ids=["queryset", "joined", "model", "using"],
)
def test_what_is_named_is_repaired(shelf, selection, using):
    with sent("default") as statements:
        assert reconcile(selection(), using=using).repaired == 2

    assert stored() == (0, 1)
    assert statements == []


def test_two_querysets_of_two_databases(shelf):
    report = reconcile(Shelf.objects.all(), Shelf.objects.using("other"))

    assert report.repaired == 4
    assert stored() == (1, 1)


def test_assert_in_sync_looks_where_writes_go(shelf):
    reconcile(using="default")
    assert_in_sync()
    assert_in_sync(Shelf.objects.all())

    with pytest.raises(AssertionError, match=r"Shelf\.book_count: 1 of 1 row"):
        assert_in_sync(Shelf.objects.using("other"))


def test_a_queryset_reconciles_itself_where_it_is_written():
    with unsynced():
        for using in ("other", "default"):
            tray = Tray.objects.using(using).create(pk=1)
            Cup.objects.using(using).create(tray=tray)

    assert Tray.objects.filter(pk=1).reconcile().repaired == 1

    assert stored(Tray, "cup_count") == (1, 0)


def test_what_was_touched_in_a_block_is_put_right_where_it_was_written(shelf):
    with unsynced(reconcile=True):
        Shelf.objects.filter(pk=shelf.pk).update(book_count=9, page_sum=F("page_sum") + 9)
        assert stored() == (9, 0)

    assert stored() == (1, 0)
    assert stored(name="page_sum") == (3, 0)
    with unsynced(reconcile=True):
        Book.objects.filter(pages=3).update(pages=5)
        Book.objects.create(shelf_id=shelf.pk, pages=7)
        Book.objects.bulk_create([Book(shelf_id=shelf.pk, pages=8)])
        Book.objects.get_or_create(shelf_id=shelf.pk, pages=9)
        Book.objects.filter(pages=7).delete()

    assert stored(name="page_sum") == (5 + 8 + 9, 0)


def test_the_parents_of_the_rows_of_a_queryset_are_its_rows():
    zone = Zone.objects.create()
    for name in ("inn", "bar"):
        place = Restaurant.objects.create(zone=zone, name=name)
        Review.objects.create(place=place, grade=3)
    with unsynced():
        Place.objects.update(review_count=7)

    report = reconcile(Restaurant.objects.filter(name="inn"))

    assert {each.scanned for each in report.rules} == {1}
    values = Place.objects.using("default").order_by("pk").values_list("review_count", flat=True)
    assert list(values) == [1, 7]
