"""Copies over to-one paths, copies of copies, expressions over them."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Card, Passport, Profile
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
