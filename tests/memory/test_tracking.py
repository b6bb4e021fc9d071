"""``tracking="memory"``: whose memory is believed, and of which columns."""

from __future__ import annotations

import copy
import pickle
from contextlib import suppress

import pytest
from django.db import models, transaction
from django.db.models import Count, F, Max, Q, Sum, Value

from syncfields.declare.rules import Declaration
from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables
from tests.testapp.models import Cup, Tray
from tests.truth import assert_truth
from tests.undo import UndoError

pytestmark = pytest.mark.django_db
APPS = own_apps("tracked")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "tracked"


class Shelf(Own):
    n = models.IntegerField(default=0)
    big = models.IntegerField(default=0)


class Code(models.CharField):
    """A field of the user's own: what it stores is known to the database only."""

    def get_prep_value(self, value):
        return None if value is None else value.upper()


class Crate(Own):
    code = Code(max_length=9, primary_key=True)
    n = models.IntegerField(default=0)


class Box(Own):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="boxes")
    crate = models.ForeignKey(Crate, models.CASCADE, null=True, related_name="boxes")
    label = models.CharField(max_length=9, default="")
    size = models.IntegerField(default=0)
    marks = models.JSONField(default=dict)


BIG = Count("boxes", filter=Q(boxes__size__gt=5))
N, BIG_BY_MEMORY = (Declaration(each, tracking="memory") for each in (Count("boxes"), BIG))


COMPUTED = [
    Sum(F("boxes__size") * 2),
    Max(F("boxes__size") * 2, default=0),
    Count("boxes", filter=Q(boxes__label__icontains="x")),
    Sum("boxes__size", filter=Q(boxes__label__icontains="x")),
    Sum(F("boxes__size") * 2, default=0) - Count("boxes"),
]


@pytest.fixture(scope="module", autouse=True)
def made(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def test_a_rule_that_comes_later_and_reads_the_database_is_not_given_memory():
    with kept([(Shelf, "n", N), (Shelf, "big", BIG_BY_MEMORY)]):
        Box(shelf_id=0)  # Its class remembers from now on.

    with kept([(Shelf, "n", N), (Shelf, "big", BIG)]):
        box = Box.objects.create(shelf=Shelf.objects.create(), size=1)
        Box.objects.update(size=9)

        box.save()  # It holds what it was created with.

        assert_kept()


def test_a_column_that_matters_no_longer_is_not_looked_for():
    with kept([(Shelf, "n", N), (Shelf, "big", BIG_BY_MEMORY)]):
        box = Box.objects.create(shelf=Shelf.objects.create(), size=1)

    with kept([(Shelf, "n", N)]):
        box.size = 9
        box.save()

        assert_kept()


@pytest.mark.parametrize("expression", COMPUTED)
def test_what_memory_does_not_say_is_read_before_the_write(expression):
    with kept([(Shelf, "n", Declaration(expression, tracking="memory"))]):
        here, there = Shelf.objects.create(), Shelf.objects.create()
        Box.objects.create(shelf=here, size=3, label="x")
        box = Box.objects.create(shelf=here, size=4, label="ax")

        for edit in ({"size": 5}, {"label": "b"}, {"label": "X"}, {"shelf": there}, {"size": 1}):
            for name, value in edit.items():
                setattr(box, name, value)
            box.save()
            assert_kept()
        box.delete()

        assert_kept()


def test_a_key_that_memory_does_not_say_is_read_before_the_write():
    with kept([(Crate, "n", Declaration(Sum("boxes__size"), tracking="memory"))]):
        shelf = Shelf.objects.create()
        here, there = (Crate.objects.create(code=code) for code in "AB")
        Box.objects.create(shelf=shelf, crate=here, size=3)
        box = Box.objects.get()

        for edit in ({"size": 5}, {"crate": there}, {"size": 1}, {"crate": None}, {"size": 2}):
            for name, value in edit.items():
                setattr(box, name, value)
            box.save()
            assert_kept()
        box.crate_id = "a"
        box.save()

        assert_kept()


def test_one_key_of_two_is_written():
    count, total = (Declaration(each, tracking="memory") for each in (Count("boxes"), BIG))
    with kept([(Crate, "n", count), (Shelf, "big", total)]):
        shelves = [Shelf.objects.create() for _ in range(2)]
        crates = [Crate.objects.create(code=code) for code in "AB"]
        box = Box.objects.create(shelf=shelves[0], crate=crates[0], size=9)

        for name, value in (("crate", crates[1]), ("shelf", shelves[1]), ("size", 1), ("size", 9)):
            setattr(box, name, value)
            box.save()
            assert_kept()


def test_a_value_that_is_changed_in_place_is_another():
    red = Count("boxes", filter=Q(boxes__marks__red=True))
    with kept([(Shelf, "n", Declaration(red, tracking="memory"))]):
        Box.objects.create(shelf=Shelf.objects.create(), marks={"red": False})
        box = Box.objects.get()

        box.marks["red"] = True
        box.save()

        assert_kept()


@pytest.mark.parametrize("given", ["7", Value(7), F("size") + 4, 7.0], ids=str)
def test_what_was_written_in_another_form_is_not_known_as_it_was(given):
    with kept([(Shelf, "n", Declaration(Sum("boxes__size"), tracking="memory"))]):
        box = Box.objects.create(shelf=Shelf.objects.create(), size=3)

        box.size = given
        box.save()
        assert_kept()
        box.size = 1
        box.save()

        assert_kept()


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda cup: pickle.loads(pickle.dumps(cup))])
def test_an_instance_is_copied_while_something_waits_for_commit(twin):
    cup = Cup.objects.create(tray=Tray.objects.create(), volume=3)
    transaction.on_commit(lambda: None)
    cup.volume = 9
    cup.save()

    other = twin(cup)
    other.volume = 4
    other.save()

    assert_truth()


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_what_was_refreshed_in_another_database_where_it_is_rolled_back():
    tray = Tray.objects.using("other").create()
    Cup.objects.using("other").create(tray=tray, volume=3)
    cup = Cup.objects.using("other").get()
    with suppress(UndoError), transaction.atomic(using="other"):
        Cup.objects.using("other").update(volume=9)
        cup.refresh_from_db()
        raise UndoError
    cup.volume = 20

    cup.save()

    assert_truth(using="other")
