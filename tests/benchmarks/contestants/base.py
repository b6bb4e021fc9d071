"""The columns that all contestants share, and the work as the ORM does it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.utils import timezone

POST = "benchmarks_post"
COMMENT = "benchmarks_comment"
ACCOUNT = "benchmarks_account"
PROFILE = "benchmarks_profile"

LOCK = {"postgresql": " FOR NO KEY UPDATE", "mysql": " FOR UPDATE"}.get(connection.vendor, "")


class BasePost(models.Model):
    title = models.CharField(max_length=100, default="A post")
    public_count = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True
        app_label = "benchmarks"


class BaseComment(models.Model):
    post = models.ForeignKey("benchmarks.Post", models.CASCADE, related_name="comments")
    text = models.CharField(max_length=200, default="A comment")
    is_public = models.BooleanField(default=True)
    created = models.DateTimeField(default=timezone.now)
    score = models.IntegerField(default=0)

    class Meta:
        abstract = True
        app_label = "benchmarks"


class BaseAccount(models.Model):
    name = models.CharField(max_length=100, default="Somebody")
    email = models.EmailField(default="somebody@example.com")

    class Meta:
        abstract = True
        app_label = "benchmarks"


class BaseProfile(models.Model):
    account = models.ForeignKey("benchmarks.Account", models.CASCADE, related_name="profiles")
    about = models.CharField(max_length=200, default="About me")
    email = models.EmailField(default="somebody@example.com")

    class Meta:
        abstract = True
        app_label = "benchmarks"


def execute(sql: str, parameters: Iterable[Any] = ()) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return cursor.rowcount


def fetch(sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return cursor.fetchall()


class BaseWork:
    """What the workloads do. A contestant replaces what its users would write differently."""

    cannot: tuple[str, ...] = ()
    """Workloads that it has no way to do."""

    def __init__(self) -> None:
        self.Post = apps.get_model("benchmarks", "Post")
        self.Comment = apps.get_model("benchmarks", "Comment")
        self.Account = apps.get_model("benchmarks", "Account")
        self.Profile = apps.get_model("benchmarks", "Profile")

    def install(self) -> None:
        """Called once, when the tables are there."""

    def settle(self) -> None:
        """Called when rows were put into the tables by SQL, with values that are right."""

    def other_wrong(self) -> int:
        """How many values are wrong that only this contestant has."""
        return 0

    def transaction(self) -> AbstractContextManager[Any]:
        return transaction.atomic()

    def create(self, post: Any) -> None:
        self.Comment.objects.create(post=post, text="A new comment")

    def flip(self, comment: Any) -> None:
        comment.is_public = not comment.is_public
        comment.save()

    def move(self, comment: Any, post: Any) -> None:
        comment.post = post
        comment.save()

    def edit(self, comment: Any) -> None:
        comment.text = "A new text"
        comment.save()

    def edit_field(self, comment: Any) -> None:
        comment.text = "A new text"
        comment.save(update_fields=["text"])

    def delete(self, comment: Any) -> None:
        comment.delete()

    def bulk_create(self, posts: list[Any]) -> None:
        self.Comment.objects.bulk_create(self.Comment(post=post) for post in posts)

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        self.Comment.objects.filter(pk__range=pks).update(is_public=is_public)

    def delete_many(self, pks: tuple[Any, Any]) -> None:
        self.Comment.objects.filter(pk__range=pks).delete()

    def change_email(self, account: Any, email: str) -> None:
        account.email = email
        account.save()

    def load(self) -> None:
        for _ in self.Comment.objects.iterator():
            pass

    def reconcile(self) -> None:
        raise NotImplementedError
