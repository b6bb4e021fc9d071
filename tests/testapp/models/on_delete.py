"""Keepers: what becomes of a row whose parent goes."""

from django.db import models
from django.db.models import Count

from syncfields import synced
from tests.testapp.models.fields import count_field

HOME = "home"


def home_keeper() -> str:
    return HOME


class Keeper(models.Model):
    name = models.CharField(max_length=8, primary_key=True)
    owned_count = synced(count_field(), Count("owned"))
    spare_count = synced(count_field(), Count("spare"))
    visited_count = synced(count_field(), Count("visited"))
    bred_count = synced(count_field(), Count("bred"))
    insured_count = synced(count_field(), Count("insured"))


class Pet(models.Model):
    owner = models.ForeignKey(Keeper, models.SET_NULL, null=True, related_name="owned")
    sitter = models.ForeignKey(
        Keeper, models.SET_DEFAULT, default=HOME, null=True, related_name="spare"
    )
    vet = models.ForeignKey(Keeper, models.SET(home_keeper), null=True, related_name="visited")
    breeder = models.ForeignKey(
        Keeper, models.DO_NOTHING, null=True, related_name="bred", db_constraint=False
    )
    insurer = models.ForeignKey(Keeper, models.RESTRICT, null=True, related_name="insured")
