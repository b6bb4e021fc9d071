"""Deletes along every relation, and unusual relations."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import RestrictedError

from tests.menagerie import populate
from tests.statements import sent
from tests.testapp import models as zoo
from tests.truth import TRUTHS, assert_truth, drifts
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

User = get_user_model()


def number_of_statements(write):
    with sent() as statements:
        write()
    return len(statements)


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


# Many to many ------------------------------------------------------------------------------------


@pytest.fixture
def tracks():
    return [zoo.Track.objects.create(minutes=minutes) for minutes in (5, 10, 20)]


@pytest.fixture
def playlists(tracks):
    playlists = [zoo.Playlist.objects.create() for _ in range(3)]
    playlists[0].tracks.set(tracks)
    playlists[1].tracks.set(tracks[:1])
    return playlists


LINKS = {
    "add": lambda p, t: p[2].tracks.add(t[0], t[2].pk),
    "add an existing link": lambda p, t: p[0].tracks.add(*t),
    "add from the far side": lambda p, t: t[1].playlists.add(*p),
    "create": lambda p, t: p[1].tracks.create(minutes=30),
    "create from the far side": lambda p, t: t[1].playlists.create(),
    "remove": lambda p, t: p[0].tracks.remove(t[2]),
    "remove what is not there": lambda p, t: p[1].tracks.remove(t[2]),
    "remove from the far side": lambda p, t: t[0].playlists.remove(*p),
    "set": lambda p, t: p[1].tracks.set(t[1:]),
    "set anew": lambda p, t: p[0].tracks.set(t[:2], clear=True),
    "set from the far side": lambda p, t: t[0].playlists.set([p[2]]),
    "clear": lambda p, t: p[0].tracks.clear(),
    "clear from the far side": lambda p, t: t[0].playlists.clear(),
    "get or create": lambda p, t: p[1].tracks.get_or_create(minutes=40),
    "through: create": lambda p, t: link_model().objects.create(playlist=p[2], track=t[1]),
    "through: bulk_create": lambda p, t: link_model().objects.bulk_create(
        [link_model()(playlist=p[2], track=each) for each in t]
    ),
    "through: update": lambda p, t: link_model().objects.filter(playlist=p[1]).update(track=t[2]),
    "through: save": lambda p, t: moved(link_model().objects.get(playlist=p[1]), playlist=p[2]),
    "through: delete": lambda p, t: link_model().objects.filter(track=t[0]).delete(),
    "through: delete one": lambda p, t: link_model().objects.get(playlist=p[1]).delete(),
    "the far end is deleted": lambda p, t: t[2].delete(),
    "the near end is deleted": lambda p, t: p[0].delete(),
    "the far end changes": lambda p, t: moved(t[0], minutes=50),
    "the far ends change": lambda p, t: zoo.Track.objects.update(minutes=11),
}


def link_model():
    return zoo.Playlist.tracks.through


def moved(row, **values):
    vars(row).update({row._meta.get_field(name).attname: key(v) for name, v in values.items()})
    row.save()


def key(value):
    return getattr(value, "pk", value)


@pytest.mark.parametrize("name", LINKS)
def test_many_to_many_is_kept_from_both_sides_and_between(tracks, playlists, name):
    LINKS[name](playlists, tracks)

    assert_truth()


@pytest.fixture
def musicians():
    return [zoo.Musician.objects.create(fame=fame) for fame in (1, 2, 4, 8)]


def test_a_symmetrical_many_to_many(musicians):
    ann, bob, cem, dan = musicians
    ann.friends.add(bob, cem)
    assert_truth()
    dan.friends.set([ann, cem])
    assert_truth()
    ann.friends.add(ann)
    assert_truth()
    bob.friends.remove(ann)
    assert_truth()
    moved(cem, fame=16)
    assert_truth()
    cem.friends.clear()
    assert_truth()
    ann.delete()

    assert_truth()


def test_a_many_to_many_with_a_through_model_of_its_own(musicians):
    band, other = zoo.Band.objects.create(), zoo.Band.objects.create()
    band.members.add(*musicians[:2], through_defaults={"active": False})
    assert_truth()
    band.members.add(musicians[2])
    band.members.create(fame=9, through_defaults={"active": True})
    assert_truth()
    musicians[0].bands.set([band, other], through_defaults={"active": True})
    assert_truth()
    zoo.Membership.objects.filter(band=band).update(active=True)
    assert_truth()
    zoo.Membership.objects.bulk_create(
        zoo.Membership(band=other, musician=each, active=each.fame > 1) for each in musicians
    )
    assert_truth()
    moved(zoo.Membership.objects.filter(band=band).first(), band=other)
    assert_truth()
    band.members.remove(musicians[2])
    assert_truth()
    musicians[3].delete()
    assert_truth()
    other.members.clear()

    assert_truth()


def test_statements_do_not_grow_with_the_links(tracks):
    few, many = zoo.Playlist.objects.create(), zoo.Playlist.objects.create()
    more = [zoo.Track.objects.create(minutes=3) for _ in range(40)]

    assert number_of_statements(lambda: many.tracks.add(*more)) == number_of_statements(
        lambda: few.tracks.add(*tracks[:2])
    )

    assert number_of_statements(many.tracks.clear) == number_of_statements(few.tracks.clear)
    assert_truth()


def test_one_update_for_each_end(tracks):
    """Beside the INSERT: for each end one SELECT of what the links add, and the UPDATEs."""
    playlist = zoo.Playlist.objects.create()

    with sent() as statements:
        playlist.tracks.add(*tracks[:2])
    with sent() as again:
        playlist.tracks.add(*tracks[:2])

    assert (statements.updates(zoo.Playlist), statements.updates(zoo.Track)) == (1, 1)
    assert len(again) <= 5
    assert again.updates(zoo.Playlist) == again.updates(zoo.Track) == 0
    assert_truth()


@pytest.mark.django_db(transaction=True)
def test_the_same_link_is_added_by_several_at_once():
    playlist = zoo.Playlist.objects.create()
    tracks = [zoo.Track.objects.create(minutes=minutes) for minutes in (1, 2, 4)]
    start = threading.Barrier(4)

    def add(_):
        start.wait()
        try:
            for track in tracks:
                playlist.tracks.add(track)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))

    assert zoo.Playlist.objects.get().track_count == 3
    assert_truth()


# Generic relations -------------------------------------------------------------------------------


@pytest.fixture
def tagged():
    """A photo and a clip, with the same key, and each with tags."""
    photo, clip = zoo.Photo(pk=7, album=zoo.Album.objects.create()), zoo.Clip(pk=7)
    for target in (photo, clip):
        target.save()
        for weight in (1, 4):
            zoo.Tag.objects.create(content_object=target, weight=weight)
    zoo.Tag.objects.create()
    return photo, clip


def retag(source, target):
    tag = source.tags.last() if source else zoo.Tag.objects.get(content_type=None)
    tag.content_object = target
    tag.save()


TAGS = {
    "created by the relation": lambda photo, clip: photo.tags.create(weight=9),
    "moved to another row": lambda photo, clip: retag(photo, zoo.Photo.objects.create()),
    "moved to another type with the same key": retag,
    "set to NULL": lambda photo, clip: retag(photo, None),
    "from NULL": lambda photo, clip: retag(None, clip),
    "only the type changes": lambda photo, clip: photo.tags.update(content_type=type_of(clip)),
    "updated": lambda photo, clip: zoo.Tag.objects.update(weight=5, object_id=7),
    "bulk_created": lambda photo, clip: zoo.Tag.objects.bulk_create(
        zoo.Tag(content_object=each, weight=8) for each in (photo, clip, clip)
    ),
    "added": lambda photo, clip: photo.tags.add(*clip.tags.all()),
    "added and saved": lambda photo, clip: photo.tags.add(*clip.tags.all(), bulk=False),
    "set": lambda photo, clip: photo.tags.set(clip.tags.all()[:1]),
    "removed": lambda photo, clip: photo.tags.remove(photo.tags.first()),
    "cleared": lambda photo, clip: photo.tags.clear(),
    "deleted": lambda photo, clip: zoo.Tag.objects.filter(weight=4).delete(),
    "the parent is deleted": lambda photo, clip: photo.delete(),
    "the parents are deleted": lambda photo, clip: zoo.Photo.objects.all().delete(),
    "the photo changes its album": lambda photo, clip: moved(
        photo, album=zoo.Album.objects.create()
    ),
}


def type_of(row):
    return ContentType.objects.get_for_model(row)


@pytest.mark.parametrize("name", TAGS)
def test_generic_relations_are_kept(tagged, name):
    TAGS[name](*tagged)

    assert_truth()


@pytest.mark.parametrize(
    ("target", "tag", "keys"),
    [
        (zoo.Document, zoo.DocumentTag, [uuid.UUID(int=1), uuid.UUID(int=2)]),
        (zoo.Page, zoo.TextTag, ["7", "start"]),
    ],
)
def test_generic_relations_by_keys_that_are_uuids_or_text(target, tag, keys):
    here, there = (target.objects.create(pk=key) for key in keys)
    rows = [tag.objects.create(content_object=here) for _ in range(3)]
    assert_truth()
    rows[0].content_object = there
    rows[0].save()
    assert_truth()
    there.tags.add(rows[1])
    tag.objects.bulk_create([tag(content_object=there)])
    assert_truth()
    tag.objects.filter(pk=rows[2].pk).update(object_id=there.pk)
    assert_truth()
    there.delete()

    assert not tag.objects.exists()
    assert_truth()


# Inheritance, and the user model -----------------------------------------------------------------


@pytest.fixture
def restaurants():
    zones = [zoo.Zone.objects.create() for _ in range(2)]
    for zone in (*zones, None):
        for stars in (1, 3):
            row = zoo.Restaurant.objects.create(zone=zone, stars=stars, name=f"{stars}")
            zoo.Review.objects.create(place=row, grade=stars)
            zoo.Dish.objects.create(restaurant=row)
        zoo.Place.objects.create(zone=zone)
    return zones


RESTAURANTS = {
    "update the child's column": lambda zones: zoo.Restaurant.objects.update(stars=5),
    "update the parent's column": lambda zones: zoo.Restaurant.objects.update(zone=zones[0]),
    "update both": lambda zones: zoo.Restaurant.objects.filter(stars=3).update(
        stars=4, name="new", zone=zones[1]
    ),
    "update through the parent": lambda zones: zoo.Place.objects.update(zone=None, name="new"),
    "related manager": lambda zones: zones[0].places.set(zones[1].places.all()),
    "delete through the child": lambda zones: zoo.Restaurant.objects.filter(stars=3).delete(),
    "delete through the parent": lambda zones: zoo.Place.objects.filter(zone=zones[0]).delete(),
    "delete the zone": lambda zones: zones[0].delete(),
    "keep the parents": lambda zones: zoo.Restaurant.objects.first().delete(keep_parents=True),
    "child added to a parent": lambda zones: zoo.Restaurant(
        place_ptr=zoo.Place.objects.last(), stars=9
    ).save_base(raw=True),
    "bulk_update of the child": lambda zones: zoo.Restaurant.objects.bulk_update(
        [zoo.Restaurant(pk=each.pk, stars=8) for each in zoo.Restaurant.objects.all()], ["stars"]
    ),
    "bulk_create of reviews": lambda zones: zoo.Review.objects.bulk_create(
        zoo.Review(place=each, grade=9) for each in zoo.Place.objects.all()
    ),
}


@pytest.mark.parametrize("name", RESTAURANTS)
def test_multi_table_inheritance_is_kept_from_parent_and_child(restaurants, name):
    RESTAURANTS[name](restaurants)

    assert_truth()


def test_writes_of_proxies_are_writes_of_their_model():
    blog = zoo.BlogProxy.objects.create()
    post = zoo.Post.objects.create(blog=blog)
    zoo.PublicComment.objects.bulk_create(
        zoo.PublicComment(post=post, is_public=public, score=4) for public in (True, False)
    )
    assert_truth()
    zoo.PublicComment.objects.update(score=5)
    assert_truth()
    zoo.BlogProxy.objects.bulk_create([zoo.BlogProxy(name="other", post_count=9)])
    zoo.PublicComment.objects.all().delete()
    assert_truth()
    zoo.BlogProxy.objects.all().delete()

    assert_truth()


@pytest.mark.parametrize(
    ("target", "entry", "name"),
    [(zoo.Folder, zoo.FolderEntry, "folder"), (zoo.Box, zoo.BoxEntry, "box")],
)
def test_rules_of_abstract_bases_are_inherited(target, entry, name):
    one, two = target.objects.create(), target.objects.create()

    entry.objects.bulk_create(entry(**{name: one}, size=size) for size in (1, 2, 3))
    assert_truth()
    entry.objects.filter(size__gt=1).update(**{name: two})
    assert_truth()
    entry.objects.filter(size=3).delete()

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


# Another database --------------------------------------------------------------------------------


class BooksElsewhere:
    """Shelves, books and publishers live in the other database."""

    def db_for_read(self, model, **hints):
        return "other" if model in (zoo.Shelf, zoo.Book, zoo.Publisher) else None

    db_for_write = db_for_read


@pytest.mark.django_db(databases=["default", "other"])
@pytest.mark.parametrize("routed", [True, False])
def test_bulk_writes_follow_routers_and_using(settings, routed):
    if routed:
        settings.DATABASE_ROUTERS = [BooksElsewhere()]
    shelves, books = (
        model.objects if routed else model.objects.using("other") for model in (zoo.Shelf, zoo.Book)
    )

    with sent("default") as statements:
        one, two = (shelves.create() for _ in range(2))
        books.bulk_create(zoo.Book(shelf=one, pages=pages) for pages in (1, 2, 3))
        books.filter(pages=2).update(shelf=two)
        rows = list(books.filter(pages=3))
        rows[0].shelf = two
        books.bulk_update(rows, ["shelf"])
        one.books.add(*rows)
        books.get_or_create(shelf=two, pages=9)
        books.filter(pages=2).delete()
        chosen = books.filter(pages=1)
        chosen._raw_delete("other")

    assert statements == []
    assert zoo.Shelf.objects.using("other").get(pk=one.pk).page_sum == 3
    assert_truth(using="other")
    one.delete()
    assert_truth(using="other")
