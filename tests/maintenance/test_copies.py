"""Copies over to-one paths, copies of copies, expressions over them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.models import F

from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Card, Customer, Gadget, Licence, Maker, Order, Passport, Profile
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()


def make_user(name, **values):
    return User.objects.create(username=name, email=f"{name}@example.org", **values)


@pytest.fixture
def ann():
    return make_user("ann", first_name="Ann")


@pytest.fixture
def profile(ann):
    return Profile.objects.create(user=ann, nickname="nan")


def test_a_changed_email_reaches_all_in_one_update_for_each_model():
    country = zoo.Country.objects.create(code="aa", name="old")
    for _ in range(3):
        zoo.City.objects.create(country=country)

    country.name = "new"
    with sent() as statements:
        country.save()

    assert statements.updates(zoo.City) == 1
    assert set(zoo.City.objects.values_list("country_name", flat=True)) == {"new"}
    assert_truth()


@pytest.mark.parametrize(
    "edit",
    [
        {"email": "new@example.org"},
        {"username": "new"},
        {"first_name": "New", "is_active": False},
        {"email": "", "first_name": ""},
    ],
    ids="-".join,
)
def test_copies_follow_the_user(ann, profile, edit):
    Card.objects.create(profile=profile)
    Passport.objects.create(holder=ann)
    assert_truth()

    for name, value in edit.items():
        setattr(ann, name, value)
    ann.save()

    assert_truth()
    ann.save(update_fields=list(edit))
    assert_truth()


def test_copies_follow_a_key_that_is_switched_and_emptied(profile):
    Card.objects.create(profile=profile)

    for user in (make_user("bob"), None, make_user("cem", is_active=False)):
        profile.user = user
        profile.save()
        assert_truth()


@pytest.mark.parametrize("model", [Profile, Passport])
def test_a_value_given_to_a_copy_is_not_taken(ann, model):
    relation = "user" if model is Profile else "holder"

    row = model.objects.create(**{relation: ann}, email="wrong@example.org")

    assert row.email == "ann@example.org"
    assert model.objects.get().email == "ann@example.org"
    assert_truth()


def test_a_copy_of_no_row():
    profile = Profile.objects.create(email="wrong@example.org", display_name="wrong")

    assert (profile.email, profile.display_name, profile.standing) == (None, "nobody", "away")
    assert_truth()


def test_a_copy_of_a_copy_follows(ann, profile):
    card = Card.objects.create(profile=profile, email="wrong@example.org")
    assert card.email == "ann@example.org"
    other = Profile.objects.create(user=make_user("bob"), nickname="bobby")

    card.profile = other
    card.save()
    assert_truth()
    other.nickname = "robert"
    other.save()
    assert_truth()
    profile.user = None
    profile.save()
    assert_truth()
    card.kind = "post"
    card.save()

    card.refresh_from_db()
    assert card.line == "post: ROBERT"
    assert_truth()


def test_a_copy_over_two_hops_goes_with_its_source(profile):
    Card.objects.create(profile=profile)
    assert Card.objects.get().username == "ann"
    profile.user.delete()

    assert not Card.objects.exists()
    assert_truth()


def test_a_copy_over_a_composite_key():
    team = zoo.Team.objects.create(name="reds")
    zoo.Seat.objects.create(team=team, number=1, team_name="wrong")
    assert_truth()

    team.name = "blues"
    team.save()

    assert zoo.Seat.objects.get().team_name == "blues"
    assert_truth()


def test_a_copy_from_the_parent_table_of_a_source():
    restaurant = zoo.Restaurant.objects.create(name="old")
    zoo.Dish.objects.create(restaurant=restaurant)
    assert_truth()

    place = zoo.Place.objects.get()
    place.name = "new"
    place.save()

    assert zoo.Dish.objects.get().place_name == "new"
    assert_truth()


def test_a_registered_rule_on_a_model_of_an_installed_package(ann):
    badge = zoo.Badge.objects.create(holder=ann)
    assert User.objects.get().is_staff
    assert_truth()
    other = make_user("bob")

    badge.holder = other
    badge.save()
    assert_truth()
    badge.revoked = True
    badge.save()
    assert_truth()
    badge.delete()

    assert_truth()


@pytest.fixture
def makers():
    return [
        Maker.objects.create(name=f"maker {year}", founded=dt.date(year, 1, 1))
        for year in (1990, 2000)
    ]


@pytest.mark.parametrize("options", [{}, {"ignore_conflicts": True}])
def test_bulk_create_of_copies_into_unique_fields_and_fields_without_placeholder(makers, options):
    Licence.objects.bulk_create([Licence(maker=each) for each in makers], **options)

    assert set(Licence.objects.values_list("name", flat=True)) == {"maker 1990", "maker 2000"}
    assert_truth()


def test_a_copy_with_a_transform_of_its_own_column(makers):
    gadget = Gadget.objects.create(maker=makers[0], made=dt.date(2021, 6, 1))
    assert Gadget.objects.get().years == 31
    Gadget.objects.bulk_create(
        Gadget(maker=each, made=dt.date(2024, 6, 1)) for each in makers for _ in range(2)
    )
    assert_truth()

    gadget.made = dt.date(2010, 1, 1)
    gadget.save()
    assert Gadget.objects.get(pk=gadget.pk).years == 20
    Gadget.objects.update(made=dt.date(2011, 1, 1))
    Maker.objects.update(founded=dt.date(2011, 1, 1))

    assert set(Gadget.objects.values_list("years", flat=True)) == {0}
    assert_truth()


@pytest.mark.parametrize(("old", "new"), [(1, True), (True, 1), (0, False), (1, 1.0)])
def test_json_values_that_are_equal_to_python_only(makers, old, new):
    maker = makers[0]
    maker.specs = {"size": [old]}
    maker.save()
    Gadget.objects.create(maker=maker)
    assert_truth()

    maker.specs = {"size": [new]}
    maker.save()

    assert type(Gadget.objects.get().specs["size"][0]) is type(
        Maker.objects.get(pk=maker.pk).specs["size"][0]
    )
    assert_truth()


def test_the_user_model_is_neither_edited_nor_named():
    """The user is a source (Profile, Passport), a target (of Badge), and of another package."""
    users = User.objects.bulk_create(
        User(pk=pk, username=f"u{pk}", email=f"{pk}@example.org", is_active=pk != 2)
        for pk in (1, 2, 3)
    )
    for user in users:
        zoo.Card.objects.create(profile=zoo.Profile.objects.create(user=user))
        zoo.Passport.objects.create(holder=user)
    zoo.Badge.objects.bulk_create(zoo.Badge(holder=user, revoked=user.pk == 1) for user in users)
    assert_truth()
    User.objects.filter(pk__in=[1, 2]).update(email="new@example.org", is_active=True)
    assert_truth()
    users[2].first_name, users[2].username = "Ann", "ann"
    User.objects.bulk_update(users, ["first_name", "username"])
    assert_truth()
    zoo.Badge.objects.update(revoked=True)
    assert_truth()
    User.objects.filter(pk=3).delete()

    assert_truth()


@pytest.mark.skipif(
    not connection.features.can_defer_constraint_checks, reason="A key is checked at once."
)
@pytest.mark.parametrize("way", ["save", "update"])
def test_a_source_that_takes_another_key_leaves_those_that_named_the_old_one(way):
    customer = Customer.objects.create(code="a")
    Order.objects.create(customer=customer)

    if way == "save":
        customer.code = "z"
        customer.save()
    else:
        Customer.objects.update(code="z")

    assert_truth()
    assert Order.objects.values_list("customer_id_copy", flat=True).get() is None
    Order.objects.update(customer_id="z")
    assert_truth()


APPS = own_apps("copies")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "copies"


class Firm(Own):
    code = models.IntegerField(unique=True)
    rank = models.IntegerField(default=1)


class Bill(Own):
    buyer = models.ForeignKey(
        Firm,
        models.DO_NOTHING,
        to_field="code",
        null=True,
        db_constraint=False,
        related_name="bought",
    )
    payer = models.ForeignKey(Firm, models.CASCADE, related_name="paid")
    ranks = models.IntegerField(null=True)


@pytest.fixture(scope="module")
def bills(django_db_setup, django_db_blocker):
    rule = Bill, "ranks", F("buyer__rank") + F("payer__rank")
    with tables(django_db_blocker, models_of(APPS)), kept([rule]):
        yield


@pytest.mark.parametrize("way", ["save", "update"])
def test_a_source_by_two_keys_takes_another_one(bills, way):
    buyer, payer = Firm.objects.create(code=1), Firm.objects.create(code=5)
    Bill.objects.create(buyer=buyer, payer=payer)
    assert_kept()

    if way == "save":
        buyer.code, buyer.rank = 2, 3
        buyer.save()
    else:
        Firm.objects.filter(code=1).update(code=2, rank=3)

    assert Bill.objects.get().ranks is None
    assert_kept()
