"""django-denorm-iplweb: counts by row triggers, copies by a queue that ``flush()`` works off."""

from __future__ import annotations

from typing import Any

from denorm import CountField, denormalized, depend_on_related, flush
from django.db import models

from tests.benchmarks.contestants import base


class Post(models.Model):
    title = models.CharField(max_length=100, default="A post")
    public_count = CountField("comments", filter={"is_public": True})


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(models.Model):
    account = models.ForeignKey(Account, models.CASCADE, related_name="profiles")
    about = models.CharField(max_length=200, default="About me")

    @denormalized(models.EmailField, default="")
    @depend_on_related("Account", foreign_key="account")
    def email(self) -> str:
        return self.account.email


class Work(base.BaseWork):
    def settle(self) -> None:
        base.execute("DELETE FROM denorm_dirtyinstance")

    def change_email(self, account: Any, email: str) -> None:
        super().change_email(account, email)
        flush()
