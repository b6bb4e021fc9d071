"""What the processes fight over: models of the zoo, few rows of each, random values for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, models, transaction

from tests.hub import models as hub
from tests.hub.truth import TARGETS as HUB_TARGETS
from tests.testapp import models as zoo

User = get_user_model()
Model = type[models.Model]
Values = Mapping[str, Callable[[Random], Any]]
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The rows of one model."""

    limit: int
    """So many rows at most: few of them are many writers for each."""
    churn: int
    """How often rows are created and deleted, beside the other models of the world."""
    edits: int = 0
    """How often rows are changed."""
    values: Values = field(default_factory=dict)
    first: Values = field(default_factory=dict)
    """Values that a row gets when it is created, and keeps."""


def keys(model: Model, column: str = "pk") -> list[Any]:
    return list(models.QuerySet(model).order_by("pk").values_list(column, flat=True)[:100])


def key(model: Model, column: str = "pk", nulls: int = 0) -> Callable[[Random], Any]:
    """The key of any row that is there; NULL ``nulls`` times in a hundred, or if there is none."""

    def choose(random: Random) -> Any:
        found = [] if random.randrange(100) < nulls else keys(model, column)
        return random.choice(found) if found else None

    return choose


def flag(random: Random) -> bool:
    return random.random() < 0.5


def size(random: Random) -> int:
    return random.randrange(10)


def text(random: Random) -> str:
    return random.choice("abcdefgh")


def unique(random: Random) -> str:
    return f"{random.randrange(10**9):x}"


def email(random: Random) -> str:
    return f"{text(random)}@example.org"


def time(random: Random) -> dt.datetime:
    return NOON + dt.timedelta(hours=random.randrange(20))


def day(random: Random) -> dt.date:
    return time(random).date() + dt.timedelta(days=random.randrange(20))


def money(random: Random) -> Decimal:
    return Decimal(random.randrange(1000)) / 100


def maybe(value: Callable[[Random], Any]) -> Callable[[Random], Any]:
    return lambda random: value(random) if random.randrange(5) else None


def content_type(model: Model) -> Callable[[Random], int]:
    return lambda _: ContentType.objects.get_for_model(model).pk


def one_of_few_ids(random: Random) -> UUID:
    """Of a row that is there, or of one that is yet to come."""
    return UUID(int=random.randrange(1, 7))


BOOKS = Kind(
    limit=20,
    churn=30,
    edits=20,
    values={
        "shelf_id": key(zoo.Shelf, nulls=5),
        "publisher_id": key(zoo.Publisher, nulls=5),
        "pages": lambda random: random.choice([1, 499, 500]),
    },
)
COMMENTS = Kind(
    limit=30,
    churn=30,
    edits=20,
    values={
        "post_id": key(zoo.Post, nulls=5),
        "author_id": key(User, nulls=20),
        "is_public": flag,
        "score": maybe(size),
        "heat": lambda random: random.choice([0.1, 0.2, 0.3, 1e9]),
        "text": text,
        "created": time,
    },
)

HUB_COMMENTS = Kind(
    limit=30,
    churn=30,
    edits=30,
    values={
        "post_id": key(hub.Post),
        "author_id": key(hub.Author),
        "topic_id": key(hub.Topic),
        "is_public": flag,
        "score": size,
        "rating": maybe(size),
        "created": time,
    },
)

