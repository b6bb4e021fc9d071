"""Deletes of rows and of trees, soft deletes, and what goes down with a deleted row."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils import timezone

from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Category, Project, Task
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()


@pytest.fixture
def family():
    root = Category.objects.create(name="root", weight=1)
    parent = Category.objects.create(name="parent", parent=root, weight=2)
    Category.objects.create(name="sibling", parent=root, weight=4)
    child = Category.objects.create(name="child", parent=parent, weight=8)
    return root, parent, child


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (1,), (0,), (2,), (2, 1, 0)])
def test_parent_and_child_deleted_one_by_one(family, order):
    assert_truth()

    for number in order:
        family[number].delete()
        assert_truth()


@pytest.mark.parametrize("order", ["pk", "-pk"])
@pytest.mark.parametrize("names", [["parent", "child"], ["root", "child"], ["child", "sibling"]])
def test_parent_and_child_deleted_in_one_call(family, order, names):
    Category.objects.filter(name__in=names).order_by(order).delete()

    assert_truth()


def test_a_subtree_moves(family):
    root, parent, child = family
    other = Category.objects.create(name="other")

    parent.parent = other
    parent.save()
    assert_truth()
    child.parent = root
    child.save()
    assert_truth()
    root.name, root.weight = "new", 5
    root.save()
    assert_truth()
    child.parent = None
    child.save()

    assert_truth()


def test_a_row_that_is_its_own_parent():
    loop = Category.objects.create(name="loop", weight=3)

    loop.parent = loop
    loop.save()
    assert_truth()
    loop.name, loop.weight = "other", 5
    loop.save()
    assert_truth()
    loop.delete()

    assert_truth()


def soft_delete(task):
    task.deleted_at = timezone.now()
    task.save()


def restore(task):
    task.deleted_at = None
    task.save()


def hard_delete(task):
    task.delete()


@pytest.mark.parametrize(
    "steps",
    [
        [soft_delete, restore],
        [soft_delete, soft_delete, restore, restore],
        [soft_delete, hard_delete],
        [soft_delete, restore, hard_delete],
        [hard_delete],
    ],
    ids=lambda steps: "-".join(step.__name__ for step in steps),
)
def test_soft_deletes_and_restores_are_changes_of_a_column(steps):
    project = Project.objects.create()
    Task.objects.create(project=project, hours=2)
    task = Task.objects.create(project=project, hours=7)

    for step in steps:
        step(task)
        assert_truth()


def test_restored_from_an_instance_that_the_default_manager_hides():
    project = Project.objects.create()
    soft_delete(Task.objects.create(project=project, hours=2))

    restore(Task.everything.get())

    assert Project.objects.get().live_task_count == 1
    assert_truth()


def blog_tree():
    author = User.objects.create(username="ann")
    blog = zoo.Blog.objects.create()
    for live in (True, False):
        post = zoo.Post.objects.create(blog=blog, is_live=live)
        for score in (1, 5):
            comment = zoo.Comment.objects.create(post=post, author=author, score=score)
            zoo.Reaction.objects.create(comment=comment)
    return blog, author


def test_cascade_sends_no_update_to_doomed_rows():
    blog, _ = blog_tree()

    with sent() as statements:
        blog.delete()

    # MariaDB is sent UPDATEs by Django itself, that set nullable keys NULL.
    updates = [sql for sql in statements.sql if sql.startswith("UPDATE")]
    assert not [sql for sql in updates if "_count" in sql or "score" in sql]
    assert not zoo.Reaction.objects.exists()
    assert_truth()


def test_cascade_through_one_of_two_parents():
    club, other = zoo.Club.objects.create(), zoo.Club.objects.create()
    for home, away in ((club, other), (other, club), (club, club), (other, other), (club, None)):
        zoo.Match.objects.create(home=home, away=away, home_goals=2, away_goals=1)
    assert_truth()

    club.delete()

    assert zoo.Match.objects.count() == 1
    assert_truth()


def test_set_null_of_an_author():
    _, author = blog_tree()
    assert_truth()

    author.delete()

    assert zoo.Comment.objects.filter(author=None).count() == 4
    assert_truth()


@pytest.mark.parametrize("through", [zoo.Place, zoo.Restaurant])
def test_multi_table_child_is_deleted_through_either_class(through):
    zone = zoo.Zone.objects.create()
    for stars in (2, 3):
        restaurant = zoo.Restaurant.objects.create(zone=zone, stars=stars, name="x")
        zoo.Review.objects.create(place=restaurant.place_ptr, grade=stars)
        zoo.Dish.objects.create(restaurant=restaurant)
    assert_truth()

    through.objects.get(pk=restaurant.pk).delete()

    assert zoo.Zone.objects.get().star_sum == 2
    assert_truth()


def test_multi_table_parent_is_kept():
    zone = zoo.Zone.objects.create()
    restaurant = zoo.Restaurant.objects.create(zone=zone, stars=3)

    restaurant.delete(keep_parents=True)

    assert zoo.Place.objects.count() == 1
    assert_truth()


def test_multi_table_child_is_saved_through_both_classes():
    one, two = zoo.Zone.objects.create(), zoo.Zone.objects.create()
    restaurant = zoo.Restaurant.objects.create(zone=one, stars=3, name="old")
    zoo.Dish.objects.create(restaurant=restaurant)
    zoo.Review.objects.create(place=restaurant, grade=4)
    assert_truth()

    restaurant.zone, restaurant.stars, restaurant.name = two, 5, "new"
    restaurant.save()
    assert_truth()
    place = zoo.Place.objects.get()
    place.zone, place.name = one, "newer"
    place.save()

    assert_truth()


def test_sources_of_several_multi_table_targets_are_deleted_at_once():
    for name in ("one", "two"):
        zoo.Dish.objects.create(restaurant=zoo.Restaurant.objects.create(name=name))

    zoo.Dish.objects.all().delete()

    assert_truth()


def test_abstract_base():
    for make, relation, entry in (
        (zoo.Folder, "folder", zoo.FolderEntry),
        (zoo.Box, "box", zoo.BoxEntry),
    ):
        one, two = make.objects.create(), make.objects.create()
        entry.objects.create(**{relation: one}, size=3)
        child = entry.objects.create(**{relation: one}, size=5)
        assert_truth()
        setattr(child, relation, two)
        child.save()
        assert_truth()
        child.delete()
        assert_truth()


def test_proxy_child_and_proxy_parent():
    blog = zoo.BlogProxy.objects.create()
    post = zoo.Post.objects.create(blog=blog)
    comment = zoo.PublicComment.objects.create(post=post, score=2)
    assert_truth()

    comment.is_public, comment.score = False, 9
    comment.save()
    assert_truth()
    comment.delete()
    assert_truth()
    blog.delete()

    assert_truth()


@pytest.mark.parametrize("delete", [QuerySet.delete, lambda rows: rows._raw_delete("default")])
@pytest.mark.parametrize("number", [1, 2])
def test_targets_that_are_counted_themselves(number, delete):
    coach, ticket = zoo.Coach.objects.create(), zoo.Ticket.objects.create(fare=5)
    for _ in range(4):
        zoo.Passenger.objects.create(coach=coach, ticket=ticket)
    first, *rest = zoo.Passenger.objects.order_by("pk")

    delete(zoo.Passenger.objects.filter(pk__in=[each.pk for each in rest[:number]]))
    assert_truth(zoo.Coach)
    first.delete()
    assert_truth(zoo.Coach)


def test_a_deleted_parent_can_still_be_read():
    shelf = zoo.Shelf.objects.create()
    zoo.Book.objects.create(shelf=shelf, pages=3)

    shelf.delete()

    assert shelf.book_count == 1
    assert_truth()
