"""Hives: one kind of maintenance each, for the table of tests/test_proof.py."""

from django.db import models
from django.db.models import Avg, F, Max, Q, Sum

from syncfields import Tally, synced


class Flower(models.Model):
    """What takes its bees along when it goes, and the far end of a many-to-many relation."""


class Swarm(models.Model):
    """What leaves its bees behind."""


class Hive(models.Model):
    name = models.CharField(max_length=40, default="")

    class Meta:
        abstract = True


class Bee(models.Model):
    flower = models.ForeignKey(Flower, models.CASCADE, null=True, related_name="+")
    swarm = models.ForeignKey(Swarm, models.SET_NULL, null=True, related_name="+")
    honey = models.IntegerField(default=0)

    class Meta:
        abstract = True


def hive_key(hive: type[Hive]) -> models.ForeignKey:
    return models.ForeignKey(hive, models.SET_NULL, null=True, related_name="bees")


AT_HOME = Q(bees__swarm=None)


class DeltaHive(Hive):
    flowers = models.ManyToManyField(Flower, through="DeltaBee", related_name="+")
    total = synced(models.IntegerField(default=0), Sum("bees__honey", filter=AT_HOME))


class DeltaBee(Bee):
    hive = hive_key(DeltaHive)


class ExtremeHive(Hive):
    flowers = models.ManyToManyField(Flower, through="ExtremeBee", related_name="+")
    total = synced(models.IntegerField(null=True), Max("bees__honey", filter=AT_HOME))


class ExtremeBee(Bee):
    hive = hive_key(ExtremeHive)


class RecomputeHive(Hive):
    flowers = models.ManyToManyField(Flower, through="RecomputeBee", related_name="+")
    total = synced(models.FloatField(null=True), Avg("bees__honey", filter=AT_HOME))


class RecomputeBee(Bee):
    hive = hive_key(RecomputeHive)


class CopyHive(Hive):
    flowers = models.ManyToManyField(Flower, through="CopyBee", related_name="+")


class CopyBee(Bee):
    hive = hive_key(CopyHive)
    hive_name = synced(models.CharField(max_length=40, null=True), F("hive__name"))


class TallyHive(Hive):
    flowers = models.ManyToManyField(Flower, through="TallyBee", related_name="+")
    total = synced(models.IntegerField(default=0), Tally("bees"))


class TallyBee(Bee):
    hive = hive_key(TallyHive)
