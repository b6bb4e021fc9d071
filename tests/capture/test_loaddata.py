"""``loaddata`` saves rows as they are, in any order, over those that are there."""

from __future__ import annotations

import json

import pytest
from django.core import serializers
from django.core.management import call_command

from syncfields import reconcile
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Comment, Post, Reaction
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


def test_loaddata_counts_once_and_ignores_what_the_fixture_says(posts, comments, tmp_path):
    Reaction.objects.bulk_create(Reaction(comment=row) for row in comments)
    everything = [*Blog.objects.all(), *Post.objects.all(), *Comment.objects.all()]
    # What a fixture says of a synced field may be old.
    everything[0].comment_count = everything[2].comment_count = 99
    comments[0].post, comments[1].score = posts[3], 70
    everything += [comments[0], comments[1], *Reaction.objects.all()]
    path = tmp_path / "fixture.json"
    path.write_text(serializers.serialize("json", everything))
    Reaction.objects.filter(comment__score=7).delete()
    Comment.objects.filter(score=7).delete()
    call_command("loaddata", path, verbosity=0)
    assert_truth()

    Blog.objects.all().delete()
    Comment.objects.all().delete()
    call_command("loaddata", path, verbosity=0)

    assert Comment.objects.count() == len(comments)
    assert_truth()


def test_loaddata_of_children_before_their_parents(tmp_path):
    """Foreign keys are not checked while a fixture is loaded, so that any order is one."""
    rows = [
        ("reaction", 1, {"comment": 1}),
        ("comment", 1, {"post": 1, "score": 4}),
        ("card", 1, {"profile": 1, "kind": "visit"}),
        ("profile", 1, {"nickname": "Ann"}),
        ("post", 1, {"blog": 1, "comment_count": 99}),
        ("comment", 2, {"post": 1, "score": 6}),
        ("blog", 1, {"name": "one", "comment_count": 99}),
    ]
    fixture = [
        {"model": f"testapp.{name}", "pk": pk, "fields": fields} for name, pk, fields in rows
    ]
    path = tmp_path / "fixture.json"
    path.write_text(json.dumps(fixture))

    for _ in range(2):
        call_command("loaddata", path, verbosity=0)
        assert zoo.Blog.objects.get().reaction_count == 1
        assert zoo.Post.objects.get().score_sum == 10
        assert_truth()

    assert reconcile().drifted == 0
