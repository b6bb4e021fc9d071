"""syncfields, as its guide has it; the settings make the difference between its entries."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q

from syncfields import coalesce, reconcile, synced
from tests.benchmarks.contestants import base


class Post(base.BasePost):
    public_count = synced(
        models.PositiveIntegerField(default=0),
        Count("comments", filter=Q(comments__is_public=True)),
    )


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    email = synced(models.EmailField(default="somebody@example.com"), F("account__email"))


class Work(base.BaseWork):
    def transaction(self) -> AbstractContextManager[Any]:
        return coalesce() if settings.CONTESTANT == "coalesce" else super().transaction()

    def reconcile(self) -> None:
        reconcile(Post)
