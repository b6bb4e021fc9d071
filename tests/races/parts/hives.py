"""TallyHive > TallyBee: events, each counted once and never taken back.

There is no truth in the rows. So each act returns the keys of the hives for which it has made an
event; when all is committed, the total of a hive is the number of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from django.db import connection, transaction

from syncfields import coalesce, unsynced
from tests.races.parts.world import World
from tests.testapp import models as zoo


class Tallied(World):
    def wrong(self, returned: Sequence[Any]) -> list[str]:
        events = Counter(hive for hives in returned for hive in hives or ())
        totals = zoo.TallyHive.objects.values_list("pk", "total")
        return [
            f"TallyHive {pk}: total is {total}, but there were {events[pk]} events"
            for pk, total in totals
            if total != events[pk]
        ]


unlike = count(100)
"""Values of ``honey``, each for one act only."""


def build():
    with unsynced():
        for _ in range(2):
            hive = zoo.TallyHive.objects.create()
            for honey in (1, 2):
                zoo.TallyBee.objects.create(hive=hive, honey=honey)


world = Tallied(build, rows=(zoo.TallyHive, zoo.TallyBee), targets=())


def hives() -> list[zoo.TallyHive]:
    return list(zoo.TallyHive.objects.order_by("pk"))


def bees() -> list[zoo.TallyBee]:
    return list(zoo.TallyBee.objects.order_by("pk"))


def saved(*all_: zoo.TallyBee, **options: Any) -> list[Any]:
    """Save the bees one by one; the hives that they then have."""
    found = []
    for bee in all_:
        bee.honey += 10
        bee.save(**options)
        # Not as of an old snapshot.
        row = zoo.TallyBee.objects.select_for_update().filter(pk=bee.pk)
        found += row.values_list("hive_id", flat=True)
    return found


@world.part
def create_bee():
    one, _ = hives()
    return lambda: [zoo.TallyBee.objects.create(hive=one).hive_id]


@world.part
def save_bee():
    """A row that is gone comes back by it, which is an event, too."""
    bee, *_ = bees()
    return transaction.atomic(lambda: saved(bee))


@world.part
def save_honey():
    bee, *_ = bees()
    return transaction.atomic(lambda: saved(bee, update_fields=["honey"]))


@world.part
def move_bee():
    bee, *_ = bees()
    bee.hive = hives()[1]
    return transaction.atomic(lambda: saved(bee))


@world.part
def save_bees_at_commit():
    first, *_, last = bees()

    @coalesce()
    def save():
        return saved(last, first)

    return save


@world.part
def save_and_save_in_vain():
    first, second, *_ = bees()

    @transaction.atomic
    def save():
        found = saved(first)
        with suppress(ZeroDivisionError), transaction.atomic():
            saved(second)
            raise ZeroDivisionError
        return found

    return save


@world.part
def delete_bee():
    bee, *_ = bees()

    def delete():
        bee.delete()

    return delete


@world.part
def update_bees():
    _, two = hives()

    def update():
        zoo.TallyBee.objects.filter(honey=1).update(hive=two, honey=3)

    return update


def inserted(places: Sequence[tuple[int, zoo.TallyHive]], **options: Any) -> list[Any]:
    """Insert bees with keys that others may want, too; the hives of those that came in."""
    honey = next(unlike)
    zoo.TallyBee.objects.bulk_create(
        [zoo.TallyBee(pk=pk, hive=hive, honey=honey) for pk, hive in places], **options
    )
    return list(zoo.TallyBee.objects.filter(honey=honey).values_list("hive_id", flat=True))


@world.part
def bulk_create_bees():
    one, two = hives()
    return lambda: inserted([(901, two), (902, one)])


@world.part
def bulk_create_bees_unless_there():
    one, two = hives()
    return lambda: inserted([(902, one), (901, two), (903, two)], ignore_conflicts=True)


@world.part
def upsert_bees():
    """Of a row that is there, nothing changes by which ``inserted()`` knows it."""
    one, two = hives()
    return lambda: inserted(
        [(901, two), (904, one)],
        update_conflicts=True,
        update_fields=["swarm"],
        **({} if connection.vendor == "mysql" else {"unique_fields": ["id"]}),
    )
