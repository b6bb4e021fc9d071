"""What becomes of the rows that refer to a deleted one, along every relation."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import RestrictedError

from tests.menagerie import populate
from tests.statements import number_of_statements
from tests.testapp import models as zoo
from tests.truth import TRUTHS, assert_truth, drifts
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

User = get_user_model()

# Cascades ----------------------------------------------------------------------------------------


def test_cascades_from_every_model():
    populate()
    failed = []

    # These have their own tests: some deletes are refused.
    for model in TRUTHS.keys() - {zoo.Keeper, zoo.DefaultDepot, zoo.DefaultTruck}:
        with rolled_back():
            models.QuerySet(model).order_by("pk")[0].delete()
            failed += [(model.__name__, line) for line in drifts()]

    assert failed == []


def test_a_cascade_that_is_a_diamond_counts_once():
    """A user goes with profile and passport, the profile with its cards, the logins as well."""
    users = [User.objects.create(username=name) for name in ("ann", "bob")]
    for user in users:
        zoo.Card.objects.create(profile=zoo.Profile.objects.create(user=user))
        zoo.Passport.objects.create(holder=user)
        zoo.Badge.objects.create(holder=user)
    clubs = [zoo.Club.objects.create() for _ in range(3)]
    for home in clubs:
        for away in (*clubs, None):
            zoo.Match.objects.create(home=home, away=away, home_goals=2, away_goals=3)

    users[0].delete()
    assert_truth()
    zoo.Club.objects.filter(pk__in=[clubs[0].pk, clubs[2].pk]).delete()

    assert zoo.Match.objects.count() == 2
    assert_truth()


def blog_of(size):
    blog = zoo.Blog.objects.create()
    post = zoo.Post.objects.create(blog=blog)
    comments = zoo.Comment.objects.bulk_create(zoo.Comment(post=post) for _ in range(size))
    zoo.Reaction.objects.bulk_create(zoo.Reaction(comment=each) for each in comments)
    return blog


def club_of(size):
    club, other = zoo.Club.objects.create(), zoo.Club.objects.create()
    zoo.Match.objects.bulk_create(zoo.Match(home=club, away=other) for _ in range(size))
    zoo.Transfer.objects.bulk_create(zoo.Transfer(club=club, fee=2) for _ in range(size))
    return club


def country_of(size):
    country = zoo.Country.objects.create(code=f"c{size}")
    cities = zoo.City.objects.bulk_create(zoo.City(country=country) for _ in range(size))
    zoo.Parcel.objects.bulk_create(zoo.Parcel(city=each) for each in cities)
    return country


def farm_of(size):
    farm, market = zoo.Farm.objects.create(), zoo.Market.objects.create()
    silo = zoo.Silo.objects.create(farm=farm)
    zoo.Grain.objects.bulk_create(zoo.Grain(silo=silo, market=market) for _ in range(size))
    return farm


@pytest.mark.parametrize("parent_of", [blog_of, club_of, country_of, farm_of])
def test_no_query_for_each_doomed_child(parent_of):
    few, many = parent_of(2), parent_of(60)

    assert number_of_statements(many.delete) == number_of_statements(few.delete)

    assert_truth()


# Keys that are set to something else, by Django or by the database -------------------------------

KEYS = ("owner", "sitter", "vet", "breeder", "insurer")


@pytest.fixture
def keepers():
    keepers = [zoo.Keeper.objects.create(name=name) for name in (zoo.HOME, "north", "south")]
    for key in KEYS:
        for keeper in (*keepers, None):
            zoo.Pet.objects.create(**{"sitter": None, key: keeper})
    return keepers


@pytest.mark.parametrize("many", [True, False])
def test_keys_set_to_null_a_default_a_function_or_left_alone(keepers, many):
    """SET_NULL, SET_DEFAULT, SET() and DO_NOTHING at once, for one keeper and for two."""
    zoo.Pet.objects.exclude(insurer=None).delete()

    if many:
        zoo.Keeper.objects.exclude(name=zoo.HOME).delete()
    else:
        keepers[1].delete()

    assert zoo.Keeper.objects.get(name=zoo.HOME).spare_count == (3 if many else 2)
    assert zoo.Keeper.objects.get(name=zoo.HOME).visited_count == (3 if many else 2)
    assert_truth()


def test_restricted_deletes_change_nothing(keepers):
    with pytest.raises(RestrictedError):
        keepers[1].delete()

    assert zoo.Keeper.objects.count() == 3
    assert_truth()


@pytest.fixture
def grains():
    """Of Django 6.1's DB_CASCADE, DB_SET_NULL and DB_SET_DEFAULT; before it, their elders."""
    labels = [zoo.Label.objects.create(pk=pk, name=f"label {pk}") for pk in (1, 2)]
    markets = [zoo.Market.objects.create() for _ in range(2)]
    for _ in range(2):
        silo = zoo.Silo.objects.create(farm=zoo.Farm.objects.create())
        for weight, (market, label) in enumerate(
            (market, label) for market in (*markets, None) for label in (*labels, None)
        ):
            zoo.Grain.objects.create(silo=silo, market=market, label=label, weight=weight)
    for label in labels:
        zoo.Seal.objects.create(label=label)
    assert_truth()


@pytest.mark.parametrize("model", [zoo.Farm, zoo.Silo, zoo.Grain, zoo.Market, zoo.Label])
@pytest.mark.parametrize("many", [True, False])
def test_rows_and_keys_that_the_database_takes_along(grains, model, many):
    last = model.objects.order_by("-pk").first()

    if many:
        model.objects.filter(pk=last.pk).delete()
    else:
        last.delete()

    assert_truth()


def test_all_rows_that_the_database_takes_along(grains):
    zoo.Market.objects.all().delete()
    assert_truth()
    zoo.Farm.objects.all().delete()

    assert not zoo.Grain.objects.exists()
    assert_truth()


@pytest.mark.parametrize("kind", ["Null", "Default"])
@pytest.mark.parametrize("part", ["Depot", "Truck", "Crate"])
@pytest.mark.parametrize("many", [True, False])
def test_keys_that_the_database_changes_in_the_middle_of_a_path(kind, part, many):
    depot, truck, crate = (getattr(zoo, kind + each) for each in ("Depot", "Truck", "Crate"))
    depots = [depot.objects.create(pk=pk, name=f"depot {pk}") for pk in (1, 2, 3)]
    trucks = [truck.objects.create(pk=pk, depot=depots[pk % 3]) for pk in (1, 2, 3, 4)]
    for weight in range(8):
        crate.objects.create(truck=trucks[weight % 4], weight=weight)
    assert_truth()
    chosen = getattr(zoo, kind + part).objects.filter(pk__gt=1)
    number = crate.objects.count() - (part == "Crate") * (chosen.count() if many else 1)

    if many:
        chosen.delete()
    else:
        chosen.last().delete()

    assert crate.objects.count() == number
    assert_truth()


# Generic relations -------------------------------------------------------------------------------


# Another database --------------------------------------------------------------------------------
