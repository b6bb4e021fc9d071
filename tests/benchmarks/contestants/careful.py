"""Receivers as a careful developer writes them, by the ORM alone.

Old values are read under a lock, updates are by ``F()``, and every write is one transaction. Bulk
methods send no signals, so those who call them count by hand.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from tests.benchmarks.contestants import base

NO_KEY = connection.vendor == "postgresql"


class Post(base.BasePost):
    pass


class Atomic:
    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            super().save(*args, **kwargs)


class Comment(Atomic, base.BaseComment):
    def delete(self, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic():
            return super().delete(*args, **kwargs)


class Account(Atomic, base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    pass


def old_row(instance: Any, update_fields: Any, columns: set[str]) -> Any:
    if instance._state.adding or (update_fields and columns.isdisjoint(update_fields)):
        return None
    rows = type(instance).objects.select_for_update(no_key=NO_KEY)
    return rows.filter(pk=instance.pk).first()


@receiver(pre_save, sender=Comment)
def remember_comment(instance: Any, update_fields: Any, **_: Any) -> None:
    instance.old = old_row(instance, update_fields, {"post", "post_id", "is_public"})


@receiver(post_save, sender=Comment)
def count_comment(instance: Any, created: bool, **_: Any) -> None:
    change = Counter()
    if created or instance.old:
        change[instance.post_id] += instance.is_public
    if instance.old:
        change[instance.old.post_id] -= instance.old.is_public
    add(change)


@receiver(post_delete, sender=Comment)
def discount_comment(instance: Any, **_: Any) -> None:
    if instance.is_public:
        add(Counter({instance.post_id: -1}))


@receiver(pre_save, sender=Account)
def remember_account(instance: Any, update_fields: Any, **_: Any) -> None:
    instance.old = old_row(instance, update_fields, {"email"})


@receiver(post_save, sender=Account)
def copy_email(instance: Any, **_: Any) -> None:
    if instance.old and instance.old.email != instance.email:
        Profile.objects.filter(account=instance).update(email=instance.email)


def add(change: Counter[Any]) -> None:
    amounts: dict[int, list[Any]] = {}
    for post, amount in sorted(change.items()):
        if amount:
            amounts.setdefault(amount, []).append(post)
    for amount, posts in amounts.items():
        Post.objects.filter(pk__in=posts).update(public_count=F("public_count") + amount)


class Work(base.BaseWork):
    def bulk_create(self, posts: list[Any]) -> None:
        with transaction.atomic():
            super().bulk_create(posts)
            add(Counter(post.pk for post in posts))

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        with transaction.atomic():
            chosen = Comment.objects.filter(pk__range=pks).exclude(is_public=is_public)
            old = chosen.select_for_update(no_key=NO_KEY).values_list("post_id", flat=True)
            sign = 1 if is_public else -1
            change = Counter({post: sign * n for post, n in Counter(old).items()})
            super().update(pks, is_public)
            add(change)

    def reconcile(self) -> None:
        right = Post.objects.annotate(right=Count("comments", filter=Q(comments__is_public=True)))
        wrong = []
        for post in right.iterator():
            if post.public_count != post.right:
                post.public_count = post.right
                wrong.append(post)
        Post.objects.bulk_update(wrong, ["public_count"], batch_size=500)
