"""The parent in memory, and what of its row is not ours."""

from __future__ import annotations

import copy
import pickle

import pytest
from django.db.models.signals import post_save
from django.utils import timezone

from syncfields import coalesce
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import (
    Blog,
    Comment,
    Gadget,
    Maker,
    Part,
    Post,
    Reply,
    Shelf,
    Thread,
    Topic,
)
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


def test_the_cached_parent_is_fresh_after_each_write():
    post = Post.objects.create(title="old")
    comment = Comment.objects.create(post=post, score=4)
    assert (comment.post.comment_count, comment.post.score_sum) == (1, 4)

    comment.score = 6
    comment.save()
    assert (comment.post.score_sum, comment.post.best_score) == (6, 6)
    assert comment.post is post

    comment.delete()
    assert (post.comment_count, post.score_sum, post.best_score) == (0, 0, None)
    assert_truth()


def test_the_cached_grandparent_is_fresh():
    post = Post.objects.create(blog=Blog.objects.create())

    comment = Comment.objects.create(post=post)

    assert comment.post.blog.comment_count == 1
    assert comment.post.blog.comment_total == 1
    assert_truth()


def test_the_old_parent_and_the_new_one_are_fresh():
    here, there = Post.objects.create(), Post.objects.create()
    comment = Comment.objects.create(post=here)
    assert here.comment_count == 1

    comment.post = there
    comment.save()

    assert there.comment_count == 1
    assert Post.objects.get(pk=here.pk).comment_count == 0
    assert_truth()


def test_the_cached_grandparent_is_fresh_in_all_that_the_parent_passes_on():
    blog = Blog.objects.create()
    post = Post.objects.create(blog=blog)

    comment = Comment.objects.create(post=post)

    assert post.blog is blog
    assert blog.comment_total == 1
    assert blog.busiest_post == 1
    assert blog.last_comment_at == comment.created


def test_unsaved_edits_on_a_cached_parent_survive():
    post = Post.objects.create(title="old")
    comment = Comment.objects.create(post=post)
    post.title = "new"

    comment.score = 3
    comment.save()

    assert post.title == "new"
    assert post.score_sum == 3
    assert post.title == "new"
    assert Post.objects.get().title == "old"
    post.save()
    assert Post.objects.get().title == "new"
    assert_truth()


def test_a_stale_parent_that_is_saved_overwrites_nothing():
    post = Post.objects.create(title="old")
    stale = Post.objects.get()
    Comment.objects.create(post=post, score=3)

    stale.title = "new"
    stale.save()

    assert Post.objects.get().title == "new"
    assert_truth()


def test_a_parent_is_cloned_after_its_child_was_saved():
    post = Post.objects.create(title="old")
    Comment.objects.create(post=post)

    post.pk = None
    post._state.adding = True
    post.save()

    assert Post.objects.count() == 2
    assert post.comment_count == 0
    assert_truth()


def test_a_parent_is_saved_anew_after_its_row_was_deleted():
    post = Post.objects.create(title="old")
    Comment.objects.create(post=post).delete()
    Post.objects.filter(pk=post.pk).delete()

    post.save()

    assert Post.objects.get().title == "old"
    assert_truth()


def test_copies_and_pickles_of_an_instance_read_each_for_itself():
    post = Post.objects.create()
    Comment.objects.create(post=post, score=3)

    for other in (copy.copy(post), copy.deepcopy(post), pickle.loads(pickle.dumps(post))):
        assert (other.comment_count, other.score_sum) == (1, 3)
    assert (post.comment_count, post.score_sum) == (1, 3)


def test_version_auto_now_and_receivers_are_untouched():
    received = []

    def receive(sender, instance, **kwargs):
        received.append(sender)

    thread = Thread.objects.create(version=3)
    before = Thread.objects.get()
    post_save.connect(receive)
    try:
        reply = Reply.objects.create(thread=thread)
        reply.delete()
    finally:
        post_save.disconnect(receive)

    after = Thread.objects.get()
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    assert received == [Reply]
    assert_truth()


def test_touch_is_set_when_the_value_changes():
    one, two = Topic.objects.create(), Topic.objects.create()
    reply = Reply.objects.create(topic=one)
    first = Topic.objects.get(pk=one.pk).touched_at

    assert abs(timezone.now() - first).total_seconds() < 60
    assert Topic.objects.get(pk=two.pk).touched_at is None
    reply.text = "nothing that counts"
    reply.save()
    assert Topic.objects.get(pk=one.pk).touched_at == first
    reply.topic = two
    reply.save()
    assert Topic.objects.get(pk=one.pk).touched_at > first
    assert Topic.objects.get(pk=two.pk).touched_at > first
    assert_truth()


