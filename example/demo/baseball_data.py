"""The Lahman database as rows of the app `baseball`, the published team totals as they are."""

from collections.abc import Iterator

from baseball.models import Batting, Franchise, Player, Team
from demo.archives import lahman
from demo.loading import load


def load_all() -> int:
    keys = {(row["yearID"], row["teamID"]): key for key, row in enumerate(lahman("Teams"), start=1)}
    return (
        load(Franchise, franchises(), total=120)
        + load(Player, players(), total=20_093)
        + load(Team, teams(keys), total=2_955)
        + load(Batting, batting(keys), total=108_789)
    )


TeamKeys = dict[tuple[str, str], int]


def franchises() -> Iterator[Franchise]:
    for row in lahman("TeamsFranchises"):
        yield Franchise(code=row["franchID"], name=row["franchName"])


def players() -> Iterator[Player]:
    for row in lahman("People"):
        yield Player(
            code=row["playerID"],
            first_name=row["nameFirst"],
            last_name=row["nameLast"],
            born=row["birthYear"] or None,
        )


def teams(keys: TeamKeys) -> Iterator[Team]:
    for row in lahman("Teams"):
        yield Team(
            pk=keys[row["yearID"], row["teamID"]],
            franchise_id=row["franchID"],
            year=row["yearID"],
            league=row["lgID"],
            code=row["teamID"],
            name=row["name"],
            wins=row["W"],
            losses=row["L"],
            at_bats=row["AB"] or 0,
            hits=row["H"] or 0,
            home_runs=row["HR"] or 0,
        )


def batting(keys: TeamKeys) -> Iterator[Batting]:
    for row in lahman("Batting"):
        yield Batting(
            player_id=row["playerID"],
            team_id=keys[row["yearID"], row["teamID"]],
            year=row["yearID"],
            stint=row["stint"],
            games=row["G"] or 0,
            at_bats=row["AB"] or 0,
            hits=row["H"] or 0,
            home_runs=row["HR"] or 0,
        )
