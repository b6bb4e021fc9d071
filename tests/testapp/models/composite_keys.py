"""Teams: a primary key of several columns, and one that is the relation."""

from django.db import models
from django.db.models import Count, F, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field


class Team(models.Model):
    name = models.CharField(max_length=40, default="")
    seat_weight = synced(models.IntegerField(default=0), Sum("seats__weight"))
    mascot_name = synced(models.CharField(max_length=40, null=True), F("mascot__name"))
    mascot_height = synced(models.IntegerField(default=0), Sum("mascot__height"))


class Mascot(models.Model):
    """A source whose primary key is the relation."""

    team = models.OneToOneField(Team, models.CASCADE, primary_key=True)
    name = models.CharField(max_length=40, default="")
    height = models.IntegerField(default=0)


class Seat(models.Model):
    """Target and source with a composite primary key."""

    pk = models.CompositePrimaryKey("team_id", "number")
    team = models.ForeignKey(Team, models.CASCADE, related_name="seats")
    number = models.IntegerField()
    weight = models.IntegerField(default=1)
    team_name = synced(models.CharField(max_length=40, default=""), F("team__name"))
    visit_count = synced(count_field(), Count("visits"))


class Visit(models.Model):
    team_number = models.IntegerField()
    seat_number = models.IntegerField()
    seat = models.ForeignObject(
        Seat,
        models.CASCADE,
        from_fields=("team_number", "seat_number"),
        to_fields=("team", "number"),
        related_name="visits",
    )

    class Meta:
        indexes = [models.Index(fields=["team_number", "seat_number"])]
