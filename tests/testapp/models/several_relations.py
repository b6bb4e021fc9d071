"""Clubs: several relations between the same two models."""

from django.db import models
from django.db.models import Count, F, Q, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field, money_field


class Club(models.Model):
    home_goals = synced(models.IntegerField(default=0), Sum("home_matches__home_goals"))
    away_wins = synced(
        count_field(),
        Count(
            "away_matches",
            filter=Q(away_matches__away_goals__gt=F("away_matches__home_goals")),
        ),
    )
    match_count = synced(count_field(), Count("home_matches") + Count("away_matches"))
    goal_difference = synced(
        models.IntegerField(default=0),
        Sum(F("home_matches__home_goals") - F("home_matches__away_goals"), default=0)
        + Sum(F("away_matches__away_goals") - F("away_matches__home_goals"), default=0),
    )
    transfer_fees = synced(money_field(default=0), Sum("transfer__fee"))
    fan_count = synced(count_field(), Count("fan"))
    # A filter on a column of the target's own.
    quorum = models.IntegerField(default=0)
    big_transfers = synced(
        count_field(), Count("transfer", filter=Q(transfer__fee__gte=F("quorum")))
    )


class Match(models.Model):
    home = models.ForeignKey(Club, models.CASCADE, related_name="home_matches")
    away = models.ForeignKey(Club, models.CASCADE, null=True, related_name="away_matches")
    home_goals = models.IntegerField(default=0)
    away_goals = models.IntegerField(default=0)


class Transfer(models.Model):
    club = models.ForeignKey(
        Club, models.CASCADE, related_name="transfers", related_query_name="transfer"
    )
    fee = money_field(default=0)


class Fan(models.Model):
    """A foreign key without a related name."""

    club = models.ForeignKey(Club, models.CASCADE)
