"""Receivers as an expert tunes them: SQL that is written once, and no savepoint.

``tuned`` takes old values from a snapshot made in ``from_db()``, which a stale instance deceives;
``tuned_locked`` reads the old row under a lock.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from tests.benchmarks.contestants import base
from tests.benchmarks.contestants.base import ACCOUNT, COMMENT, LOCK, POST, PROFILE, execute, fetch

ADD = f"UPDATE {POST} SET public_count = public_count + %s WHERE id = %s"
MOVE = (
    f"UPDATE {POST} SET public_count = public_count + CASE WHEN id = %s THEN %s ELSE %s END "
    "WHERE id IN (%s, %s)"
)
COPY = f"UPDATE {PROFILE} SET email = %s WHERE account_id = %s"
WATCHED = {"post", "is_public", "email"}
READ = {
    COMMENT: f"SELECT post_id, is_public FROM {COMMENT} WHERE id = %s{LOCK}",
    ACCOUNT: f"SELECT email FROM {ACCOUNT} WHERE id = %s{LOCK}",
}


class Atomic:
    """A transaction, where the save can matter."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.matters(kwargs.get("update_fields")):
            with transaction.atomic(savepoint=False):
                super().save(*args, **kwargs)
        else:
            super().save(*args, **kwargs)


class Snapshot(Atomic):
    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Any:
        instance = super().from_db(db, field_names, values)
        instance.old = instance.watched()
        return instance

    def matters(self, update_fields: Any) -> bool:
        return self._state.adding or self.old != self.watched()


class Locked(Atomic):
    def matters(self, update_fields: Any) -> bool:
        return update_fields is None or not WATCHED.isdisjoint(update_fields)


LOCKED = settings.CONTESTANT == "tuned_locked"
Origin = Locked if LOCKED else Snapshot


class Post(base.BasePost):
    pass


class Comment(Origin, base.BaseComment):
    def watched(self) -> tuple[Any, bool]:
        return self.post_id, self.is_public

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic(savepoint=False):
            return super().delete(*args, **kwargs)


class Account(Origin, base.BaseAccount):
    def watched(self) -> tuple[str]:
        return (self.email,)


class Profile(base.BaseProfile):
    pass


def read_old(instance: Any, update_fields: Any, **_: Any) -> None:
    if not instance._state.adding and instance.matters(update_fields):
        (row,) = fetch(READ[instance._meta.db_table], [instance.pk])
        instance.old = row


if LOCKED:
    pre_save.connect(read_old, sender=Comment)
    pre_save.connect(read_old, sender=Account)


@receiver(post_save, sender=Comment)
def count_comment(instance: Any, created: bool, update_fields: Any = None, **_: Any) -> None:
    if created:
        if instance.is_public:
            execute(ADD, [1, instance.post_id])
    elif update_fields is None or not WATCHED.isdisjoint(update_fields):
        post, was_public = instance.old
        if post != instance.post_id:
            if was_public or instance.is_public:
                execute(
                    MOVE,
                    [
                        instance.post_id,
                        int(instance.is_public),
                        -int(was_public),
                        instance.post_id,
                        post,
                    ],
                )
        elif was_public != instance.is_public:
            execute(ADD, [1 if instance.is_public else -1, post])
    instance.old = instance.watched()


@receiver(post_delete, sender=Comment)
def discount_comment(instance: Any, **_: Any) -> None:
    if instance.is_public:
        execute(ADD, [-1, instance.post_id])


@receiver(post_save, sender=Account)
def copy_email(instance: Any, created: bool, **_: Any) -> None:
    if not created and instance.old != instance.watched():
        execute(COPY, [instance.email, instance.pk])
    instance.old = instance.watched()


def add(change: Counter[Any]) -> None:
    amounts: dict[int, list[Any]] = {}
    for post, amount in sorted(change.items()):
        amounts.setdefault(amount, []).append(post)
    for amount, posts in amounts.items():
        chosen = ", ".join(map(str, posts))
        execute(
            f"UPDATE {POST} SET public_count = public_count + %s WHERE id IN ({chosen})", [amount]
        )


class Work(base.BaseWork):
    """Bulk methods send no signals, so those who call them count by hand."""

    def bulk_create(self, posts: list[Any]) -> None:
        with transaction.atomic(savepoint=False):
            super().bulk_create(posts)
            add(Counter(post.pk for post in posts))

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        with transaction.atomic(savepoint=False):
            old = fetch(
                f"SELECT post_id FROM {COMMENT} "
                f"WHERE id BETWEEN %s AND %s AND is_public <> %s{LOCK}",
                [*pks, is_public],
            )
            super().update(pks, is_public)
            sign = 1 if is_public else -1
            add(Counter({post: sign * n for post, n in Counter(row[0] for row in old).items()}))

    def delete_many(self, pks: tuple[Any, Any]) -> None:
        """Without the instances, which the receivers would need."""
        with transaction.atomic(savepoint=False):
            old = fetch(
                f"SELECT post_id FROM {COMMENT} WHERE id BETWEEN %s AND %s AND is_public{LOCK}", pks
            )
            chosen = Comment.objects.filter(pk__range=pks)
            chosen._raw_delete(chosen.db)
            add(Counter({post: -n for post, n in Counter(row[0] for row in old).items()}))