WORLDS: dict[str, dict[Model, Kind]] = {
    # Paths of one, two and three hops; rules on rules.
    "blogs": {
        User: Kind(
            limit=4, churn=1, edits=4, values={"is_active": flag}, first={"username": unique}
        ),
        zoo.Blog: Kind(limit=3, churn=1, values={"name": text}),
        zoo.Follower: Kind(limit=10, churn=3, edits=2, values={"blog_id": key(zoo.Blog)}),
        zoo.Post: Kind(
            limit=6,
            churn=4,
            edits=15,
            values={"blog_id": key(zoo.Blog, nulls=10), "is_live": flag},
        ),
        zoo.Comment: COMMENTS,
        zoo.Reaction: Kind(limit=20, churn=8, edits=3, values={"comment_id": key(zoo.Comment)}),
    },
    # Copies, and copies of copies.
    "users": {
        User: Kind(
            limit=6,
            churn=2,
            edits=30,
            values={"email": email, "first_name": text, "is_active": flag},
            first={"username": unique},
        ),
        zoo.Profile: Kind(
            limit=6,
            churn=20,
            edits=12,
            values={"user_id": key(User, nulls=10), "nickname": text},
        ),
        zoo.Card: Kind(
            limit=15, churn=15, edits=8, values={"profile_id": key(zoo.Profile), "kind": text}
        ),
        zoo.Passport: Kind(limit=6, churn=8, edits=4, values={"holder_id": key(User)}),
        zoo.Badge: Kind(
            limit=10, churn=6, edits=6, values={"holder_id": key(User), "revoked": flag}
        ),
    },
    # A key to another column than the primary key; a chain of exact sums.
    "orders": {
        zoo.Customer: Kind(limit=3, churn=1, first={"code": unique}),
        zoo.Order: Kind(
            limit=6,
            churn=4,
            edits=15,
            values={"customer_id": key(zoo.Customer, "code", nulls=10)},
        ),
        zoo.Line: Kind(
            limit=25,
            churn=20,
            edits=15,
            values={
                "order_id": key(zoo.Order, nulls=5),
                "qty": size,
                "price": money,
                "exact": flag,
                "date": maybe(day),
            },
        ),
    },
    # Two parents of one row: nothing but counts and sums.
    "shelves": {
        zoo.Shelf: Kind(limit=3, churn=1),
        zoo.Publisher: Kind(limit=3, churn=1),
        zoo.Book: BOOKS,
    },
    # The same, of parents that stay.
    "hot shelves": {
        zoo.Shelf: Kind(limit=3, churn=0),
        zoo.Publisher: Kind(limit=3, churn=0),
        zoo.Book: BOOKS,
    },
    # The same, of rows that only come.
    "births": {
        zoo.Shelf: Kind(limit=3, churn=0),
        zoo.Publisher: Kind(limit=3, churn=0),
        zoo.Book: replace(BOOKS, limit=10**9),
    },
    "hot posts": {
        zoo.Blog: Kind(limit=3, churn=0),
        zoo.Post: Kind(limit=3, churn=0),
        zoo.Comment: COMMENTS,
    },
    "playlists": {
        zoo.Track: Kind(
            limit=5, churn=3, edits=6, values={"minutes": lambda r: r.randrange(7, 13)}
        ),
        zoo.Playlist: Kind(limit=4, churn=2),
        zoo.Playlist.tracks.through: Kind(
            limit=20,
            churn=8,
            values={"playlist_id": key(zoo.Playlist), "track_id": key(zoo.Track)},
        ),
    },
    "bands": {
        zoo.Musician: Kind(limit=5, churn=2, edits=8, values={"fame": size}),
        zoo.Band: Kind(limit=3, churn=1),
        zoo.Membership: Kind(
            limit=15,
            churn=12,
            edits=10,
            values={"band_id": key(zoo.Band), "musician_id": key(zoo.Musician), "active": flag},
        ),
    },
    "categories": {
        zoo.Category: Kind(
            limit=8,
            churn=6,
            edits=10,
            values={"parent_id": key(zoo.Category, nulls=20), "name": text, "weight": size},
        ),
    },
    # Rules in both directions along one relation: counts and a copy.
    "countries": {
        zoo.Country: Kind(
            limit=3,
            churn=1,
            edits=8,
            values={"name": text},
            first={"code": lambda r: unique(r)[:8]},
        ),
        zoo.City: Kind(
            limit=20, churn=20, edits=20, values={"country_id": key(zoo.Country), "size": size}
        ),
    },
    # Multi-table inheritance.
    "places": {
        zoo.Zone: Kind(limit=3, churn=1),
        zoo.Place: Kind(limit=4, churn=2, edits=5, values={"zone_id": key(zoo.Zone), "name": text}),
        zoo.Restaurant: Kind(
            limit=4,
            churn=2,
            edits=6,
            values={"zone_id": key(zoo.Zone, nulls=10), "name": text, "stars": size},
        ),
        zoo.Review: Kind(
            limit=15, churn=12, edits=8, values={"place_id": key(zoo.Place), "grade": size}
        ),
        zoo.Dish: Kind(limit=8, churn=5, edits=4, values={"restaurant_id": key(zoo.Restaurant)}),
    },
    # Generic relations; the tables have no foreign key that the database would check.
    "tags": {
        zoo.Album: Kind(limit=3, churn=1),
        zoo.Photo: Kind(limit=4, churn=2, edits=6, values={"album_id": key(zoo.Album, nulls=10)}),
        zoo.Tag: Kind(
            limit=20,
            churn=12,
            edits=10,
            values={"object_id": key(zoo.Photo, nulls=5), "weight": size},
            first={"content_type_id": content_type(zoo.Photo)},
        ),
    },
    # Keys that are known before their rows are there.
    "documents": {
        zoo.Document: Kind(limit=6, churn=8, first={"id": one_of_few_ids}),
        zoo.DocumentTag: Kind(
            limit=20,
            churn=12,
            edits=8,
            values={"object_id": one_of_few_ids},
            first={"content_type_id": content_type(zoo.Document)},
        ),
    },
    # Events, which are counted and not derived: see TALLIES.
    "hives": {
        zoo.TallyHive: Kind(limit=4, churn=0),
        zoo.TallyBee: Kind(
            limit=20,
            churn=14,
            edits=20,
            values={"hive_id": key(zoo.TallyHive, nulls=5), "honey": size},
        ),
    },
    # Keys that become NULL with their parent.
    "grains": {
        zoo.Farm: Kind(limit=3, churn=1),
        zoo.Market: Kind(limit=3, churn=1),
        zoo.Label: Kind(limit=3, churn=1, edits=4, values={"name": text}),
        zoo.Silo: Kind(limit=5, churn=2, edits=8, values={"farm_id": key(zoo.Farm)}),
        zoo.Grain: Kind(
            limit=20,
            churn=14,
            edits=12,
            values={
                "silo_id": key(zoo.Silo, nulls=10),
                "market_id": key(zoo.Market, nulls=10),
                "label_id": key(zoo.Label, nulls=10),
                "weight": size,
            },
        ),
    },
    # Rules of all kinds, of five tables, that meet in one row.
    "hub": {
        hub.Blog: Kind(limit=3, churn=1, edits=4, values={"name": text}),
        hub.Author: Kind(limit=4, churn=1, edits=4, values={"is_active": flag}),
        hub.Topic: Kind(limit=3, churn=1),
        hub.Post: Kind(limit=5, churn=3, edits=8, values={"blog_id": key(hub.Blog)}),
        hub.Comment: HUB_COMMENTS,
    },
    # The same, of parents that stay.
    "hot hub": {
        **dict.fromkeys(HUB_TARGETS, Kind(limit=4, churn=0)),
        hub.Post: Kind(limit=6, churn=0, first={"blog_id": key(hub.Blog)}),
        hub.Comment: HUB_COMMENTS,
    },
}

