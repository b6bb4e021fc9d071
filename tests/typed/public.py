"""What is declared has the type of its field; managers and querysets know their model."""

from __future__ import annotations

from django.db import models
from django.db.models import Count
from typing_extensions import assert_type

import syncfields
from syncfields import (
    Interrupted,
    Report,
    SyncManager,
    SyncQuerySet,
    areconcile,
    coalesce,
    reconcile,
    register,
    synced,
    unsynced,
)
from syncfields.health import Health, health
from syncfields.testing import aassert_in_sync, assert_in_sync
from tests.typed.models import Post


class PostQuerySet(SyncQuerySet[Post]):
    def titled(self) -> PostQuerySet:
        return self.exclude(title="")


def fields(score: models.IntegerField[int, int]) -> None:
    assert_type(synced(score, Count("comments")), models.IntegerField[int, int])


def managers(objects: SyncManager[Post]) -> None:
    assert_type(Post.objects, SyncManager[Post])
    assert_type(Post.objects.get(), Post)
    assert_type(Post.objects.filter(title="").exclude(title="").reconcile(), Report)
    assert_type(objects.get(), Post)
    assert_type(objects.reconcile(), Report)
    assert_type(objects.filter(title=""), SyncQuerySet[Post])
    assert_type(objects.exclude(title="").reconcile(check=True), Report)
    assert_type(SyncManager["Post"](), SyncManager[Post])


def querysets(rows: PostQuerySet) -> None:
    assert_type(rows.titled().reconcile(), Report)
    assert_type(rows.titled(), PostQuerySet)


def functions() -> None:
    report = reconcile("shop", Post, Post.objects.filter(pk=1), check=True, batch_size=100)
    assert_type(report, Report)
    assert_type(report.rules[0].label, str)
    assert_type(health(Post), Health)
    assert_in_sync(Post)
    register(Post, comment_count=Count("comments"))
    with coalesce(), unsynced(reconcile=True):
        pass
    try:
        reconcile()
    except Interrupted as stop:
        assert_type(stop.report, Report)


async def asynchronously() -> None:
    assert_type(await areconcile(Post), Report)
    await aassert_in_sync()
    async with coalesce(), unsynced():
        pass


@unsynced()
def load(number: int) -> str:
    return str(number)


assert_type(load(1), str)
assert_type(syncfields.__version__, str)
