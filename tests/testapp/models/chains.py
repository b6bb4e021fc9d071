"""Passengers: a target that is a source."""

from django.db import models
from django.db.models import Count, F

from syncfields import synced
from tests.testapp.models.fields import count_field


class Ticket(models.Model):
    fare = models.IntegerField(default=0)


class Coach(models.Model):
    passenger_count = synced(count_field(), Count("passengers"))


class Passenger(models.Model):
    """A target that is counted itself, and that nothing refers to."""

    coach = models.ForeignKey(Coach, models.CASCADE, related_name="passengers")
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="passengers")
    fare = synced(models.IntegerField(default=0), F("ticket__fare"))
