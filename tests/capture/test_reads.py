"""What the library reads comes from the database that is written, and never from a cache.

A router may send reads to a replica, and packages such as django-cacheops answer a queryset from a
cache; both ask ``QuerySet._for_write``.
"""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, QuerySet

import syncfields
from syncfields import coalesce, reconcile, unsynced
from tests import menagerie
from tests.testapp import models as zoo

pytestmark = pytest.mark.django_db

PACKAGE = Path(syncfields.__file__).parent
READS = ("_fetch_all", "iterator", "exists", "count", "aggregate")


@pytest.fixture
def reads(monkeypatch):
    """Querysets that syncfields itself has evaluated, without saying that they are for a write."""
    found = []

    def noting(read):
        def call(self, *args, **kwargs):
            # Django looks content types up, once, where it writes the SQL of a generic relation.
            if not self._for_write and self.model is not ContentType and is_ours(nearest()):
                found.append((self.model.__name__, nearest().line))
            return read(self, *args, **kwargs)

        return call

    for name in READS:
        monkeypatch.setattr(QuerySet, name, noting(getattr(QuerySet, name)))
    return found


def nearest():
    """The nearest place in the code that asks which is not Django's own."""
    frames = traceback.extract_stack()[:-2]
    return next(frame for frame in reversed(frames) if "/django/" not in frame.filename)


def is_ours(frame):
    """Wrapped methods of Django's read what they read."""
    return Path(frame.filename).is_relative_to(PACKAGE) and "original(" not in (frame.line or "")


def test_reads_of_each_kind_of_write_are_for_writing(reads):
    menagerie.populate()
    for model in (zoo.Blog, zoo.Post, zoo.Comment, zoo.Order, zoo.Line, zoo.City, zoo.Category):
        for instance in list(QuerySet(model)):
            instance.save()
    zoo.Comment.objects.update(score=F("score") + 1)
    zoo.Post.objects.filter(is_live=True).update(is_live=False)
    with coalesce():
        zoo.Comment.objects.filter(score__gt=2).delete()
    with unsynced(reconcile=True):
        zoo.Line.objects.update(qty=4)
    zoo.Comment.objects.bulk_create(
        zoo.Comment(post=post, created=menagerie.NOON) for post in zoo.Post.objects.all()
    )
    for model in (zoo.Blog, zoo.Customer, zoo.Place, zoo.Category, zoo.Team):
        for instance in list(QuerySet(model)):
            instance.delete()
    reconcile()

    assert reads == []
