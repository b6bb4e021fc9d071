"""django-guardian: permissions of single objects, as rows of two tables of the project's own."""

from __future__ import annotations

import pytest

pytest.importorskip("guardian", reason="django-guardian is not installed")

from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models import Count, F, Max, Q
from django.test.utils import isolate_apps
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase
from guardian.shortcuts import assign_perm, get_objects_for_user, get_users_with_perms, remove_perm

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Vault(models.Model):
    name = models.CharField(max_length=20)
    grant_count = synced(models.IntegerField(default=0), Count("vaultuserpermission"))
    opener_count = synced(
        models.IntegerField(default=0),
        Count(
            "vaultuserpermission",
            filter=Q(vaultuserpermission__permission__codename="open_vault"),
        ),
    )
    user_count = synced(
        models.IntegerField(default=0), Count("vaultuserpermission__user", distinct=True)
    )
    last_user = synced(models.IntegerField(null=True), Max("vaultuserpermission__user"))
    group_count = synced(models.IntegerField(default=0), Count("vaultgrouppermission"))

    class Meta:
        permissions = [("open_vault", "Can open the vault")]


class VaultUserPermission(UserObjectPermissionBase):
    content_object = models.ForeignKey(Vault, models.CASCADE)
    username = synced(models.CharField(max_length=150), F("user__username"))


class VaultGroupPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Vault, models.CASCADE)


@pytest.fixture
def vaults(db):
    return [Vault.objects.create(name=name) for name in ("one", "two", "three")]


@pytest.fixture
def users(db):
    return [User.objects.create(username=name) for name in ("ann", "bob")]


@pytest.fixture
def group(db):
    return Group.objects.create(name="staff")


def test_one_permission(vaults, users):
    for user in users:
        for permission in ("open_vault", "change_vault"):
            assign_perm(permission, user, vaults[0])
            assert_true()
    assert Vault.objects.values_list("grant_count", "opener_count", "user_count").first() == (
        4,
        2,
        2,
    )
    assign_perm("open_vault", users[0], vaults[0])
    assert_true()
    assert set(get_users_with_perms(vaults[0])) == set(users)

    remove_perm("open_vault", users[0], vaults[0])
    assert_true()
    assert Vault.objects.get(name="one").opener_count == 1


def test_many_objects(vaults, users, group):
    assign_perm("open_vault", users[0], Vault.objects.all())
    assert_true()
    assign_perm("open_vault", group, Vault.objects.exclude(name="two"))
    assert_true()
    assert get_objects_for_user(users[0], "packages.open_vault").count() == 3

    remove_perm("open_vault", users[0], Vault.objects.exclude(name="three"))
    assert_true()
    remove_perm("open_vault", group, Vault.objects.all())
    assert_true()


def test_many_users(vaults, users):
    assign_perm("open_vault", User.objects.filter(username__in=["ann", "bob"]), vaults[1])
    assert_true()
    assert Vault.objects.get(name="two").user_count == 2
    User.objects.filter(pk=users[0].pk).update(username="anna")
    assert_true()


def test_the_end_of_users_groups_and_vaults(vaults, users, group):
    assign_perm("open_vault", users[0], Vault.objects.all())
    assign_perm("open_vault", users[1], vaults[0])
    assign_perm("change_vault", group, vaults[0])
    users[0].delete()
    assert_true()
    group.delete()
    assert_true()
    vaults[0].delete()
    assert_true()
    VaultUserPermission.objects.all().delete()
    assert_true()


@isolate_apps("tests.packages")
def test_what_the_page_shows():
    made = shown("django-guardian", globals(), __name__=__name__).VaultUserPermission

    (declared,) = made._meta.local_fields[-1:]
    assert declared.deconstruct() == VaultUserPermission.content_object.field.deconstruct()
