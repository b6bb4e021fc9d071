"""django-computedfields, as its documentation has it."""

from __future__ import annotations

from typing import Any

from computedfields.models import ComputedFieldsModel, computed, update_dependent
from django.db import models

from tests.benchmarks.contestants import base


class Post(ComputedFieldsModel):
    title = models.CharField(max_length=100, default="A post")

    @computed(models.PositiveIntegerField(default=0), depends=[("comments", ["is_public"])])
    def public_count(self) -> int:
        return self.comments.filter(is_public=True).count() if self.pk else 0


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(ComputedFieldsModel):
    account = models.ForeignKey(Account, models.CASCADE, related_name="profiles")
    about = models.CharField(max_length=200, default="About me")

    @computed(models.EmailField(default=""), depends=[("account", ["email"])])
    def email(self) -> str:
        return self.account.email


class Work(base.BaseWork):
    """Bulk methods send no signals; ``update_dependent()`` is what its users call then."""

    def bulk_create(self, posts: list[Any]) -> None:
        made = Comment.objects.bulk_create(Comment(post=post) for post in posts)
        pks = made[0].pk, made[-1].pk
        update_dependent(Comment.objects.filter(pk__range=pks))

    def update(self, pks: tuple[Any, Any], is_public: bool) -> None:
        super().update(pks, is_public)
        update_dependent(Comment.objects.filter(pk__range=pks), update_fields=["is_public"])

    def reconcile(self) -> None:
        update_dependent(Post.objects.all())
