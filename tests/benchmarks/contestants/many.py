"""syncfields with as many rules over one path as the contestant's name says."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Count, Q

from syncfields import synced
from tests.benchmarks.contestants import base

RULES = int(settings.CONTESTANT.removeprefix("rules_"))
# Every score is 0, so all counts are the same.
OTHERS = {f"count_{number}": Q(comments__score__lt=number) for number in range(1, RULES)}


def count(condition: Q) -> models.PositiveIntegerField:
    return synced(
        models.PositiveIntegerField(default=0, db_default=0),
        Count("comments", filter=Q(comments__is_public=True) & condition),
    )


class Post(base.BasePost):
    public_count = count(Q())
    locals().update({name: count(condition) for name, condition in OTHERS.items()})


class Comment(base.BaseComment):
    pass


class Account(base.BaseAccount):
    pass


class Profile(base.BaseProfile):
    pass


class Work(base.BaseWork):
    def settle(self) -> None:
        if OTHERS:
            values = ", ".join(f"{name} = public_count" for name in OTHERS)
            base.execute(f"UPDATE {base.POST} SET {values}")

    def other_wrong(self) -> int:
        if not OTHERS:
            return 0
        wrong = " OR ".join(f"{name} <> public_count" for name in OTHERS)
        ((number,),) = base.fetch(f"SELECT COUNT(*) FROM {base.POST} WHERE {wrong}")
        return number
