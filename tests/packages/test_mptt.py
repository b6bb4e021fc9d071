"""django-mptt: a tree that is kept by save(), moves and rebuilds of its own."""

from __future__ import annotations

import pytest

pytest.importorskip("mptt", reason="django-mptt is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from mptt.models import MPTTModel, TreeForeignKey

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Genre(MPTTModel):
    name = models.CharField(max_length=20)
    weight = models.IntegerField(default=1)
    parent = TreeForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    child_count = synced(models.IntegerField(default=0), Count("children"))
    heavy_count = synced(
        models.IntegerField(default=0), Count("children", filter=Q(children__weight__gt=1))
    )
    child_weight = synced(models.IntegerField(default=0), Sum("children__weight"))
    heaviest = synced(models.IntegerField(null=True), Max("children__weight"))
    parent_name = synced(models.CharField(max_length=20, null=True), F("parent__name"))
    film_count = synced(models.IntegerField(default=0), Count("films"))

    class MPTTMeta:
        order_insertion_by = ["name"]


class Film(models.Model):
    genre = TreeForeignKey(Genre, models.CASCADE, related_name="films")
    genre_name = synced(models.CharField(max_length=20, null=True), F("genre__name"))


@pytest.fixture
def tree(db):
    """Two trees: a (b (d, e), c) and z; a film of each."""
    nodes = {}
    for number, (name, parent) in enumerate(
        [("a", None), ("b", "a"), ("c", "a"), ("d", "b"), ("e", "b"), ("z", None)]
    ):
        nodes[name] = Genre.objects.create(name=name, parent=nodes.get(parent), weight=number)
        Film.objects.create(genre=nodes[name])
    assert_true()
    return nodes


def is_well_formed():
    """The tree numbers are those of a fresh numbering."""
    columns = ("pk", "lft", "rght", "level")
    before = list(Genre.objects.order_by("pk").values_list(*columns))
    Genre.objects.rebuild()
    return before == list(Genre.objects.order_by("pk").values_list(*columns))


def test_a_node_that_is_there_is_saved(tree):
    node = Genre.objects.get(name="b")
    node.name = "bb"
    node.save()
    assert_true()

    node = tree["a"]  # As old as can be: other nodes have been added since.
    node.weight = 7
    node.save()
    assert_true()
    assert is_well_formed()


@pytest.mark.parametrize("position", ["first-child", "last-child", "left", "right"])
def test_a_node_is_moved(tree, position):
    Genre.objects.get(name="b").move_to(Genre.objects.get(name="c"), position)
    assert_true()
    Genre.objects.move_node(
        Genre.objects.get(name="d"), Genre.objects.get(name="z"), position=position
    )
    assert_true()
    Genre.objects.get(name="e").move_to(None)
    assert_true()


def test_a_node_is_given_another_parent(tree):
    node = Genre.objects.get(name="b")
    node.parent = Genre.objects.get(name="z")
    node.save()
    assert_true()
    node.parent = None
    node.save()
    assert_true()
    assert is_well_formed()


def test_nodes_are_inserted_at_a_place(tree):
    Genre.objects.insert_node(
        Genre(name="new", weight=5), Genre.objects.get(name="b"), position="first-child", save=True
    )
    assert_true()
    Genre(name="left").insert_at(Genre.objects.get(name="d"), position="left", save=True)
    assert_true()
    assert Genre.objects.get(name="b").child_count == 4


def test_nodes_are_inserted_in_bulk(tree):
    with Genre.objects.disable_mptt_updates():
        Genre.objects.bulk_create(
            Genre(name=name, parent=tree["c"], lft=0, rght=0, tree_id=0, level=0) for name in "xy"
        )
    Genre.objects.rebuild()
    assert_true()
    Genre.objects.bulk_create(
        Genre.objects.build_tree_nodes(
            {"id": 900, "name": "one", "children": [{"id": 901, "name": "two"}]},
            target=Genre.objects.get(name="z"),
        )
    )
    assert_true()


def test_numbers_of_the_tree_wait(tree):
    with Genre.objects.delay_mptt_updates():
        child = Genre.objects.create(name="late", parent=Genre.objects.get(name="d"), weight=9)
        child.parent = Genre.objects.get(name="z")
        child.save()
    assert_true()
    Genre.objects.partial_rebuild(Genre.objects.get(name="z").tree_id)
    assert_true()
    assert is_well_formed()


def test_nodes_are_deleted(tree):
    Genre.objects.get(name="b").delete()
    assert_true()
    assert set(Genre.objects.values_list("name", flat=True)) == {"a", "c", "z"}
    Genre.objects.filter(name="c").delete()
    assert_true()
    Genre.objects.get(name="a").get_descendants(include_self=True).delete()
    assert_true()


def test_nodes_are_updated_by_querysets(tree):
    Genre.objects.get(name="a").get_children().update(weight=F("weight") + 3)
    assert_true()
    Film.objects.filter(genre__in=Genre.objects.get(name="b").get_descendants()).delete()
    assert_true()


def test_what_the_page_shows(tree):
    shown("django-mptt", globals())
    assert_true()
