"""django-cachalot: results of queries are cached, until one of their tables is written."""

from __future__ import annotations

import pytest

pytest.importorskip("cachalot", reason="django-cachalot is not installed")

from cachalot.api import cachalot_disabled, invalidate
from django.db import models, transaction
from django.db.models import Count, F, Max, Q, Sum

from syncfields import Tally, coalesce, reconcile, synced, unsynced
from tests.packages import truth
from tests.packages.truth import shown

pytestmark = pytest.mark.django_db(transaction=True)


class Blog(models.Model):
    name = models.CharField(max_length=20)
    comment_total = synced(models.IntegerField(default=0), Sum("posts__comment_count"))
    deep_count = synced(models.IntegerField(default=0), Count("posts__comments"))


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
    comment_count = synced(models.IntegerField(default=0), Count("comments"))
    public_count = synced(
        models.IntegerField(default=0), Count("comments", filter=Q(comments__public=True))
    )
    best = synced(models.IntegerField(null=True), Max("comments__score"))
    blog_name = synced(models.CharField(max_length=20, null=True), F("blog__name"))
    saves = synced(models.IntegerField(default=0), Tally("comments"))


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
    public = models.BooleanField(default=True)
    score = models.IntegerField(default=1)
    blog_name = synced(models.CharField(max_length=20, null=True), F("post__blog__name"))


def contents():
    return [list(model.objects.order_by("pk").values_list()) for model in (Blog, Post, Comment)]


def assert_true():
    """What the cache says is what the tables say, and that is right."""
    cached = contents()
    with cachalot_disabled():
        assert cached == contents()
        truth.assert_true(module=__name__)


@pytest.fixture
def posts(db):
    invalidate()
    blog = Blog.objects.create(name="one")
    posts = [Post.objects.create(blog=blog) for _ in range(2)]
    assert_true()
    for score in (1, 2, 3):
        Comment.objects.create(post=posts[0], score=score)
        assert_true()
    return posts


def test_single_rows(posts):
    comment = Comment.objects.get(score=3)
    comment.post, comment.public = posts[1], False
    comment.save()
    assert_true()
    comment.score = 0
    comment.save()
    assert_true()
    comment.delete()
    assert_true()
    blog = Blog.objects.get()
    blog.name = "new"
    blog.save()
    assert_true()
    posts[0].delete()
    assert_true()


def test_many_rows(posts):
    Comment.objects.bulk_create([Comment(post=posts[1], score=n) for n in (7, 8)])
    assert_true()
    Comment.objects.filter(score__gt=2).update(post=posts[0], public=False)
    assert_true()
    comments = list(Comment.objects.all())
    for comment in comments:
        comment.score += 10
    Comment.objects.bulk_update(comments, ["score"])
    assert_true()
    Comment.objects.filter(score__gt=12).delete()
    assert_true()
    Blog.objects.update(name="all")
    assert_true()
    Post.objects.all().delete()
    assert_true()


def test_writes_that_wait(posts):
    with coalesce():
        for score in (4, 5):
            Comment.objects.create(post=posts[1], score=score)
    assert_true()
    with unsynced(reconcile=True):
        Comment.objects.filter(score=4).delete()
    assert_true()


def test_what_is_rolled_back(posts):
    with transaction.atomic():
        Comment.objects.create(post=posts[1], score=9)
        assert Post.objects.get(pk=posts[1].pk).comment_count == 1
        transaction.set_rollback(True)
    assert_true()


def test_drift_is_seen_and_repaired(posts):
    with unsynced():
        Post.objects.update(comment_count=99)
    assert not reconcile(check=True).ok
    reconcile()
    assert_true()


def test_what_the_page_shows(posts):
    assert Post.objects.get(pk=posts[1].pk).comment_count == 0

    shown("django-cachalot", globals(), post=posts[1])
    assert_true()
