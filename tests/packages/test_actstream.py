"""django-activity-stream: actions about rows of any model, by three generic keys."""

from __future__ import annotations

import pytest

pytest.importorskip("actstream", reason="django-activity-stream is not installed")

from actstream import action
from actstream.actions import follow, unfollow
from actstream.models import Action, Follow
from django.contrib.auth.models import User
from django.contrib.contenttypes.fields import GenericRelation
from django.db import models
from django.db.models import Count, Max, Q

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


def generic(model, name):
    return GenericRelation(
        model, content_type_field=f"{name}content_type", object_id_field=f"{name}object_id"
    )


class Wall(models.Model):
    targeted = generic(Action, "target_")
    acted = generic(Action, "actor_")
    follows = generic(Follow, "")
    action_count = synced(models.IntegerField(default=0), Count("targeted"))
    like_count = synced(
        models.IntegerField(default=0), Count("targeted", filter=Q(targeted__verb="likes"))
    )
    last_at = synced(models.DateTimeField(null=True), Max("targeted__timestamp"))
    acted_count = synced(models.IntegerField(default=0), Count("acted"))
    follower_count = synced(models.IntegerField(default=0), Count("follows"))


@pytest.fixture
def wall(db):
    from actstream import registry

    registry.register(User, Wall)
    return Wall.objects.create(pk=7)


def test_actions_and_followers(wall):
    ann, bob = (User.objects.create(username=name) for name in ("ann", "bob"))
    for user in (ann, bob):
        action.send(user, verb="likes", target=wall)
        assert_true()
        follow(user, wall)
        assert_true()
    action.send(wall, verb="changed", target=ann)
    assert_true()
    found = Wall.objects.values_list("like_count", "follower_count", "acted_count").get()
    assert found == (2, 2, 1)
    unfollow(ann, wall)
    assert_true()
    Action.objects.filter(verb="likes").first().delete()
    assert_true()
    Action.objects.update(verb="likes")
    assert_true()
    bob.delete()
    assert_true()
    wall.delete()
    assert_true(some=False)


def test_what_the_page_shows(wall):
    made = shown(
        "django-activity-stream", globals(), user=User.objects.create(username="ann"), wall=wall
    )

    of_the_trial = Wall._meta.get_field("targeted")
    for each in ("object_id_field_name", "content_type_field_name"):
        assert getattr(made.targeted, each) == getattr(of_the_trial, each)
    assert_true()
    assert Wall.objects.get().action_count == 1
