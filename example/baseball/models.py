"""The Lahman baseball database: who batted for which team in which year."""

from django.db import models
from django.db.models import Count, F, Max, Min, Sum

from syncfields import synced


class Franchise(models.Model):
    code = models.CharField(max_length=3, primary_key=True)
    name = models.CharField(max_length=50)
    seasons = synced(models.PositiveIntegerField(default=0), Count("teams"))
    # A rule on a rule: a corrected batting line reaches its team, and by its team the franchise.
    home_runs = synced(models.PositiveIntegerField(default=0), Sum("teams__home_runs"))

    def __str__(self) -> str:
        return self.name


class Team(models.Model):
    """One season of a team; its published totals differ from its batting lines here and there."""

    franchise = models.ForeignKey(Franchise, models.PROTECT, related_name="teams")
    year = models.PositiveSmallIntegerField()
    league = models.CharField(max_length=2)
    code = models.CharField(max_length=3)
    name = models.CharField(max_length=50)
    wins = models.PositiveSmallIntegerField()
    losses = models.PositiveSmallIntegerField()
    at_bats = synced(models.PositiveIntegerField(default=0), Sum("batting__at_bats"))
    hits = synced(models.PositiveIntegerField(default=0), Sum("batting__hits"))
    home_runs = synced(models.PositiveIntegerField(default=0), Sum("batting__home_runs"))

    class Meta:
        ordering = ["year", "code"]
        constraints = [models.UniqueConstraint(fields=["year", "code"], name="one_team_a_year")]

    def __str__(self) -> str:
        return f"{self.year} {self.code}"


class Player(models.Model):
    code = models.CharField(max_length=9, primary_key=True)
    first_name = models.CharField(max_length=50, blank=True)
    last_name = models.CharField(max_length=50)
    born = models.PositiveSmallIntegerField(null=True, blank=True)
    at_bats = synced(models.PositiveIntegerField(default=0), Sum("batting__at_bats"))
    hits = synced(models.PositiveIntegerField(default=0), Sum("batting__hits"))
    home_runs = synced(
        models.PositiveIntegerField(default=0, db_index=True), Sum("batting__home_runs")
    )
    # Distinct: a player who changes teams has several lines in one season.
    seasons = synced(models.PositiveIntegerField(default=0), Count("batting__year", distinct=True))
    first_season = synced(models.PositiveSmallIntegerField(null=True), Min("batting__year"))
    last_season = synced(models.PositiveSmallIntegerField(null=True), Max("batting__year"))

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class Batting(models.Model):
    """What one player batted for one team in one season."""

    player = models.ForeignKey(Player, models.CASCADE, related_name="batting")
    team = models.ForeignKey(Team, models.PROTECT, related_name="batting")
    team_name = synced(models.CharField(max_length=50, default=""), F("team__name"))
    year = models.PositiveSmallIntegerField()
    stint = models.PositiveSmallIntegerField(default=1)
    games = models.PositiveSmallIntegerField(default=0)
    at_bats = models.PositiveSmallIntegerField(default=0)
    hits = models.PositiveSmallIntegerField(default=0)
    home_runs = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = "batting line"
        constraints = [
            models.UniqueConstraint(fields=["player", "year", "stint"], name="one_line_a_stint")
        ]

    def __str__(self) -> str:
        return f"{self.player_id} {self.year}"
