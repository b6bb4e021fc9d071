"""Topic > Reply: one count, one maximum, one average."""

from __future__ import annotations

from django.db import transaction

from syncfields import unsynced
from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    topic = zoo.Topic.objects.create()
    for weight in (2, 4):
        zoo.Reply.objects.create(topic=topic, weight=weight)


world = World(build, rows=(zoo.Topic, zoo.Reply), targets=(zoo.Topic,))


@world.part
def reply_the_mean():
    topic = zoo.Topic.objects.get()
    return lambda: zoo.Reply.objects.create(topic=topic, weight=3)


@world.part
def reply_more():
    topic = zoo.Topic.objects.get()
    return lambda: zoo.Reply.objects.create(topic=topic, weight=9)


@world.part
def raise_best():
    best = zoo.Reply.objects.latest("weight")
    best.weight += 3
    return best.save


@world.part
def delete_best():
    return zoo.Reply.objects.latest("weight").delete


@world.part
def delete_next():
    return zoo.Reply.objects.earliest("weight").delete


@world.part
def delete_replies():
    return lambda: zoo.Reply.objects.filter(weight__gte=3).delete()


@world.part
def bulk_create_replies():
    topic = zoo.Topic.objects.get()
    return lambda: zoo.Reply.objects.bulk_create([zoo.Reply(topic=topic, weight=n) for n in (1, 8)])


@world.part
def reweigh():
    return lambda: zoo.Reply.objects.filter(weight=2).update(weight=4)


@world.part
def retract_from_drifted():
    """A count that cannot fall any further is evaluated anew."""
    reply = zoo.Reply.objects.latest("weight")

    @transaction.atomic
    def retract():
        with unsynced():
            zoo.Topic.objects.update(reply_count=0)
        (deleted, _) = reply.delete()
        if not deleted:  # By somebody else: then it falls no further.
            raise zoo.Reply.DoesNotExist

    return retract
