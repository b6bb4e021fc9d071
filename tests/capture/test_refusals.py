"""The engine owns its fields: who else writes them is refused, ignored, or says unsynced()."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import connection, models
from django.db.models import Count
from django.test.utils import isolate_apps

from syncfields import SyncedFieldError, unsynced
from syncfields.capture.refusals import keys_of, unmeant
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan import registry
from syncfields.plan.plan import Plan
from tests.menagerie import populate
from tests.statements import sent
from tests.testapp.models import (
    Book,
    Card,
    Category,
    City,
    Comment,
    Country,
    Dish,
    Musician,
    Post,
    Profile,
    Restaurant,
    Shelf,
    Zone,
)
from tests.truth import assert_truth, drifts
from tests.undo import UndoError

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    shelf = Shelf.objects.create()
    Book.objects.create(shelf=shelf, pages=3)
    return shelf


@pytest.mark.parametrize(
    "write",
    [
        lambda shelf: Shelf.objects.update(book_count=7),
        lambda shelf: Shelf.objects.filter(pk=shelf.pk).update(book_count=7, page_sum=1),
        lambda shelf: Shelf.objects.bulk_update([shelf], ["book_count"]),
        lambda shelf: shelf.save(update_fields=["book_count"]),
    ],
    ids=["update", "filtered update", "bulk_update", "save"],
)
def test_an_update_that_names_a_synced_field_is_refused(shelf, write):
    with pytest.raises(SyncedFieldError, match=r"testapp\.Shelf\.book_count.*unsynced\(\)"):
        write(shelf)

    assert_truth()


def test_a_stale_instance_writes_no_synced_field(shelf):
    stale = Shelf.objects.get()
    Book.objects.create(shelf=shelf, pages=4)

    stale.book_count = 99
    stale.save()

    assert_truth()


def test_update_or_create_of_a_target():
    # Django saves by update_fields here, and itself adds each date field of the model to them.
    post = Post.objects.create(title="old")
    Comment.objects.create(post=post)

    Post.objects.update_or_create(pk=post.pk, defaults={"title": "new"})

    assert Post.objects.get().title == "new"
    assert_truth()


def names_of(model, *left_out):
    """The fields of a row, as a package names them that writes all."""
    return [
        field.name
        for field in model._meta.local_concrete_fields
        if not field.primary_key and field.name not in left_out
    ]


SAVES_ALL = {
    "save": lambda row, names: row.save(update_fields=names),
    "by column": lambda row, names: row.save(
        update_fields=[row._meta.get_field(name).attname for name in names]
    ),
    "bulk_update": lambda row, names: type(row).objects.bulk_update([row], names),
    "update_or_create": lambda row, names: type(row).objects.update_or_create(
        pk=row.pk, defaults={name: getattr(row, name) for name in names}
    ),
}


@pytest.mark.parametrize("save", SAVES_ALL.values(), ids=SAVES_ALL)
@pytest.mark.parametrize("inherited", [False, True], ids=["one table", "child table"])
def test_who_names_all_fields_means_no_synced_one(save, inherited):
    if inherited:
        model, own = Restaurant, {"stars": 4}
        row = Restaurant.objects.create(zone=Zone.objects.create(), name="old")
        Dish.objects.create(restaurant=row)
    else:
        model, own = Category, {"name": "new"}
        row = Category.objects.create(name="old", parent=Category.objects.create(name="root"))
        Category.objects.create(parent=row, weight=3)
    names = names_of(model)
    synced = registry.plan().owned[model]
    assert synced.keys() & set(names)
    for name, value in {**dict.fromkeys(synced, 99), **own}.items():
        setattr(row, name, value)

    save(row, names)

    assert model.objects.filter(pk=row.pk, **own).exists()
    assert_truth()


@pytest.mark.parametrize("by", ["manager", "related"])
def test_update_or_create_that_names_all_fields_means_no_synced_one(by):
    country = Country.objects.create(code="x", name="ex")
    values = {"size": 5, "country_name": "wrong"}

    def write(**defaults):
        if by == "related":
            return country.cities.update_or_create(defaults=defaults)[0]
        return City.objects.update_or_create(country=country, defaults=defaults)[0]

    for size in (5, 6):  # It is created, and found.
        city = write(**values | {"size": size})
        assert (city.size, city.country_name) == (size, "ex")
        assert_truth()
    with pytest.raises(SyncedFieldError, match=r"testapp\.City\.country_name"):
        write(country_name="wrong")
    with pytest.raises(SyncedFieldError, match=r"testapp\.City\.country_name"):
        City.objects.update_or_create(size__gt=1, defaults={**values, "size": 7})
    with unsynced():
        write(**values)
    assert City.objects.values_list("country_name", flat=True).get() == "wrong"


def test_an_upsert_that_names_all_fields_means_no_synced_one():
    row = Category.objects.create(name="old")
    Category.objects.create(parent=row)
    unique = ["pk"] if connection.features.supports_update_conflicts_with_target else None

    Category.objects.bulk_create(
        [Category(pk=row.pk, name="new", child_count=99), Category(pk=row.pk + 9)],
        update_conflicts=True,
        update_fields=names_of(Category),
        unique_fields=unique,
    )

    assert Category.objects.filter(pk=row.pk, name="new").exists()
    assert_truth()
    with pytest.raises(SyncedFieldError):
        Category.objects.bulk_create(
            [Category(pk=row.pk)],
            update_conflicts=True,
            update_fields=names_of(Category, "name"),
            unique_fields=unique,
        )


@isolate_apps("tests.testapp")
def test_what_an_upsert_looks_for_need_not_be_named(monkeypatch):
    class Country(models.Model):
        code = models.CharField(max_length=9, unique=True)
        area = models.IntegerField()
        number = models.IntegerField()
        name = models.CharField(max_length=9)
        n = models.IntegerField()

        class Meta:
            app_label = "testapp"
            unique_together = [("area", "number")]

    rule = Rule(Country, "n", Declaration(Count("cities")))
    monkeypatch.setattr(registry, "plan", lambda: Plan(guarded={Country: {"n": rule}}))

    assert unmeant(Country, ["name", "n"], keys_of(Country)) == {"n"}
    with pytest.raises(SyncedFieldError):
        unmeant(Country, ["code", "n"], keys_of(Country))


def test_receivers_are_told_of_the_fields_that_were_written():
    told = []
    row = Category.objects.create(name="old")
    receiver = lambda update_fields, **kwargs: told.append(update_fields)  # noqa: E731
    models.signals.post_save.connect(receiver, Category)
    try:
        row.save(update_fields=names_of(Category))
    finally:
        models.signals.post_save.disconnect(receiver, Category)

    (names,) = told
    assert names
    assert names.isdisjoint(registry.plan().owned[Category])


def test_all_fields_of_a_deferred_instance_are_those_that_are_loaded():
    pk = Category.objects.create(name="old").pk
    row = Category.objects.defer("parent").get(pk=pk)

    row.save(update_fields=names_of(Category, "parent"))

    with pytest.raises(SyncedFieldError):
        Category.objects.get(pk=pk).save(update_fields=names_of(Category, "parent"))


@pytest.mark.parametrize("save", SAVES_ALL.values(), ids=SAVES_ALL)
def test_one_field_that_is_not_named_makes_the_others_meant(save):
    row = Category.objects.create(name="old")

    with pytest.raises(SyncedFieldError):
        save(row, names_of(Category, "name"))

    assert_truth()


@pytest.mark.parametrize("save", SAVES_ALL.values(), ids=SAVES_ALL)
def test_a_synced_field_that_is_not_named_makes_the_others_meant(save):
    """A form does not ask for it, but who writes all that there is writes it, too."""
    row = Category.objects.create(name="root")
    left_out, *_ = registry.plan().owned[Category]

    with pytest.raises(SyncedFieldError):
        save(row, names_of(Category, left_out))

    assert_truth()


@pytest.mark.parametrize("save", SAVES_ALL.values(), ids=SAVES_ALL)
def test_all_synced_fields_are_meant_where_a_model_has_no_others(save, shelf):
    with pytest.raises(SyncedFieldError):
        save(shelf, names_of(Shelf))

    assert_truth()


@pytest.mark.parametrize("model", [Profile, Card])
def test_a_wrong_value_on_insert_is_ignored(model):
    values = {"profile": Profile.objects.create()} if model is Card else {}

    row = model(email="wrong@example.org", **values)
    row.save()

    assert row.email is None
    assert_truth()


def test_unsynced_lets_writes_pass(shelf):
    with unsynced(), sent() as statements:
        Book.objects.create(shelf=shelf, pages=5)
        Shelf.objects.update(book_count=9)
        shelf.page_sum = 8
        shelf.save(update_fields=["page_sum"])

    assert len(statements) == 3
    stored = Shelf.objects.get()
    assert (stored.book_count, stored.page_sum) == (9, 8)
    Book.objects.create(shelf=shelf, pages=1)
    stored.refresh_from_db()
    assert (stored.book_count, stored.page_sum) == (10, 9)


def test_unsynced_with_reconcile_repairs_what_was_touched(shelf):
    untouched = Shelf.objects.create()
    with unsynced():
        Book.objects.create(shelf=untouched)

    with unsynced(reconcile=True):
        book = Book.objects.create(shelf=shelf, pages=5)
        book.pages = 6
        book.save()
        Shelf.objects.filter(pk=shelf.pk).update(book_count=9)
    assert len(drifts(Shelf)) == 1

    with unsynced(reconcile=True):
        Book.objects.filter(shelf=untouched).update(pages=8)
        assert drifts(Shelf)
    assert_truth()


def test_unsynced_is_left_by_an_exception(shelf):
    with suppress(UndoError), unsynced(reconcile=True):
        Book.objects.create(shelf=shelf, pages=5)
        raise UndoError
    assert_truth()

    Book.objects.create(shelf=shelf, pages=5)

    assert_truth()


def test_unsynced_as_decorator_and_nested(shelf):
    @unsynced()
    def load():
        Book.objects.create(shelf=shelf, pages=5)

    with unsynced(reconcile=True):
        load()
        with unsynced():
            Book.objects.create(shelf=shelf, pages=7)
        assert drifts(Shelf)

    assert_truth()


def test_unsynced_with_reconcile_around_everything():
    with unsynced(reconcile=True):
        populate()

    assert_truth()


def test_unsynced_with_reconcile_and_the_far_end_of_many_to_many():
    one, two = (Musician.objects.create(fame=fame) for fame in (1, 2))
    one.friends.add(two)

    with unsynced(reconcile=True):
        two.fame = 5
        two.save()

    assert Musician.objects.get(pk=one.pk).friends_fame == 5
    assert_truth()