TALLIES = {zoo.TallyBee: ("hive_id", zoo.TallyHive, "total")}
"""Models whose every ``save()`` is an event: the column that says for which row of which model, and
where it is counted. Those rows stay, so that nothing that was counted is lost with them.
"""


def models_of(worlds: list[str]) -> list[Model]:
    return list(dict.fromkeys(model for world in worlds for model in WORLDS[world]))


def made(model: Model, kind: Kind, random: Random) -> models.Model | None:
    """A new instance; None where the row that it needs does not exist."""
    values = {name: value(random) for name, value in {**kind.first, **kind.values}.items()}
    for name, value in values.items():
        if value is None and not model._meta.get_field(name).null:
            return None
    return model(**values)


def populate(worlds: list[str], random: Random) -> None:
    for world in worlds:
        for model, kind in WORLDS[world].items():
            for _ in range(min(max(kind.limit // 2, 2), 20)):
                if (instance := made(model, kind, random)) is not None:
                    # Two rows may have been given the same value of a unique column.
                    with suppress(IntegrityError), transaction.atomic():
                        instance.save()


def clear() -> None:
    """Delete all rows behind the back of Django and of the library."""
    quote = connection.ops.quote_name
    children_first = [*reversed(models_of(list(WORLDS)))]
    through = [
        relation.remote_field.through
        for model in children_first
        for relation in model._meta.local_many_to_many
    ]
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for model in [*through, *children_first]:
            cursor.execute(f"DELETE FROM {quote(model._meta.db_table)}")
