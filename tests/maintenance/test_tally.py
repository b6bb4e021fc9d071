"""Tallies count events; nothing in the rows could tell their truth, so the tests count too."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models

from syncfields import Tally, unsynced
from tests.ownmodels import kept, models_of, own_apps, tables
from tests.testapp.models import Login, Profile
from tests.truth import assert_truth
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

User = get_user_model()


@pytest.fixture
def ann():
    user = User.objects.create(username="ann")
    Profile.objects.create(user=user)
    Profile.objects.create(nickname="nobody's")
    return user


def stored(user, name):
    return getattr(Profile.objects.get(user=user), name)


def test_each_save_of_the_user_counts(ann):
    for number in range(1, 4):
        ann.save()
        assert stored(ann, "points") == number * 100
    ann.save(update_fields=["email"])

    assert stored(ann, "points") == 400
    assert_truth()


def test_the_profile_of_a_stale_instance_does_not_take_points_back(ann):
    stale = Profile.objects.get(user=ann)
    ann.save()

    stale.nickname = "new"
    stale.save()

    assert stored(ann, "points") == 100


def test_created_logins_that_succeed_are_counted(ann):
    for succeeded in (True, False, True):
        login = Login.objects.create(user=ann, succeeded=succeeded)
    assert stored(ann, "logins") == 2

    login.save()
    login.delete()

    assert stored(ann, "logins") == 2


def test_the_amount_is_an_expression_over_the_source_row(ann):
    login = Login.objects.create(user=ann, weight=Decimal("1.25"))
    assert stored(ann, "login_weight") == Decimal("2.50")

    login.weight = Decimal(4)
    login.save()

    assert stored(ann, "login_weight") == Decimal("10.50")


def test_an_event_that_is_rolled_back_is_not_counted(ann):
    with rolled_back():
        ann.save()
        Login.objects.create(user=ann)

    assert (stored(ann, "points"), stored(ann, "logins")) == (0, 0)


def test_a_new_row_with_a_given_key_is_created_and_not_saved():
    ann = User.objects.create(username="ann")
    Profile.objects.create(user=ann)

    Login(pk=4711, user=ann, succeeded=True, weight=Decimal(2)).save()

    assert stored(ann, "logins") == 1
    assert stored(ann, "login_weight") == 4


def logins(user, *weights, **values):
    return [Login(user=user, weight=weight, **values) for weight in weights]


def test_rows_really_inserted_are_events(ann):
    taken = Login.objects.create(user=ann)
    given = logins(ann, 5, 7)
    given[0].pk, given[1].pk = taken.pk, taken.pk + 10

    Login.objects.bulk_create(given, ignore_conflicts=True)
    assert (stored(ann, "logins"), stored(ann, "login_weight")) == (2, 2 + 14)
    Login.objects.bulk_create(given, ignore_conflicts=True)
    assert (stored(ann, "logins"), stored(ann, "login_weight")) == (2, 2 + 14)
    Login.objects.bulk_create(logins(ann, 1, 1, 1), ignore_conflicts=True)
    assert (stored(ann, "logins"), stored(ann, "login_weight")) == (5, 16 + 6)
    Login.objects.bulk_create(logins(ann, 3, succeeded=False), ignore_conflicts=True, batch_size=2)

    assert (stored(ann, "logins"), stored(ann, "login_weight")) == (5, 22 + 6)


def test_what_a_fixture_loads_is_no_event(ann):
    Login(user=ann).save_base(raw=True)

    assert stored(ann, "logins") == 0


def test_replaced_rows_are_no_events(ann):
    taken = Login.objects.create(user=ann)
    given = logins(ann, 5, 7, 9)
    given[0].pk, given[1].pk, given[2].pk = taken.pk, taken.pk + 10, str(taken.pk)
    targeted = connection.features.supports_update_conflicts_with_target
    options = {"unique_fields": ["pk"]} if targeted else {}

    for rows in (given[:2], given[1:], logins(ann, 1, 1)):
        Login.objects.bulk_create(rows, update_conflicts=True, update_fields=["weight"], **options)

    assert Login.objects.get(pk=taken.pk).weight == 9
    assert stored(ann, "logins") == 1 + 1 + 2
    assert stored(ann, "login_weight") == 2 + 14 + 4


def test_an_instance_of_a_row_that_was_there_shows_what_the_row_holds(ann):
    ann.save()
    given = Profile(pk=ann.profile.pk, user=ann, nickname="new")

    Profile.objects.bulk_create([given], ignore_conflicts=True)

    assert given.points == stored(ann, "points") == 100


def test_events_where_the_database_does_not_return_the_keys(monkeypatch, ann):
    """MySQL is such a database; rows are then known by their keys or unique columns."""
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    taken = Login.objects.create(user=ann)
    given = logins(ann, 5, 7)
    given[0].pk, given[1].pk = taken.pk, taken.pk + 10

    Login.objects.bulk_create(given, ignore_conflicts=True)

    assert (stored(ann, "logins"), stored(ann, "login_weight")) == (2, 2 + 14)


@pytest.mark.parametrize("returned", [True, False])
@pytest.mark.parametrize("reconcile", [True, False])
@pytest.mark.parametrize("given", [False, True])
def test_what_is_let_pass_is_no_event(monkeypatch, ann, returned, reconcile, given):
    if not returned:
        monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    taken = Login.objects.create(user=ann)
    rows = logins(ann, 5, 7)
    if given:
        rows[0].pk, rows[1].pk = taken.pk, taken.pk + 10

    with unsynced(reconcile=reconcile):
        Login.objects.bulk_create(rows, ignore_conflicts=True)
        Login.objects.bulk_create(logins(ann, 3))
        Login.objects.create(user=ann)

    assert (stored(ann, "logins"), stored(ann, "login_weight")) == (1, 2)


APPS = own_apps("tallies")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "tallies"


class Reader(Own):
    plain = models.IntegerField()
    given = models.IntegerField(default=5)
    unknown = models.IntegerField(null=True)
    saved = models.IntegerField(default=0)


class Visit(Own):
    reader = models.ForeignKey(Reader, models.CASCADE, related_name="visits")


RULES = [
    (Reader, "plain", Tally("visits")),
    (Reader, "given", Tally("visits", on="create")),
    (Reader, "unknown", Tally("visits", on="create")),
    (Reader, "saved", Tally("visits", 10, on="save")),
]


@pytest.fixture(scope="module")
def visited(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)), kept(RULES):
        yield


def test_counting_starts_at_the_default_and_counts_what_it_is_told_to(visited):
    reader = Reader.objects.create()
    assert Reader.objects.values_list("plain", "given", "unknown", "saved").get() == (0, 5, None, 0)

    visit = Visit(pk=7, reader=reader)
    visit.save()
    assert Reader.objects.values_list("given", "saved").get() == (6, 0)
    visit.save()
    visit.save()

    assert Reader.objects.values_list("given", "saved").get() == (6, 20)
