"""What every synced field of the zoo has to be, said again by hand.

Computed in Python from the rows as they are, all of them, without syncfields and without
``annotate()``: a mistake in how a rule is declared, compiled or reconciled cannot hide here.
Tallies have no truth in the rows; their tests count events themselves.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from functools import cache
from statistics import fmean, pstdev
from types import SimpleNamespace
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, models

from tests.testapp import models as zoo

User = get_user_model()
Row = SimpleNamespace
Truth = Callable[["Snapshot", Row], dict[str, Any]]
TRUTHS: dict[type[models.Model], Truth] = {}


@cache
def tables() -> dict[str, str]:
    """Of each table of these applications, by name, the question whether it has rows."""
    labels = {model._meta.app_label for model in TRUTHS}
    models_ = [each for label in labels for each in apps.get_app_config(label).get_models(True)]
    return {
        name: f"EXISTS(SELECT 1 FROM {connection.ops.quote_name(name)})"
        for name in {model._meta.db_table for model in models_ if model._meta.managed}
    }


class Snapshot:
    """The rows of all tables of a database, read when they are first asked for."""

    def __init__(self, using: str, empty: Collection[str] = ()) -> None:
        self.using = using
        self.empty = empty
        """The names of tables that need not be read."""
        self.indexes: dict[tuple[type[models.Model], str], dict[Any, list[Row]]] = {}
        self.tables: dict[type[models.Model], list[Row]] = {}

    def table(self, model: type[models.Model]) -> list[Row]:
        if model._meta.db_table in self.empty:
            return []
        if model not in self.tables:
            # The plain QuerySet class: no manager can hide rows, no library can have a say.
            queryset = models.QuerySet(model, using=self.using)
            names = [field.attname for field in model._meta.concrete_fields]
            self.tables[model] = [Row(**row) for row in queryset.values(*names)]
        return self.tables[model]

    def where(self, model: type[models.Model], **condition: Any) -> list[Row]:
        """The rows with the given value in the given column."""
        ((column, value),) = condition.items()
        key = (model, column)
        if key not in self.indexes:
            index = self.indexes[key] = defaultdict(list)
            for row in self.table(model):
                index[getattr(row, column)].append(row)
        return [] if value is None else self.indexes[key].get(value, [])

    def one(self, model: type[models.Model], **condition: Any) -> Row | None:
        return next(iter(self.where(model, **condition)), None)

    def tags(self, tag: type[models.Model], model: type[models.Model], pk: Any) -> list[Row]:
        kind = ContentType.objects.db_manager(self.using).get_for_model(model).pk
        return [each for each in self.where(tag, object_id=pk) if each.content_type_id == kind]


def truth(model: type[models.Model]) -> Callable[[Truth], Truth]:
    def decorate(function: Truth) -> Truth:
        TRUTHS[model] = function
        return function

    return decorate


def known(rows: Iterable[Row], column: str) -> list[Any]:
    """The values that an aggregate sees: SQL leaves NULL out."""
    return [value for row in rows if (value := getattr(row, column)) is not None]


def highest(values: Iterable[Any]) -> Any:
    return max(values, default=None)


def lowest(values: Iterable[Any]) -> Any:
    return min(values, default=None)


def of(row: Row | None, column: str) -> Any:
    return None if row is None else getattr(row, column)


def is_active(all_: Snapshot, comment: Row) -> bool:
    return bool(of(all_.one(User, id=comment.author_id), "is_active"))


@truth(zoo.Blog)
def blog(all_: Snapshot, row: Row) -> dict[str, Any]:
    posts = all_.where(zoo.Post, blog_id=row.id)
    live = {post.id for post in posts if post.is_live}
    comments = [each for post in posts for each in all_.where(zoo.Comment, post_id=post.id)]
    followers = all_.where(zoo.Follower, blog_id=row.id)
    per_post = [len(all_.where(zoo.Comment, post_id=post.id)) for post in posts]
    return {
        "post_count": len(posts),
        "live_post_count": len(live),
        "comment_count": len(comments),
        "live_comment_count": sum(each.is_public and each.post_id in live for each in comments),
        "active_comment_count": sum(is_active(all_, each) for each in comments),
        "reaction_count": sum(
            len(all_.where(zoo.Reaction, comment_id=each.id)) for each in comments
        ),
        "comment_total": len(comments),
        "busiest_post": highest(per_post),
        "last_comment_at": highest(known(comments, "created")),
        "engagement": len(comments) - len(followers),
        "follower_count": len(followers),
    }


@truth(zoo.Post)
def post(all_: Snapshot, row: Row) -> dict[str, Any]:
    comments = all_.where(zoo.Comment, post_id=row.id)
    public = [each for each in comments if each.is_public]
    scores = known(comments, "score")
    newest = max(comments, key=lambda each: (each.created, each.id), default=None)
    return {
        "comment_count": len(comments),
        "public_count": len(public),
        "active_count": sum(is_active(all_, each) for each in comments),
        "score_sum": sum(scores),
        "public_score": sum(known(public, "score")),
        "first_comment_at": lowest(known(comments, "created")),
        "last_comment_at": highest(known(comments, "created")),
        "best_score": highest(scores),
        "worst_public_score": lowest(known(public, "score")),
        "score_or_null": sum(scores) if scores else None,
        "score_average": fmean(scores) if scores else None,
        "score_deviation": pstdev(scores) if scores else None,
        "heat": math.fsum(known(comments, "heat")),
        "author_count": len(set(known(comments, "author_id"))),
        "best_or_zero": max(scores, default=0),
        "has_comments": bool(comments),
        "newest_text": of(newest, "text"),
    }


@truth(User)
def user(all_: Snapshot, row: Row) -> dict[str, Any]:
    badges = all_.where(zoo.Badge, holder_id=row.id)
    return {"is_staff": any(not badge.revoked for badge in badges)}


@truth(zoo.Profile)
def profile(all_: Snapshot, row: Row) -> dict[str, Any]:
    user = all_.one(User, id=row.user_id)
    return {
        "email": of(user, "email"),
        "display_name": "nobody" if user is None else user.first_name,
        "standing": "active" if of(user, "is_active") else "away",
    }


@truth(zoo.Card)
def card(all_: Snapshot, row: Row) -> dict[str, Any]:
    profile = all_.one(zoo.Profile, id=row.profile_id)
    user = all_.one(User, id=of(profile, "user_id"))
    return {
        "email": of(user, "email"),
        "username": of(user, "username"),
        "line": f"{row.kind}: {(of(profile, 'nickname') or '').upper()}",
    }


@truth(zoo.Passport)
def passport(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"email": of(all_.one(User, id=row.holder_id), "email")}


def total(lines: Iterable[Row]) -> Decimal:
    return sum((line.qty * line.price for line in lines), Decimal(0))


@truth(zoo.Customer)
def customer(all_: Snapshot, row: Row) -> dict[str, Any]:
    orders = all_.where(zoo.Order, customer_id=row.code)
    lines = [line for order in orders for line in all_.where(zoo.Line, order_id=order.id)]
    return {
        "order_count": len(orders),
        "spend": total(lines),
        "line_count": len(lines),
        "last_line_on": highest(known(lines, "date")),
    }


@truth(zoo.Order)
def order(all_: Snapshot, row: Row) -> dict[str, Any]:
    lines = all_.where(zoo.Line, order_id=row.id)
    prices = known(lines, "price")
    return {
        "customer_id_copy": of(all_.one(zoo.Customer, code=row.customer_id), "id"),
        "total": total(lines),
        "exact": sum(line.exact for line in lines),
        "average_price": sum(prices) / len(prices) if prices else None,
        "date": lowest(known(lines, "date")),
    }


@truth(zoo.Country)
def country(all_: Snapshot, row: Row) -> dict[str, Any]:
    cities = all_.where(zoo.City, country_id=row.code)
    return {
        "population": sum(known(cities, "size")),
        "parcel_count": sum(len(all_.where(zoo.Parcel, city_id=city.id)) for city in cities),
    }


@truth(zoo.City)
def city(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"country_name": of(all_.one(zoo.Country, code=row.country_id), "name")}


@truth(zoo.Parcel)
def parcel(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"stamp_count": len(all_.where(zoo.Stamp, parcel_id=row.id))}


@truth(zoo.Team)
def team(all_: Snapshot, row: Row) -> dict[str, Any]:
    mascot = all_.one(zoo.Mascot, team_id=row.id)
    return {
        "seat_weight": sum(known(all_.where(zoo.Seat, team_id=row.id), "weight")),
        "mascot_name": of(mascot, "name"),
        "mascot_height": of(mascot, "height") or 0,
    }


@truth(zoo.Seat)
def seat(all_: Snapshot, row: Row) -> dict[str, Any]:
    visits = all_.where(zoo.Visit, seat_number=row.number)
    return {
        "team_name": of(all_.one(zoo.Team, id=row.team_id), "name"),
        "visit_count": sum(visit.team_number == row.team_id for visit in visits),
    }


@truth(zoo.Club)
def club(all_: Snapshot, row: Row) -> dict[str, Any]:
    home = all_.where(zoo.Match, home_id=row.id)
    away = all_.where(zoo.Match, away_id=row.id)
    fees = known(all_.where(zoo.Transfer, club_id=row.id), "fee")
    return {
        "home_goals": sum(known(home, "home_goals")),
        "away_wins": sum(match.away_goals > match.home_goals for match in away),
        "match_count": len(home) + len(away),
        "goal_difference": sum(match.home_goals - match.away_goals for match in home)
        + sum(match.away_goals - match.home_goals for match in away),
        "transfer_fees": sum(fees, Decimal(0)),
        "fan_count": len(all_.where(zoo.Fan, club_id=row.id)),
        "big_transfers": sum(fee >= row.quorum for fee in fees),
    }


@truth(zoo.Category)
def category(all_: Snapshot, row: Row) -> dict[str, Any]:
    children = all_.where(zoo.Category, parent_id=row.id)
    parent = all_.one(zoo.Category, id=row.parent_id)
    return {
        "child_count": len(children),
        "grandchild_count": sum(
            len(all_.where(zoo.Category, parent_id=child.id)) for child in children
        ),
        "child_weight": sum(known(children, "weight")),
        "parent_name": of(parent, "name"),
        "sibling_count": parent and len(all_.where(zoo.Category, parent_id=parent.id)),
    }


@truth(zoo.Folder)
def folder(all_: Snapshot, row: Row) -> dict[str, Any]:
    entries = all_.where(zoo.FolderEntry, folder_id=row.id)
    return {"entry_count": len(entries), "entry_size": highest(known(entries, "size"))}


@truth(zoo.Box)
def box(all_: Snapshot, row: Row) -> dict[str, Any]:
    entries = all_.where(zoo.BoxEntry, box_id=row.id)
    return {"entry_count": len(entries), "entry_size": highest(known(entries, "size"))}


@truth(zoo.Zone)
def zone(all_: Snapshot, row: Row) -> dict[str, Any]:
    places = all_.where(zoo.Place, zone_id=row.id)
    restaurants = [all_.one(zoo.Restaurant, place_ptr_id=place.id) for place in places]
    return {
        "place_count": len(places),
        "star_sum": sum(each.stars for each in restaurants if each),
        "review_count": sum(len(all_.where(zoo.Review, place_id=each.id)) for each in places),
    }


@truth(zoo.Place)
def place(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"review_count": len(all_.where(zoo.Review, place_id=row.id))}


@truth(zoo.Restaurant)
def restaurant(all_: Snapshot, row: Row) -> dict[str, Any]:
    reviews = all_.where(zoo.Review, place_id=row.place_ptr_id)
    return {
        "dish_count": len(all_.where(zoo.Dish, restaurant_id=row.place_ptr_id)),
        "best_review": highest(known(reviews, "grade")),
    }


@truth(zoo.Dish)
def dish(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"place_name": of(all_.one(zoo.Place, id=row.restaurant_id), "name")}


@truth(zoo.Project)
def project(all_: Snapshot, row: Row) -> dict[str, Any]:
    tasks = all_.where(zoo.Task, project_id=row.id)
    return {
        "task_count": len(tasks),
        "live_task_count": sum(task.deleted_at is None for task in tasks),
        "last_hours": highest(known(tasks, "hours")),
    }


@truth(zoo.Thread)
def thread(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"reply_count": len(all_.where(zoo.Reply, thread_id=row.id))}


@truth(zoo.Topic)
def topic(all_: Snapshot, row: Row) -> dict[str, Any]:
    weights = known(all_.where(zoo.Reply, topic_id=row.id), "weight")
    return {
        "reply_count": len(weights),
        "top": highest(weights),
        "mean": fmean(weights) if weights else None,
    }


@truth(zoo.Monitor)
def monitor(all_: Snapshot, row: Row) -> dict[str, Any]:
    beats = all_.where(zoo.Beat, monitor_id=row.id)
    # Which texts are equal only the database can say.
    own = models.QuerySet(zoo.Beat, using=all_.using).filter(monitor_id=row.id)
    return {
        "level_sum": sum(known(beats, "level")),
        "last_beat_at": highest(known(beats, "at")),
        "weight": sum(known(beats, "weight")),
        "double_sum": sum(beat.level * 2 for beat in beats),
        "loud_count": sum(beat.level * 2 > 10 for beat in beats),
        "alarm_count": own.filter(kind="alarm").count() if row.id else 0,
        "kind_count": own.values("kind").distinct().count() if row.id else 0,
    }


@truth(zoo.Wallet)
def wallet(all_: Snapshot, row: Row) -> dict[str, Any]:
    entries = all_.where(zoo.Entry, wallet_id=row.id)
    return {
        "balance": sum(known(entries, "amount"), Decimal(0)),
        "entry_count": len(entries),
        "positive_count": sum(entry.amount > 0 for entry in entries),
        "weight": math.fsum(known(entries, "weight")) if entries else None,
    }


@truth(zoo.Shelf)
def shelf(all_: Snapshot, row: Row) -> dict[str, Any]:
    books = all_.where(zoo.Book, shelf_id=row.id)
    return {"book_count": len(books), "page_sum": sum(known(books, "pages"))}


@truth(zoo.Publisher)
def publisher(all_: Snapshot, row: Row) -> dict[str, Any]:
    books = all_.where(zoo.Book, publisher_id=row.id)
    return {"thick_count": sum(book.pages >= 500 for book in books)}


@truth(zoo.Till)
def till(all_: Snapshot, row: Row) -> dict[str, Any]:
    receipts = all_.where(zoo.Receipt, till_id=row.id)
    return {"sales": sum(known(receipts, "amount")), "sales1": sum(known(receipts, "tip"))}


@truth(zoo.Coach)
def coach(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"passenger_count": len(all_.where(zoo.Passenger, coach_id=row.id))}


@truth(zoo.Passenger)
def passenger(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"fare": of(all_.one(zoo.Ticket, id=row.ticket_id), "fare")}


@truth(zoo.Tray)
def tray(all_: Snapshot, row: Row) -> dict[str, Any]:
    cups = all_.where(zoo.Cup, tray_id=row.id)
    return {"cup_count": len(cups), "volume": sum(known(cups, "volume"))}


@truth(zoo.Track)
def track(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"playlist_count": len(all_.where(zoo.Playlist.tracks.through, track_id=row.id))}


@truth(zoo.Playlist)
def playlist(all_: Snapshot, row: Row) -> dict[str, Any]:
    links = all_.where(zoo.Playlist.tracks.through, playlist_id=row.id)
    minutes = [all_.one(zoo.Track, id=link.track_id).minutes for link in links]
    return {
        "track_count": len(links),
        "long_count": sum(each >= 10 for each in minutes),
        "minutes": sum(minutes),
        "longest": highest(minutes),
    }


@truth(zoo.Musician)
def musician(all_: Snapshot, row: Row) -> dict[str, Any]:
    links = all_.where(zoo.Musician.friends.through, from_musician_id=row.id)
    friends = [all_.one(zoo.Musician, id=link.to_musician_id) for link in links]
    return {
        "friend_count": len(friends),
        "friends_fame": sum(known(friends, "fame")),
        "band_count": len(all_.where(zoo.Membership, musician_id=row.id)),
    }


@truth(zoo.Band)
def band(all_: Snapshot, row: Row) -> dict[str, Any]:
    memberships = all_.where(zoo.Membership, band_id=row.id)
    active = [each for each in memberships if each.active]
    return {
        "member_count": len(memberships),
        "active_count": len(active),
        "active_fame": sum(all_.one(zoo.Musician, id=each.musician_id).fame for each in active),
    }


def tagged(model: type[models.Model]) -> Truth:
    def truth_of_tags(all_: Snapshot, row: Row) -> dict[str, Any]:
        tags = all_.tags(zoo.Tag, model, row.id)
        return {"tag_count": len(tags), "tag_weight": highest(known(tags, "weight"))}

    return truth_of_tags


truth(zoo.Photo)(tagged(zoo.Photo))
truth(zoo.Clip)(tagged(zoo.Clip))


@truth(zoo.Album)
def album(all_: Snapshot, row: Row) -> dict[str, Any]:
    photos = all_.where(zoo.Photo, album_id=row.id)
    return {"tag_count": sum(len(all_.tags(zoo.Tag, zoo.Photo, each.id)) for each in photos)}


@truth(zoo.Document)
def document(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"tag_count": len(all_.tags(zoo.DocumentTag, zoo.Document, row.id))}


@truth(zoo.Page)
def page(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"tag_count": len(all_.tags(zoo.TextTag, zoo.Page, row.slug))}


@truth(zoo.Keeper)
def keeper(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {
        "owned_count": len(all_.where(zoo.Pet, owner_id=row.name)),
        "spare_count": len(all_.where(zoo.Pet, sitter_id=row.name)),
        "visited_count": len(all_.where(zoo.Pet, vet_id=row.name)),
        "bred_count": len(all_.where(zoo.Pet, breeder_id=row.name)),
        "insured_count": len(all_.where(zoo.Pet, insurer_id=row.name)),
    }


@truth(zoo.Farm)
def farm(all_: Snapshot, row: Row) -> dict[str, Any]:
    silos = all_.where(zoo.Silo, farm_id=row.id)
    grains = [grain for silo in silos for grain in all_.where(zoo.Grain, silo_id=silo.id)]
    return {"grain_weight": sum(known(grains, "weight"))}


@truth(zoo.Market)
def market(all_: Snapshot, row: Row) -> dict[str, Any]:
    grains = all_.where(zoo.Grain, market_id=row.id)
    return {
        "grain_count": len(grains),
        "heaviest": highest(known(grains, "weight")),
        "unlabelled": sum(grain.label_id is None for grain in grains),
    }


@truth(zoo.Grain)
@truth(zoo.Seal)
def labelled(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"label_name": of(all_.one(zoo.Label, id=row.label_id), "name")}


def transport(depot: type[models.Model], truck: type[models.Model], crate: type[models.Model]):
    @truth(depot)
    def truth_of_depot(all_: Snapshot, row: Row) -> dict[str, Any]:
        trucks = all_.where(truck, depot_id=row.id)
        crates = [each for found in trucks for each in all_.where(crate, truck_id=found.id)]
        return {"crate_count": len(crates), "heaviest": highest(known(crates, "weight"))}

    @truth(truck)
    def truth_of_truck(all_: Snapshot, row: Row) -> dict[str, Any]:
        return {"load": sum(known(all_.where(crate, truck_id=row.id), "weight"))}

    @truth(crate)
    def truth_of_crate(all_: Snapshot, row: Row) -> dict[str, Any]:
        found = all_.one(truck, id=row.truck_id)
        return {"depot_name": of(all_.one(depot, id=of(found, "depot_id")), "name")}


transport(zoo.NullDepot, zoo.NullTruck, zoo.NullCrate)
transport(zoo.DefaultDepot, zoo.DefaultTruck, zoo.DefaultCrate)


@truth(zoo.Maker)
def maker(all_: Snapshot, row: Row) -> dict[str, Any]:
    gadgets = all_.where(zoo.Gadget, maker_id=row.id)
    weights = [7 if each.weight is None else each.weight for each in gadgets] or [7]
    return {
        "mean_weight": fmean(weights),
        "counted_at": highest(known(gadgets, "counted_at")),
    }


@truth(zoo.Licence)
def licence(all_: Snapshot, row: Row) -> dict[str, Any]:
    maker = all_.one(zoo.Maker, id=row.maker_id)
    return {"name": of(maker, "name"), "founded": of(maker, "founded")}


@truth(zoo.Gadget)
def gadget(all_: Snapshot, row: Row) -> dict[str, Any]:
    maker = all_.one(zoo.Maker, id=row.maker_id)
    return {
        "specs": of(maker, "specs"),
        "years": maker and row.made.year - maker.founded.year,
        "part_count": len(all_.where(zoo.Part, gadget_id=row.id)),
    }


def honey(bee: type[models.Model], result: Callable[[list[int]], Any]) -> Truth:
    def truth_of_hive(all_: Snapshot, row: Row) -> dict[str, Any]:
        bees = all_.where(bee, hive_id=row.id)
        return {"total": result([each.honey for each in bees if each.swarm_id is None])}

    return truth_of_hive


truth(zoo.DeltaHive)(honey(zoo.DeltaBee, sum))
truth(zoo.ExtremeHive)(honey(zoo.ExtremeBee, highest))
truth(zoo.RecomputeHive)(honey(zoo.RecomputeBee, lambda all_: fmean(all_) if all_ else None))


@truth(zoo.CopyBee)
def copy_bee(all_: Snapshot, row: Row) -> dict[str, Any]:
    return {"hive_name": of(all_.one(zoo.CopyHive, id=row.hive_id), "name")}


# Comparing ---------------------------------------------------------------------------------------


def same(stored: Any, expected: Any) -> bool:
    if stored is None or expected is None:
        return stored is expected
    if isinstance(stored, float):
        # MariaDB averages integers to four places.
        return math.isclose(stored, expected, rel_tol=1e-9, abs_tol=1e-4)
    if isinstance(stored, Decimal) and isinstance(expected, Decimal):
        # Averages have more places than the column; how the last is rounded is the database's.
        return abs(stored - expected) <= Decimal("0.0001")
    if isinstance(stored, dict):
        # To Python, 1 and True are equal.
        return json.dumps(stored, sort_keys=True) == json.dumps(expected, sort_keys=True)
    return type(stored) is type(expected) and stored == expected


def drifts(*models_: type[models.Model], using: str = "default") -> list[str]:
    """A line for each stored value that is not the truth."""
    snapshot = Snapshot(using, () if models_ else empty_tables(using))
    return [
        f"{model.__name__} {row}: {name} is {stored!r}, but should be {expected!r}"
        for model in models_ or TRUTHS
        for row in snapshot.table(model)
        for name, expected in TRUTHS[model](snapshot, row).items()
        if not same(stored := getattr(row, name), expected)
    ]


def empty_tables(using: str) -> set[str]:
    """In one statement, where most tables have no rows: a test fills a few of a hundred."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(tables().values())}")
        found = cursor.fetchone()
    return {name for name, has_rows in zip(tables(), found, strict=True) if not has_rows}


def assert_truth(*models_: type[models.Model], using: str = "default") -> None:
    """Every synced field of every row (of ``models_``) is what it has to be."""
    found = drifts(*models_, using=using)
    assert not found, "\n" + "\n".join(found)