def test_touch_is_left_alone_when_the_value_stays():
    topic = Topic.objects.create()
    Reply.objects.create(topic=topic, weight=4)
    first = Topic.objects.get()
    assert None not in (first.top_at, first.mean_at)

    low = Reply.objects.create(topic=topic, weight=4)
    low.weight = 4
    low.save()

    again = Topic.objects.get()
    assert (again.top_at, again.mean_at) == (first.top_at, first.mean_at)
    low.weight = 6
    low.save()
    again = Topic.objects.get()
    assert again.top_at > first.top_at
    assert again.mean_at > first.mean_at
    assert_truth()


@pytest.mark.parametrize("update_fields", [["pages"], ("pages",), {"pages"}, iter(["pages"])])
def test_update_fields_of_every_type_are_understood(update_fields):
    book = zoo.Book.objects.create(shelf=Shelf.objects.create(), pages=3)

    book.pages = 7
    book.save(update_fields=update_fields)

    assert Shelf.objects.get().page_sum == 7
    assert_truth()


@pytest.mark.parametrize("update_fields", [["shelf"], ["shelf_id"]])
def test_update_fields_may_name_the_relation(update_fields):
    book = zoo.Book.objects.create(shelf=Shelf.objects.create(), pages=3)

    book.shelf = Shelf.objects.create()
    book.save(update_fields=update_fields)

    assert_truth()


def test_empty_update_fields_write_nothing():
    book = zoo.Book.objects.create(shelf=Shelf.objects.create(), pages=3)

    book.pages = 7
    with sent() as statements:
        book.save(update_fields=[])

    assert statements == []
    assert_truth()


def test_force_insert_and_force_update_are_kept():
    shelf = Shelf.objects.create()
    book = zoo.Book(shelf=shelf, pages=3)
    book.save(force_insert=True)
    assert_truth()

    book.pages = 4
    book.save(force_update=True)
    assert_truth()
    zoo.Book(pk=book.pk + 1, shelf=shelf, pages=9).save(force_insert=True)

    shelf.refresh_from_db()
    assert (shelf.book_count, shelf.page_sum) == (2, 13)
    assert_truth()


def test_a_target_that_its_managers_hide_is_kept():
    project = zoo.Project.objects.create(closed=True)
    assert not zoo.Project._base_manager.exists()

    task = zoo.Task.objects.create(project=project, hours=3)
    assert_truth()
    task.hours = 2
    task.save()
    assert_truth()
    task.delete()

    assert_truth()


def test_a_source_that_its_manager_hides_counts():
    comment = zoo.PublicComment(post=Post.objects.create(), is_public=False, score=2)
    comment.save()
    assert_truth()

    comment.score = 5
    comment.save()
    assert_truth()
    comment.delete()

    assert_truth()


def test_a_field_whose_pre_save_changes_the_value():
    monitor = zoo.Monitor.objects.create()
    beat = zoo.Beat.objects.create(monitor=monitor, level=4)
    assert_truth()

    beat.save()
    assert_truth()
    beat.save(update_fields=["level"])
    assert_truth()
    beat.delete()

    assert_truth()


def test_get_or_create_and_update_or_create():
    here, there = Post.objects.create(), Post.objects.create()

    for title, values in (
        ("a", {"post": here, "score": 1}),
        ("a", {"post": there, "score": 2}),
        ("b", {"post": there, "is_public": False}),
    ):
        Comment.objects.get_or_create(text=title, defaults=values)
        assert_truth()
        Comment.objects.update_or_create(text=title, defaults=values)
        assert_truth()
    here.comments.update_or_create(text="c", defaults={"score": 4})

    assert_truth()


def test_a_touched_field_that_another_rule_reads():
    maker = Maker.objects.create()
    gadget = Gadget.objects.create(maker=maker)

    part = Part.objects.create(gadget=gadget)
    first = Maker.objects.get(pk=maker.pk).counted_at
    assert first is not None
    assert_truth()
    Part.objects.bulk_create([Part(gadget=gadget), Part(gadget=gadget)])
    assert Maker.objects.get(pk=maker.pk).counted_at > first
    assert_truth()
    part.delete()
    with coalesce():
        Part.objects.create(gadget=gadget)

    assert_truth()
