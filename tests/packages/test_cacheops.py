"""django-cacheops: querysets are cached in Redis, until a signal says that their rows changed.

It does not see ``QuerySet.update()``, and so not what syncfields writes: a target is not to be
cached, or its synced fields are read by ``nocache()``. What syncfields reads must not come from
the cache.
"""

from __future__ import annotations

import os

import pytest

pytest.importorskip("cacheops", reason="django-cacheops is not installed")

import redis
from cacheops import invalidate_all, invalidate_obj
from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, F, Max, Q, Sum

from syncfields import coalesce, reconcile, synced, unsynced
from tests.packages.truth import assert_true as uncached_truth
from tests.packages.truth import shown


def answers():
    try:
        return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2).ping()
    except redis.RedisError:
        return False


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not answers(), reason=f"no Redis at {settings.REDIS_URL}"),
]


def prefix(query):
    """Runs that go on at the same time share a Redis."""
    return (
        f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}{settings.DATABASES['default']['ENGINE']}:"
    )


class Blog(models.Model):
    name = models.CharField(max_length=20)
    comment_total = synced(models.IntegerField(default=0), Sum("posts__comment_count"))


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
    comment_count = synced(models.IntegerField(default=0), Count("comments"))
    public_count = synced(
        models.IntegerField(default=0), Count("comments", filter=Q(comments__public=True))
    )
    best = synced(models.IntegerField(null=True), Max("comments__score"))
    mean = synced(models.FloatField(null=True), models.Avg("comments__score"))
    blog_name = synced(models.CharField(max_length=20, null=True), F("blog__name"))


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
    public = models.BooleanField(default=True)
    score = models.IntegerField(default=1)
    blog_name = synced(models.CharField(max_length=20, null=True), F("post__blog__name"))


def warm():
    """Everything is in the cache: whatever is read from there from now on is old."""
    for model in (Blog, Post, Comment):
        for row in model.objects.all():
            model.objects.get(pk=row.pk)
        model.objects.count()
    reconcile(check=True)


def assert_true():
    uncached_truth(module=__name__)
    assert reconcile(check=True).ok
    warm()


@pytest.fixture
def posts(db):
    invalidate_all()
    blog = Blog.objects.create(name="one")
    posts = [Post.objects.create(blog=blog) for _ in range(2)]
    for score in (1, 2, 3):
        Comment.objects.create(post=posts[0], score=score)
    warm()
    return posts


def test_single_rows(posts):
    comment = Comment.objects.nocache().get(score=3)
    comment.post, comment.public = posts[1], False
    comment.save()
    assert_true()
    comment.score = 0
    comment.save()
    assert_true()
    comment.post = posts[0]
    comment.save()
    assert_true()
    comment.delete()
    assert_true()
    blog = Blog.objects.get()
    for name in ("new", "one", "new"):
        blog.name = name
        blog.save()
        assert_true()
    posts[0].delete()
    assert_true()


def test_many_rows(posts):
    for _ in range(2):
        Comment.objects.bulk_create([Comment(post=posts[1], score=n) for n in (7, 8)])
        assert_true()
        Comment.objects.filter(score__gt=2).update(post=posts[0], public=False)
        assert_true()
        Comment.objects.filter(score__gt=2).invalidated_update(post=posts[1])
        assert_true()
        Comment.objects.filter(score__gt=2).delete()
        assert_true()
    Blog.objects.update(name="all")
    assert_true()


def test_writes_that_wait(posts):
    with coalesce():
        for score in (4, 5):
            Comment.objects.create(post=posts[1], score=score)
    assert_true()
    with unsynced(reconcile=True):
        Comment.objects.filter(score=4).delete()
    assert_true()
    with transaction.atomic():
        Comment.objects.create(post=posts[1], score=9)
        transaction.set_rollback(True)
    assert_true()


def test_drift_is_seen_and_repaired(posts):
    with unsynced():
        Post.objects.update(comment_count=99)
    assert not reconcile(check=True).ok
    reconcile()
    assert_true()


def test_a_cached_target_is_old_until_it_is_invalidated(posts):
    """As after ``QuerySet.update()``, of which cacheops says so."""
    assert Post.objects.get(pk=posts[0].pk).comment_count == 3
    Comment.objects.create(post=posts[0])

    assert Post.objects.get(pk=posts[0].pk).comment_count == 3
    assert Post.objects.nocache().get(pk=posts[0].pk).comment_count == 4
    invalidate_obj(posts[0])
    assert Post.objects.get(pk=posts[0].pk).comment_count == 4


def test_what_the_page_shows(posts):
    assert shown("django-cacheops", globals(), post=posts[0]).CACHEOPS["blog.post"] is None
