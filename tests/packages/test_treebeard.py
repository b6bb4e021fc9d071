"""django-treebeard: trees as paths, as nested sets and as keys of the parent."""

from __future__ import annotations

import pytest

pytest.importorskip("treebeard", reason="django-treebeard is not installed")

from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from treebeard.al_tree import AL_Node
from treebeard.mp_tree import MP_Node
from treebeard.ns_tree import NS_Node

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = [
    pytest.mark.django_db,
    # The methods of the node, which 7.0 passes on to the manager.
    pytest.mark.filterwarnings(r"ignore:Using \w+\.\w+\(\) is deprecated:DeprecationWarning"),
]


class Counted(models.Model):
    name = models.CharField(max_length=20)
    goods_count = synced(models.IntegerField(default=0), Count("goods"))
    heavy_count = synced(
        models.IntegerField(default=0), Count("goods", filter=Q(goods__weight__gt=5))
    )
    weight = synced(models.IntegerField(default=0), Sum("goods__weight"))
    heaviest = synced(models.IntegerField(null=True), Max("goods__weight"))

    class Meta:
        abstract = True


class PathNode(Counted, MP_Node):
    node_order_by = ["name"]


class SetNode(Counted, NS_Node):
    pass


class ListNode(Counted, AL_Node):
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, db_index=True, related_name="children_set"
    )
    sib_order = models.PositiveIntegerField(default=0)
    child_count = synced(models.IntegerField(default=0), Count("children_set"))
    parent_name = synced(models.CharField(max_length=20, null=True), F("parent__name"))


class Good(models.Model):
    weight = models.IntegerField(default=1)

    class Meta:
        abstract = True


class PathGood(Good):
    node = models.ForeignKey(PathNode, models.CASCADE, related_name="goods")
    node_name = synced(models.CharField(max_length=20, null=True), F("node__name"))
    # The columns that treebeard keeps are columns like any other.
    node_depth = synced(models.IntegerField(null=True), F("node__depth"))
    node_path = synced(models.CharField(max_length=255, null=True), F("node__path"))
    node_children = synced(models.IntegerField(null=True), F("node__numchild"))


class SetGood(Good):
    node = models.ForeignKey(SetNode, models.CASCADE, related_name="goods")
    node_name = synced(models.CharField(max_length=20, null=True), F("node__name"))
    node_depth = synced(models.IntegerField(null=True), F("node__depth"))
    node_left = synced(models.IntegerField(null=True), F("node__lft"))


class ListGood(Good):
    node = models.ForeignKey(ListNode, models.CASCADE, related_name="goods")
    node_name = synced(models.CharField(max_length=20, null=True), F("node__name"))
    node_order = synced(models.IntegerField(null=True), F("node__sib_order"))


KINDS = [(PathNode, PathGood), (SetNode, SetGood), (ListNode, ListGood)]


def named(model, name):
    return model.objects.get(name=name)


@pytest.fixture(params=KINDS, ids=["path", "set", "list"])
def tree(db, request):
    """Two trees: a (b (d, e), c) and z; two goods on each."""
    node, good = request.param
    node.add_root(name="a")
    for name, parent in (("b", "a"), ("c", "a"), ("d", "b"), ("e", "b")):
        named(node, parent).add_child(name=name)
        assert_true(some=False)
    node.add_root(name="z")
    for each in node.objects.all():
        good.objects.create(node=each, weight=3)
        good.objects.create(node=each, weight=9)
    assert_true()
    return node, good


def test_nodes_are_added_beside_others(tree):
    node, good = tree
    added = named(node, "d").add_sibling("sorted-sibling" if node is PathNode else "left", name="x")
    good.objects.create(node=added)
    assert_true()
    named(node, "z").add_child(instance=node(name="y"))
    assert_true()


def test_nodes_are_moved(tree):
    node, _ = tree
    child, sibling = (
        ("sorted-child", "sorted-sibling") if node is PathNode else ("first-child", "left")
    )
    named(node, "b").move(named(node, "z"), child)
    assert_true()
    named(node, "d").move(named(node, "a"), sibling)
    assert_true()
    named(node, "z").move(named(node, "c"), child)
    assert_true()


def test_nodes_are_saved(tree):
    node, _ = tree
    for each in list(node.objects.all()):
        each.name += "!"
        each.save()
        assert_true()


def test_nodes_are_deleted(tree):
    node, good = tree
    named(node, "b").delete()
    assert_true()
    assert good.objects.count() == 6
    node.objects.filter(name="a").delete()
    assert_true()
    assert set(node.objects.values_list("name", flat=True)) == {"z"}


def test_trees_are_loaded_from_python(tree):
    node, _ = tree
    loaded = [{"data": {"name": "l"}, "children": [{"data": {"name": "m"}}]}]
    node.load_bulk(loaded, parent=named(node, "z"))
    assert_true()
    assert node.dump_bulk(named(node, "z"))
    assert_true()


def test_a_tree_that_was_dumped_comes_back(tree):
    node, _ = tree
    dumped = node.dump_bulk(keep_ids=True)
    node.objects.all().delete()
    assert_true(some=False)
    node.load_bulk(dumped, keep_ids=True)
    assert_true()


def test_goods_are_written_by_querysets_of_nodes(tree):
    node, good = tree
    good.objects.filter(node__in=named(node, "a").get_descendants()).update(weight=F("weight") + 1)
    assert_true()
    good.objects.filter(node__in=named(node, "b").get_children()).delete()
    assert_true()


def test_a_broken_tree_is_mended(db):
    root = PathNode.add_root(name="r")
    child = root.add_child(name="s")
    PathGood.objects.create(node=root)
    PathGood.objects.create(node=child)
    PathNode.objects.filter(pk=root.pk).update(numchild=7, depth=4)
    assert_true()
    PathNode.fix_tree()
    assert_true()
    PathNode.fix_tree(fix_paths=True)
    assert_true()


@pytest.mark.parametrize("tree", [KINDS[0]], indirect=True)
def test_what_the_page_shows(tree):
    child, other = named(PathNode, "d"), named(PathNode, "c")

    shown("django-treebeard", globals(), child=child, other=other)
    assert_true()
    assert named(PathNode, "d").get_parent() == other
