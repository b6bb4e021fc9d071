"""What a lookup of relations walks, and which joins are known. No database is needed."""

from __future__ import annotations

import pytest
from django.core.exceptions import FieldError
from django.db import models
from django.db.models import Count, F
from django.db.models.query_utils import PathInfo
from django.test.utils import isolate_apps

from syncfields.declare.paths import Dependency, Path, merged, walk, with_joins
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan.compiler import compile_rules
from tests.testapp import models as zoo

PLAYLIST_TRACKS = zoo.Playlist.tracks.through
FRIENDS = zoo.Musician.friends.through
TO_ONE, TO_MANY, BACK_TO_ONE = (True, False), (False, True), (False, False)


class OwnKey(models.ForeignKey):
    """A foreign key of a package that joins as Django's does."""


class NarrowKey(models.ForeignKey):
    """One that joins some of the rows only."""

    def get_extra_restriction(self, alias, related_alias):
        raise NotImplementedError


class Jump(models.ManyToManyField):
    """One that joins in a way of its own, as tags through a generic relation do."""

    def get_reverse_joining_fields(self):
        return ((self.model._meta.pk, self.remote_field.model._meta.pk),)

    @property
    def path_infos(self):
        near, far = self.model._meta, self.remote_field.model._meta
        return [PathInfo(near, far, (far.pk,), self.remote_field, True, False, None)]


@pytest.fixture
def owner():
    with isolate_apps("tests.testapp"):

        class Owner(models.Model):
            size = models.IntegerField(default=0)
            jumps = Jump("Thing")

            class Meta:
                app_label = "testapp"

        class Thing(models.Model):
            own = OwnKey(Owner, models.CASCADE, related_name="own_things")
            narrow = NarrowKey(Owner, models.CASCADE, related_name="narrow_things")
            size = models.IntegerField(default=0)

            class Meta:
                app_label = "testapp"

        yield Owner


def errors(model, expression):
    return compile_rules([Rule(model, "size", Declaration(expression))])[1]


def test_a_key_that_joins_as_djangos_does_is_known(owner):
    thing = owner._meta.apps.get_model("testapp", "Thing")

    assert errors(owner, Count("own_things")) == []
    assert errors(thing, F("own__size")) == []


@pytest.mark.parametrize(
    ("lookup", "culprit"),
    [
        ("narrow_things", "testapp.Thing.narrow is a NarrowKey"),
        ("jumps", "testapp.Owner.jumps is a Jump"),
    ],
)
def test_e001_another_join_is_refused(owner, lookup, culprit):
    (error,) = errors(owner, Count(lookup))

    assert error.id == "syncfields.E001"
    assert error.message == (
        f"The expression of testapp.Owner.size cannot be resolved: {culprit}, and what it joins "
        "cannot be seen from outside."
    )
    assert error.hint == (
        "Name the rows between by relations of Django's own, for instance a GenericRelation: "
        'Count("tagged_items"), not Count("tags").'
    )


def test_e001_another_join_is_refused_forwards_too(owner):
    thing = owner._meta.apps.get_model("testapp", "Thing")

    (error,) = errors(thing, F("narrow__size"))

    assert error.id == "syncfields.E001"


@pytest.mark.parametrize(
    ("target", "lookup", "hops"),
    [
        # Each hop: its far end, (forward, many), the columns that its join compares.
        (zoo.Post, "blog", [(zoo.Blog, TO_ONE, [("blog_id", "id")])]),
        (zoo.Blog, "posts", [(zoo.Post, TO_MANY, [("id", "blog_id")])]),
        (
            zoo.Blog,
            "posts__comments",
            [
                (zoo.Post, TO_MANY, [("id", "blog_id")]),
                (zoo.Comment, TO_MANY, [("id", "post_id")]),
            ],
        ),
        (zoo.Club, "transfer", [(zoo.Transfer, TO_MANY, [("id", "club_id")])]),
        (zoo.Club, "fan", [(zoo.Fan, TO_MANY, [("id", "club_id")])]),
        (zoo.Order, "customer", [(zoo.Customer, TO_ONE, [("customer_id", "code")])]),
        (zoo.Customer, "orders", [(zoo.Order, TO_MANY, [("code", "customer_id")])]),
        (zoo.Team, "mascot", [(zoo.Mascot, BACK_TO_ONE, [("id", "team_id")])]),
        (
            zoo.Seat,
            "visits",
            [(zoo.Visit, TO_MANY, [("team_id", "team_number"), ("number", "seat_number")])],
        ),
        (zoo.Category, "parent", [(zoo.Category, TO_ONE, [("parent_id", "id")])]),
        (zoo.Category, "children", [(zoo.Category, TO_MANY, [("id", "parent_id")])]),
        (
            zoo.Playlist,
            "tracks",
            [
                (PLAYLIST_TRACKS, TO_MANY, [("id", "playlist_id")]),
                (zoo.Track, TO_ONE, [("track_id", "id")]),
            ],
        ),
        (
            zoo.Musician,
            "friends",
            [
                (FRIENDS, TO_MANY, [("id", "from_musician_id")]),
                (zoo.Musician, TO_ONE, [("to_musician_id", "id")]),
            ],
        ),
        (
            zoo.Band,
            "members",
            [
                (zoo.Membership, TO_MANY, [("id", "band_id")]),
                (zoo.Musician, TO_ONE, [("musician_id", "id")]),
            ],
        ),
        # The type of a generic relation is compared with a value, which is no column.
        (zoo.Photo, "tags", [(zoo.Tag, TO_MANY, [("id", "object_id"), ("", "content_type_id")])]),
        # The child of a multi-table model reaches what its parent does through the parent's row.
        (
            zoo.Restaurant,
            "reviews",
            [
                (zoo.Place, TO_ONE, [("place_ptr_id", "id")]),
                (zoo.Review, TO_MANY, [("id", "place_id")]),
            ],
        ),
        (zoo.Place, "restaurant", [(zoo.Restaurant, BACK_TO_ONE, [("id", "place_ptr_id")])]),
        (zoo.BlogProxy, "posts", [(zoo.Post, TO_MANY, [("id", "blog_id")])]),
    ],
)
def test_a_lookup_walks_the_joins_that_django_makes(target, lookup, hops):
    path = walk(target, lookup)

    assert [(hop.model, (hop.forward, hop.many), list(hop.columns)) for hop in path.hops] == hops
    assert path.model is hops[-1][0]
    assert path.many == any(many for _, (_, many), _ in hops)


