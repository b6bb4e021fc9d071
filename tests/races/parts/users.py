"""User > Profile > Card: copies, copies of copies."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.db import connection

from syncfields import reconcile
from tests.races.parts.world import World
from tests.testapp import models as zoo

User = get_user_model()


def build():
    ann, _bob = (
        User.objects.create(username=name, email=f"{name}@x.org", first_name=name)
        for name in ("ann", "bob")
    )
    profile = zoo.Profile.objects.create(user=ann, nickname="nan")
    zoo.Card.objects.create(profile=profile)
    zoo.Badge.objects.create(holder=ann)


world = World(
    build,
    rows=(User, zoo.Badge, zoo.Profile, zoo.Card, zoo.Passport),
    targets=(User, zoo.Profile, zoo.Card, zoo.Passport),
)


@world.part
def change_user():
    ann = User.objects.get(username="ann")
    ann.email, ann.username, ann.is_active = "new@x.org", "anna", False
    return ann.save


@world.part
def change_other_user():
    bob = User.objects.get(username="bob")
    bob.email, bob.username, bob.is_active = "newbob@x.org", "bobby", False
    return bob.save


@world.part
def update_users():
    return lambda: User.objects.update(email="all@x.org", first_name="all")


@world.part
def create_profile():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Profile.objects.create(user=bob, nickname="bobby")


@world.part
def bulk_create_profiles():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Profile.objects.bulk_create(
        [zoo.Profile(user=bob), zoo.Profile(nickname="nobody")]
    )


@world.part
def create_profiles_unless_there():
    users = list(User.objects.order_by("username"))
    return lambda: zoo.Profile.objects.bulk_create(
        [zoo.Profile(user=user) for user in users], ignore_conflicts=True
    )


@world.part
def upsert_profiles():
    """One is there, and one may be inserted in the meantime by another."""
    users = list(User.objects.order_by("username"))
    return lambda: zoo.Profile.objects.bulk_create(
        [zoo.Profile(user=user, nickname="both") for user in users],
        update_conflicts=True,
        update_fields=["nickname"],
        **({} if connection.vendor == "mysql" else {"unique_fields": ["user"]}),
    )


@world.part
def update_or_create_profile():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Profile.objects.update_or_create({"nickname": "bobby"}, user=bob)


@world.part
def move_profile():
    profile = zoo.Profile.objects.get(nickname="nan")
    profile.user = User.objects.get(username="bob")
    return profile.save


@world.part
def rename_profile():
    profile = zoo.Profile.objects.get(nickname="nan")
    profile.nickname = "nancy"
    return profile.save


@world.part
def delete_profile():
    return zoo.Profile.objects.get(nickname="nan").delete


@world.part
def create_card():
    profile = zoo.Profile.objects.get(nickname="nan")
    return lambda: zoo.Card.objects.create(profile=profile, kind="new")


@world.part
def bulk_create_cards():
    profile = zoo.Profile.objects.get(nickname="nan")
    return lambda: zoo.Card.objects.bulk_create(
        [zoo.Card(profile=profile, kind=kind) for kind in "ab"]
    )


@world.part
def create_passport():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Passport.objects.create(holder=bob)


@world.part
def delete_user():
    return User.objects.get(username="ann").delete


@world.part
def revoke_badge():
    badge = zoo.Badge.objects.get()
    badge.revoked = True
    return badge.save


@world.part
def create_badge():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Badge.objects.create(holder=bob)


@world.part
def reconcile_users():
    return lambda: reconcile(zoo.Profile, zoo.Card, zoo.Passport)
