"""Paths of two and three hops, conditions on the way and beyond."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Comment, Post, Reaction
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()


class Tree:
    """Two blogs, the first with two posts, comments and reactions."""

    def __init__(self):
        self.author = User.objects.create(username="ann")
        self.other_author = User.objects.create(username="bob", is_active=False)
        self.blog, self.other_blog = Blog.objects.create(), Blog.objects.create()
        zoo.Follower.objects.create(blog=self.blog)
        self.post, self.other_post = (Post.objects.create(blog=self.blog) for _ in range(2))
        self.far_post = Post.objects.create(blog=self.other_blog, is_live=False)
        for score in (1, 5):
            self.comment = Comment.objects.create(post=self.post, author=self.author, score=score)
            self.reaction = Reaction.objects.create(comment=self.comment)
        Comment.objects.create(post=self.other_post, author=self.other_author, is_public=False)


@pytest.fixture
def tree():
    return Tree()


@pytest.mark.parametrize(
    ("row", "edit"),
    [
        pytest.param("comment", {"post": "far_post"}, id="leaf moved to another blog"),
        pytest.param("comment", {"post": "other_post"}, id="leaf moved within the blog"),
        pytest.param("comment", {"post": None}, id="leaf set to NULL"),
        pytest.param("comment", {"author": "other_author"}, id="leaf's condition row switched"),
        pytest.param("comment", {"is_public": False}, id="leaf's condition"),
        pytest.param("post", {"blog": "other_blog"}, id="middle moved"),
        pytest.param("post", {"blog": "other_blog", "is_live": False}, id="middle moved, filtered"),
        pytest.param("post", {"blog": None}, id="middle set to NULL"),
        pytest.param("post", {"is_live": False}, id="filter on the middle"),
        pytest.param("far_post", {"is_live": True, "blog": "blog"}, id="empty middle moved"),
        pytest.param("reaction", {"comment": "comment"}, id="third hop, unchanged"),
        pytest.param("author", {"is_active": False}, id="author deactivated"),
        pytest.param("other_author", {"is_active": True}, id="author activated"),
    ],
)
def test_a_row_on_the_path_or_beyond_changes(tree, row, edit):
    assert_truth()

    instance = getattr(tree, row)
    before = {name: getattr(instance, name) for name in edit}
    for name, value in edit.items():
        setattr(instance, name, getattr(tree, value) if isinstance(value, str) else value)
    instance.save()
    assert_truth()
    for name, value in before.items():
        setattr(instance, name, value)
    instance.save()

    assert_truth()


@pytest.mark.parametrize(
    "row", ["reaction", "comment", "post", "other_post", "far_post", "blog", "author"]
)
def test_a_row_on_the_path_or_beyond_is_deleted(tree, row):
    getattr(tree, row).delete()

    assert_truth()


def test_a_reaction_moves_to_another_blog(tree):
    far = Comment.objects.create(post=tree.far_post)
    assert_truth()

    tree.reaction.comment = far
    tree.reaction.save()

    assert Blog.objects.get(pk=tree.other_blog.pk).reaction_count == 1
    assert_truth()


def test_children_are_created_under_a_moved_post(tree):
    Post.objects.filter(pk=tree.post.pk).update(blog=tree.other_blog)

    # This instance still has the first blog.
    comment = Comment.objects.create(post=tree.post)
    Reaction.objects.create(comment=comment)

    assert_truth()


def test_multi_table_children_are_a_hop_too():
    one, two = zoo.Zone.objects.create(), zoo.Zone.objects.create()
    restaurant = zoo.Restaurant.objects.create(zone=one, stars=2)
    zoo.Review.objects.create(place=restaurant, grade=1)
    assert_truth()

    restaurant.stars = 3
    restaurant.save()
    assert_truth()
    place = zoo.Place.objects.get()
    place.zone = two
    place.save()

    assert zoo.Zone.objects.get(pk=two.pk).star_sum == 3
    assert_truth()


def test_a_far_row_changes_and_all_parents_follow_in_one_update(tree):
    for _ in range(3):
        post = Post.objects.create(blog=tree.other_blog)
        Comment.objects.create(post=post, author=tree.author)

    tree.author.is_active = False
    with sent() as statements:
        tree.author.save()

    assert (statements.updates(Post), statements.updates(Blog)) == (1, 1)
    assert_truth()


def test_a_condition_compares_with_the_target_itself():
    club = zoo.Club.objects.create(quorum=10)
    for fee in (5, 10, 15):
        zoo.Transfer.objects.create(club=club, fee=fee)
    assert zoo.Club.objects.get().big_transfers == 2

    club.quorum = 12
    club.save()

    assert zoo.Club.objects.get().big_transfers == 1
    assert_truth()