@pytest.mark.parametrize("lookup", ["nothing", "posts__nothing", "posts__title__nothing"])
def test_a_lookup_that_leads_nowhere_is_an_error(lookup):
    with pytest.raises(FieldError):
        walk(zoo.Blog, lookup)


@pytest.mark.parametrize(
    ("target", "lookup", "outlives", "by_value"),
    [
        (zoo.Blog, "posts", False, False),
        (zoo.Customer, "orders", False, True),
        (zoo.City, "parcels", True, False),  # No constraint.
        (zoo.Photo, "tags", True, False),
        (
            zoo.Seat,
            "visits",
            True,
            True,
        ),  # Nor has a ForeignObject; each column is a part of a key.
    ],
)
def test_rows_that_may_be_there_before_what_they_refer_to(target, lookup, outlives, by_value):
    (hop,) = walk(target, lookup).hops

    assert (hop.outlives_target, hop.by_value) == (outlives, by_value)


@pytest.mark.parametrize(
    ("target", "lookup", "collected"),
    [(zoo.Blog, "posts", True), (zoo.Keeper, "bred", False), (zoo.Keeper, "owned", True)],
)
def test_what_a_delete_reaches_as_a_write_of_its_own(target, lookup, collected):
    (hop,) = walk(target, lookup).hops

    assert hop.collected is collected


def test_hops_are_equal_by_relation_and_side():
    assert walk(zoo.Blog, "posts").hops == walk(zoo.BlogProxy, "posts").hops
    home, away = walk(zoo.Club, "home_matches"), walk(zoo.Club, "away_matches")
    assert home != away
    assert len({home, away, walk(zoo.Club, "home_matches")}) == 2


def test_a_path_is_taken_apart():
    path = walk(zoo.Comment, "post__blog__followers")

    assert str(path) == "post__blog__followers"
    assert str(Path(zoo.Blog)) == "self"
    assert path.until(2) == path.forwards == walk(zoo.Comment, "post__blog")
    assert path.after(1) == walk(zoo.Post, "blog__followers")
    assert path.after(3) == Path(zoo.Follower)
    assert path.starts_with(walk(zoo.Comment, "post"))
    assert not walk(zoo.Comment, "post").starts_with(path)
    assert path.pk_lookup() == "post__blog__followers__pk__in"
    assert Path(zoo.Blog).pk_lookup("") == "pk"


@pytest.mark.parametrize(
    ("target", "lookup", "stem"),
    [
        (zoo.Comment, "post__blog", "self"),
        (zoo.Blog, "posts__comments__author", "posts__comments"),
        (zoo.Comment, "post__blog__followers__blog", "post__blog__followers"),
    ],
)
def test_the_last_row_that_may_be_there_or_not_decides_what_is_met(target, lookup, stem):
    assert str(walk(target, lookup).stem) == stem


@pytest.mark.parametrize(
    ("lookup", "at_far_end"),
    [
        ("comments", "pk"),
        ("comments__score", "score"),
        ("comments__author__username", "author__username"),
        ("comments__gt", "pk__gt"),
        ("comments__score__gt", "score__gt"),
    ],
)
def test_a_far_row_names_its_columns_itself(lookup, at_far_end):
    (hop,) = walk(zoo.Post, "comments").hops

    assert hop.at_far_end(lookup) == at_far_end


def test_what_is_read_brings_its_joins():
    path = walk(zoo.Blog, "posts__comments")

    found = {str(each.path): set(each.columns) for each in with_joins([(path, ["score", "id"])])}

    # Primary keys do not change, and so are nothing to look out for.
    assert found == {
        "self": set(),
        "posts": {"blog_id"},
        "posts__comments": {"post_id", "score"},
    }


def test_a_path_is_read_once_for_all():
    path = walk(zoo.Post, "comments")
    one = Dependency(path, frozenset({"score"}), hollow=True)
    other = Dependency(path, frozenset({"post_id"}))

    assert merged([one, other]) == (Dependency(path, frozenset({"score", "post_id"})),)
    assert merged([one, one]) == (one,)
