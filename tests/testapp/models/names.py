"""Unusual names of tables, schemas and columns."""

from django.db import connection, models
from django.db.models import Count, F, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field


class Country(models.Model):
    code = models.CharField(max_length=8, primary_key=True)
    name = models.CharField(max_length=40, default="")
    population = synced(
        models.BigIntegerField(default=0, db_column="PopTotal"), Sum("cities__size")
    )
    parcel_count = synced(count_field(), Count("cities__parcels"))


class City(models.Model):
    country = models.ForeignKey(Country, models.CASCADE, null=True, related_name="cities")
    size = models.BigIntegerField(default=0)
    country_name = synced(models.CharField(max_length=40, null=True), F("country__name"))


# The table's name with its schema in front, where Django can create and read a table by it.
QUALIFIED = '"public"."testapp_parcel"' if connection.vendor == "postgresql" else "testapp_parcel"


class Parcel(models.Model):
    # No constraint, or Django could not empty the city's table: it does not find this one.
    city = models.ForeignKey(City, models.CASCADE, related_name="parcels", db_constraint=False)
    stamp_count = synced(count_field(), Count("stamps"))

    class Meta:
        db_table = QUALIFIED


class Stamp(models.Model):
    parcel = models.ForeignKey(Parcel, models.CASCADE, related_name="stamps")


class Till(models.Model):
    """The name of one field is that of the other and a digit."""

    sales = synced(models.IntegerField(default=0), Sum("receipts__amount"))
    sales1 = synced(models.IntegerField(default=0), Sum("receipts__tip"))


class Receipt(models.Model):
    till = models.ForeignKey(Till, models.CASCADE, related_name="receipts")
    amount = models.IntegerField(default=0)
    tip = models.IntegerField(default=0)
