"""Silos and depots: rows that the database itself deletes, or whose keys it changes."""

from django.db import connection, models
from django.db.models import Count, F, Max, Q, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field

# New in Django 6.1; before it, Django does the same.
DB_CASCADE = getattr(models, "DB_CASCADE", models.CASCADE)
DB_SET_NULL = getattr(models, "DB_SET_NULL", models.SET_NULL)
# MariaDB has no ON DELETE SET DEFAULT.
DB_SET_DEFAULT = (
    models.SET_DEFAULT
    if connection.vendor == "mysql"
    else getattr(models, "DB_SET_DEFAULT", models.SET_DEFAULT)
)


class Farm(models.Model):
    grain_weight = synced(models.IntegerField(default=0), Sum("silos__grains__weight"))


class Market(models.Model):
    grain_count = synced(count_field(), Count("grains"))
    heaviest = synced(models.IntegerField(null=True), Max("grains__weight"))
    unlabelled = synced(count_field(), Count("grains", filter=Q(grains__label=None)))


class Label(models.Model):
    name = models.CharField(max_length=40, default="")


class Silo(models.Model):
    farm = models.ForeignKey(Farm, DB_CASCADE, related_name="silos")


class Grain(models.Model):
    silo = models.ForeignKey(Silo, DB_CASCADE, null=True, related_name="grains")
    market = models.ForeignKey(Market, DB_SET_NULL, null=True, related_name="grains")
    label = models.ForeignKey(Label, DB_SET_NULL, null=True, related_name="grains")
    weight = models.IntegerField(default=1)
    label_name = synced(models.CharField(max_length=40, null=True), F("label__name"))


class Seal(models.Model):
    label = models.ForeignKey(Label, DB_SET_DEFAULT, default=1, db_default=1)
    label_name = synced(models.CharField(max_length=40, null=True), F("label__name"))


# Depots: a path of two keys which the database itself sets to NULL, or to their default ----------


class Depot(models.Model):
    name = models.CharField(max_length=40, default="")
    crate_count = synced(count_field(), Count("trucks__crates"))
    heaviest = synced(models.IntegerField(null=True), Max("trucks__crates__weight"))

    class Meta:
        abstract = True


class Truck(models.Model):
    load = synced(models.IntegerField(default=0), Sum("crates__weight"))

    class Meta:
        abstract = True


class Crate(models.Model):
    weight = models.IntegerField(default=1)
    depot_name = synced(models.CharField(max_length=40, null=True), F("truck__depot__name"))

    class Meta:
        abstract = True


class NullDepot(Depot):
    pass


class NullTruck(Truck):
    depot = models.ForeignKey(NullDepot, DB_SET_NULL, null=True, related_name="trucks")


class NullCrate(Crate):
    truck = models.ForeignKey(NullTruck, DB_SET_NULL, null=True, related_name="crates")


class DefaultDepot(Depot):
    pass


class DefaultTruck(Truck):
    depot = models.ForeignKey(
        DefaultDepot, DB_SET_DEFAULT, default=1, db_default=1, related_name="trucks"
    )


class DefaultCrate(Crate):
    truck = models.ForeignKey(
        DefaultTruck, DB_SET_DEFAULT, default=1, db_default=1, related_name="crates"
    )
