"""Animals for the zoo: rows of every model, each kind of target with and without sources."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections, models

import tests.hub.truth  # noqa: F401 - it tells what the values of the hub have to be
from tests.hub import models as hub
from tests.testapp import models as zoo

User = get_user_model()
DAY = dt.date(2026, 1, 1)
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def populate(using: str = "default") -> None:  # noqa: C901 - long, but a list
    """Save rows of all models of the zoo, one by one."""

    def make(model: type[models.Model], **values: Any) -> Any:
        instance = model(**values)
        instance.save(using=using)
        return instance

    ann = make(User, username="ann", email="ann@example.org", first_name="Ann")
    bob = make(User, username="bob", email="bob@example.org", is_active=False)
    make(zoo.Badge, holder=ann)
    make(zoo.Badge, holder=bob, revoked=True)

    blogs = [make(zoo.Blog, name=name) for name in ("one", "two", "empty")]
    make(zoo.Follower, blog=blogs[0])
    for number, (blog, live) in enumerate(((0, True), (0, False), (1, True), (1, True))):
        post = make(zoo.Post, blog=blogs[blog], is_live=live)
        for score in (None, 2, 5)[: number + 1 if number < 3 else 0]:
            comment = make(
                zoo.Comment,
                post=post,
                author=(ann, bob, None)[number],
                score=score,
                heat=0.1 * number,
                is_public=score != 2,
                text=f"{score}",
                created=NOON + dt.timedelta(hours=number, minutes=score or 0),
            )
            make(zoo.Reaction, comment=comment)

    for user, nickname in ((ann, "nan"), (bob, "bobby"), (None, "nobody")):
        profile = make(zoo.Profile, user=user, nickname=nickname)
        make(zoo.Card, profile=profile)
    make(zoo.Passport, holder=ann)
    make(zoo.Login, user=ann)

    for code in ("a", "b", "c"):
        customer = make(zoo.Customer, code=code)
        for number in range(0 if code == "c" else 2):
            order = make(zoo.Order, customer=customer)
            for qty in range(number * 3):
                make(
                    zoo.Line,
                    order=order,
                    qty=qty,
                    price=Decimal("1.10") * qty,
                    exact=qty == 2,
                    date=DAY + dt.timedelta(days=qty),
                )
    make(zoo.Order)
    for code in ("aa", "bb"):
        country = make(zoo.Country, code=code, name=code.upper())
        for size in range(2 if code == "aa" else 0):
            parcel = make(zoo.Parcel, city=make(zoo.City, country=country, size=size))
            make(zoo.Stamp, parcel=parcel)
    make(zoo.City)
    team = make(zoo.Team, name="reds")
    make(zoo.Team, name="blues")
    make(zoo.Mascot, team=team, name="fox", height=3)
    for number in (1, 2):
        seat = make(zoo.Seat, team=team, number=number, weight=number)
    make(zoo.Visit, seat=seat)

    clubs = [make(zoo.Club, quorum=quorum) for quorum in (5, 10, 15)]
    make(zoo.Match, home=clubs[0], away=clubs[1], home_goals=1, away_goals=2)
    make(zoo.Match, home=clubs[0], home_goals=3)
    for fee in (5, 10):
        make(zoo.Transfer, club=clubs[0], fee=fee)
    make(zoo.Fan, club=clubs[1])

    root = make(zoo.Category, name="root")
    child = make(zoo.Category, name="child", parent=root, weight=3)
    make(zoo.Category, name="grandchild", parent=child, weight=4)

    for target, relation, entry in (
        (zoo.Folder, "folder", zoo.FolderEntry),
        (zoo.Box, "box", zoo.BoxEntry),
    ):
        make(target)
        make(entry, **{relation: make(target)}, size=4)
    zone = make(zoo.Zone)
    make(zoo.Place, zone=zone, name="square")
    restaurant = make(zoo.Restaurant, zone=zone, name="inn", stars=2)
    make(zoo.Review, place=restaurant, grade=3)
    make(zoo.Dish, restaurant=restaurant)

    for closed in (False, True):
        project = make(zoo.Project, closed=closed)
        make(zoo.Task, project=project, hours=2)
        make(zoo.Task, project=project, hours=3, deleted_at=NOON)
    monitor = make(zoo.Monitor)
    for kind in ("alarm", "Alarm", "quiet"):
        make(zoo.Beat, monitor=monitor, level=5, kind=kind)
    make(zoo.Reply, thread=make(zoo.Thread), topic=make(zoo.Topic))
    make(zoo.Wallet)
    wallet = make(zoo.Wallet)
    for cents in (10, 20, 30):
        make(zoo.Entry, wallet=wallet, amount=Decimal(cents) / 100, weight=cents / 100)
    make(zoo.Book, shelf=make(zoo.Shelf), publisher=make(zoo.Publisher), pages=600)
    make(zoo.Receipt, till=make(zoo.Till), amount=30, tip=2)
    make(zoo.Passenger, coach=make(zoo.Coach), ticket=make(zoo.Ticket, fare=7))
    make(zoo.Cup, tray=make(zoo.Tray), volume=3)

    tracks = [make(zoo.Track, minutes=minutes) for minutes in (3, 10, 20)]
    make(zoo.Playlist)
    make(zoo.Playlist).tracks.set(tracks[:2])
    musicians = [make(zoo.Musician, fame=fame) for fame in (1, 2, 4)]
    musicians[0].friends.set(musicians[1:])
    band = make(zoo.Band)
    for number, musician in enumerate(musicians):
        make(zoo.Membership, band=band, musician=musician, active=number != 1)

    photo, clip = make(zoo.Photo, album=make(zoo.Album)), make(zoo.Clip)
    for target, weight in ((photo, 1), (photo, 4), (clip, 2)):
        make(zoo.Tag, content_object=target, weight=weight)
    make(zoo.DocumentTag, content_object=make(zoo.Document))
    make(zoo.TextTag, content_object=make(zoo.Page, slug="start"))

    keepers = [make(zoo.Keeper, name=name) for name in (zoo.HOME, "north", "south")]
    make(zoo.Pet, owner=keepers[1], sitter=keepers[1], vet=keepers[2])
    make(zoo.Pet, owner=keepers[2], breeder=keepers[2], insurer=keepers[0])

    label, market, silo = (
        make(zoo.Label, name="rye"),
        make(zoo.Market),
        make(zoo.Silo, farm=make(zoo.Farm)),
    )
    make(zoo.Grain, silo=silo, market=market, label=label, weight=3)
    make(zoo.Grain, silo=silo, market=market, weight=5)
    make(zoo.Seal, label=label)
    for kind in ("Null", "Default"):
        depot, truck, crate = (getattr(zoo, kind + each) for each in ("Depot", "Truck", "Crate"))
        depots = [make(depot, pk=pk, name=f"depot {pk}") for pk in (1, 2)]
        trucks = [make(truck, pk=pk, depot=depots[pk - 1]) for pk in (1, 2)]
        for weight, where in enumerate((*trucks, *trucks)):
            make(crate, truck=where, weight=weight)
    make(zoo.Farm)
    make(zoo.Market)
    maker = make(zoo.Maker, name="first", specs={"colour": "red", "size": 1})
    make(zoo.Licence, maker=maker)
    for weight in (3, None):
        make(zoo.Part, gadget=make(zoo.Gadget, maker=maker, weight=weight))
    make(zoo.Maker, name="second")

    for hive, bee in (
        (zoo.DeltaHive, zoo.DeltaBee),
        (zoo.ExtremeHive, zoo.ExtremeBee),
        (zoo.RecomputeHive, zoo.RecomputeBee),
        (zoo.CopyHive, zoo.CopyBee),
    ):
        make(bee, hive=make(hive, name="hive"), honey=3)
        make(hive)

    blog = make(hub.Blog, name="one")
    posts = [make(hub.Post, blog=blog) for _ in range(3)]
    authors = [make(hub.Author, is_active=active) for active in (True, False, True)]
    topics = [make(hub.Topic) for _ in range(2)]
    make(hub.Blog, name="empty")
    for number, rating in enumerate((None, 4, 2)):
        make(
            hub.Comment,
            post=posts[number // 2],
            author=authors[number % 2],
            topic=topics[0],
            is_public=number != 1,
            score=number,
            rating=rating,
            created=NOON + dt.timedelta(hours=number),
        )


def write_behind(model: type[models.Model], using: str = "default", **values: Any) -> None:
    """Set a column of all rows by SQL, behind the back of Django and of the library."""
    connection = connections[using]
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for name, value in values.items():
            field = model._meta.get_field(name)
            prepared = field.get_db_prep_save(value, connection)
            cursor.execute(
                f"UPDATE {quote(model._meta.db_table)} SET {quote(field.column)} = %s", [prepared]
            )


WRONG = (
    (models.BooleanField, True),
    (models.DecimalField, Decimal("77.77")),
    (models.FloatField, 77.5),
    (models.IntegerField, 77),
    (models.DateTimeField, NOON - dt.timedelta(days=77)),
    (models.DateField, DAY - dt.timedelta(days=77)),
    (models.UUIDField, "77777777-7777-7777-7777-777777777777"),
    ((models.CharField, models.TextField), "wrong"),
    (models.JSONField, {"wrong": 77}),
)


def wrong_value(field: models.Field[Any, Any]) -> Any:
    return next(value for kinds, value in WRONG if isinstance(field, kinds))
