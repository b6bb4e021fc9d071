"""What a write costs in SQL statements, and what reading costs with and without stored fields."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Max, Min, QuerySet, Sum

from baseball.models import Franchise, Player
from demo.work import Write
from shop.models import Artist, Customer, Track
from syncfields import unsynced

TRANSACTION_COMMANDS = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")
BLOCK = "BEGIN NOT ATOMIC"
"""What MariaDB is sent as one: statements, not the beginning of a transaction."""


def statements(write: Write) -> int:
    """How many statements the write sends, transaction commands apart."""
    sent: list[str] = []

    def count(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if not sql.startswith(TRANSACTION_COMMANDS) or sql.startswith(BLOCK):
            sent.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(count):
        write()
    return len(sent)


def own_statements(write: Write) -> int:
    """The same without syncfields, and undone again."""
    with unsynced(), transaction.atomic():
        count = statements(write)
        transaction.set_rollback(True)
    return count


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    stored: QuerySet[Any]
    computed: QuerySet[Any]

    def milliseconds(self, queryset: QuerySet[Any]) -> float:
        return median(elapsed(lambda: list(queryset.all())) for _ in range(5)) * 1000


def elapsed(read: Callable[[], object]) -> float:
    start = perf_counter()
    read()
    return perf_counter() - start


def pages() -> list[Page]:
    """Lists as an admin or a start page shows them; `computed` as one would write it without."""
    return [
        Page(
            "25 players with most home runs, their careers",
            Player.objects.order_by("-home_runs")[:25],
            Player.objects.annotate(
                x_home_runs=Sum("batting__home_runs"),
                x_hits=Sum("batting__hits"),
                x_at_bats=Sum("batting__at_bats"),
                x_seasons=Count("batting__year", distinct=True),
                x_first=Min("batting__year"),
                x_last=Max("batting__year"),
            ).order_by(F("x_home_runs").desc(nulls_last=True))[:25],
        ),
        Page(
            "all franchises, their seasons and home runs",
            Franchise.objects.order_by("-home_runs"),
            Franchise.objects.annotate(
                x_seasons=Count("teams", distinct=True),
                x_home_runs=Sum("teams__batting__home_runs", default=0),
            ).order_by("-x_home_runs"),
        ),
        Page(
            "25 artists with most tracks, their albums",
            Artist.objects.order_by("-track_count")[:25],
            Artist.objects.annotate(
                x_albums=Count("albums", distinct=True), x_tracks=Count("albums__tracks")
            ).order_by("-x_tracks")[:25],
        ),
        Page(
            "25 best customers",
            Customer.objects.order_by("-lifetime_spend")[:25],
            Customer.objects.annotate(
                x_spend=Sum(F("invoices__lines__unit_price") * F("invoices__lines__quantity")),
                x_last=Max("invoices__date"),
            ).order_by("-x_spend")[:25],
        ),
        Page(
            "100 tracks with the artist's name",
            Track.objects.order_by("pk")[:100],
            Track.objects.select_related("album__artist").order_by("pk")[:100],
        ),
    ]
