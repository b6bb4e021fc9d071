"""The order in which tables are locked."""

from __future__ import annotations

import pytest
from django.db.models import Case, F, Value, When

from syncfields.capture.querysets import keys_written
from syncfields.maintenance.changes import Change, Learnt
from syncfields.maintenance.copies import Copy
from syncfields.plan import registry
from syncfields.programs.order import against_the_order, comes_to_be_connected, is_foreseen, ranks
from tests.hub.models import Blog, Comment, Post
from tests.ownmodels import kept
from tests.testapp import models as zoo
from tests.testapp.models import on_delete
from tests.truth import assert_truth


def watched(model, target):
    (watch,) = (
        watch
        for watch in registry.plan().sources[model]
        if watch.maintenance.target is target and len(watch.dependency.path.hops) == 2
        if "active_comment_count" in watch.maintenance.values
    )
    return watch.dependency, watch.maintenance.dependencies


def test_what_is_counted_comes_before_what_counts_it():
    for maintenance in registry.plan().maintenances:
        for dependency in () if isinstance(maintenance, Copy) else maintenance.dependencies:
            if not dependency.path.stem.hops or dependency.model is maintenance.target:
                continue
            assert ranks()[dependency.model] < ranks()[maintenance.target], maintenance


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (zoo.Profile, zoo.Card),
        (zoo.Label, zoo.Grain),
        # Counted and copied from: the order is that of who counts.
        (zoo.City, zoo.Country),
        (zoo.Dish, zoo.Restaurant),
        # What is nothing but a target is locked by its UPDATE, in the order of the plan.
        (zoo.Silo, zoo.Market),
        (zoo.Shelf, zoo.Publisher),
    ],
)
def test_the_order_of_two_tables(first, second):
    assert ranks()[first] < ranks()[second]


def test_copies_are_locked_before_their_source_where_it_counts_them():
    assert [each.path.target for each in against_the_order(zoo.Country)] == [zoo.City]
    assert not against_the_order(zoo.Profile)


def test_what_is_copied_comes_in_the_order_of_the_keys_and_before_what_copies_it():
    with kept([(Comment, "blog_name", F("post__blog__name"))]):
        assert list(ranks()) == [Post, Blog, Comment]


@pytest.mark.parametrize(
    ("value", "foreseen"),
    [
        (3, True),
        (None, True),
        (F("id"), False),
        (Case(When(pk=1, then=Value(3)), When(pk=2, then=Value(4))), True),
        (Case(When(pk=1, then=F("id")), default=Value(4)), False),
    ],
)
def test_only_known_keys_are_foreseen(value, foreseen):
    change = Change(
        zoo.Comment,
        "update",
        Learnt((1, 2), frozenset({"post_id"})),
        rows=list(keys_written("default", zoo.Comment, {"post": value})),
    )
    dependency, others = watched(zoo.Comment, zoo.Blog)

    assert comes_to_be_connected(change, dependency, others)
    assert is_foreseen("default", change, dependency, others) is foreseen


@pytest.mark.django_db
def test_set_may_give_an_instance(monkeypatch):
    home, vet = (zoo.Keeper.objects.create(name=name) for name in ("home", "vet"))
    pet = zoo.Pet.objects.create(owner=home, sitter=home, vet=vet)
    monkeypatch.setattr(on_delete, "HOME", home)

    vet.delete()

    pet.refresh_from_db()
    assert pet.vet_id == "home"
    assert_truth()
