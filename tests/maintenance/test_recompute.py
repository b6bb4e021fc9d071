"""Expressions that are evaluated anew."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.testapp.models import Comment, Gadget, Maker, Post
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def makers():
    return [
        Maker.objects.create(name=f"maker {year}", founded=dt.date(year, 1, 1))
        for year in (1990, 2000)
    ]


def test_an_aggregate_that_is_not_null_over_no_rows(makers):
    assert Maker.objects.get(pk=makers[0].pk).mean_weight == 7
    gadget = Gadget.objects.create(maker=makers[0], weight=3)
    assert_truth()
    Gadget.objects.bulk_create(Gadget(maker=makers[1], weight=weight) for weight in (None, 9))
    assert_truth()

    gadget.delete()
    Gadget.objects.filter(maker=makers[1]).delete()

    assert set(Maker.objects.values_list("mean_weight", flat=True)) == {7}
    assert_truth()
    Maker.objects.bulk_create([Maker(name="third"), Maker(name="fourth")])
    assert_truth()


def test_a_small_change_of_a_large_float_is_written():
    post = Post.objects.create()
    for heat in (1e9, 1.5):
        comment = Comment.objects.create(post=post, heat=heat)

    Comment.objects.filter(pk=comment.pk).update(heat=2.0)

    assert Post.objects.get().heat == 1e9 + 2
