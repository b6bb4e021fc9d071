"""Writes that can meet: each loads what it needs, and gives back what it will do then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import F

from syncfields import reconcile, unsynced
from tests.races.stage import Part, Scenery
from tests.testapp import models as zoo

User = get_user_model()
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)

WORLDS: dict[str, dict[str, Part]] = {}


def part(world: str) -> Callable[[Part], Part]:
    def add(function: Part) -> Part:
        WORLDS.setdefault(world, {})[function.__name__] = function
        return function

    return add


def later(days: int) -> dt.datetime:
    return NOON + dt.timedelta(days=days)


def post(title: str) -> zoo.Post:
    return zoo.Post.objects.get(title=title)


def comment(text: str) -> zoo.Comment:
    return zoo.Comment.objects.get(text=text)


# Blog > Post > Comment > Reaction: deltas, extremes, averages, filters, two and three hops, chains


def build_blogs() -> None:
    ann, bob = (User.objects.create(username=name) for name in ("ann", "bob"))
    one, two = (zoo.Blog.objects.create(name=name) for name in ("one", "two"))
    a, b = (zoo.Post.objects.create(title=title, blog=one) for title in "ab")
    c = zoo.Post.objects.create(title="c", blog=two)
    for number, (parent, text, author) in enumerate(
        ((a, "low", ann), (a, "middle", bob), (a, "high", ann), (b, "lone", ann), (c, "far", bob))
    ):
        made = zoo.Comment.objects.create(
            post=parent, text=text, author=author, score=number, created=later(number)
        )
        zoo.Reaction.objects.create(comment=made)


@part("blogs")
def create_comment():
    a = post("a")
    return lambda: zoo.Comment.objects.create(post=a, score=9, text="new", created=later(9))


@part("blogs")
def move_comment():
    high, c = comment("high"), post("c")
    high.post = c
    return high.save


@part("blogs")
def move_comment_to_its_sibling():
    lone, a = comment("lone"), post("a")
    lone.post = a
    return lone.save


@part("blogs")
def flip_comment():
    high = comment("high")
    high.is_public = not high.is_public
    return high.save


@part("blogs")
def delete_comment():
    return comment("high").delete


@part("blogs")
def delete_next_comment():
    return comment("middle").delete


@part("blogs")
def update_comments():
    return lambda: zoo.Comment.objects.filter(post__title="a").update(
        is_public=False, score=F("score") + 10
    )


@part("blogs")
def bulk_create_comments():
    posts = [post("c"), post("a")]
    return lambda: zoo.Comment.objects.bulk_create(
        [zoo.Comment(post=each, score=20, created=later(20)) for each in posts]
    )


@part("blogs")
def delete_comments():
    return lambda: zoo.Comment.objects.filter(post__title__in=["a", "c"]).delete()


@part("blogs")
def move_post():
    a = post("a")
    a.blog = zoo.Blog.objects.get(name="two")
    return a.save


@part("blogs")
def hide_post_by_a_stale_instance():
    a = post("a")
    a.is_live = False
    return a.save


@part("blogs")
def delete_post():
    return post("a").delete


@part("blogs")
def create_reaction():
    high = comment("high")
    return lambda: zoo.Reaction.objects.create(comment=high)


@part("blogs")
def deactivate_author():
    ann = User.objects.get(username="ann")
    ann.is_active = False
    return ann.save


@part("blogs")
def delete_author():
    return User.objects.get(username="ann").delete


@part("blogs")
def reconcile_blogs():
    return lambda: reconcile(zoo.Post, zoo.Blog)


# User > Profile > Card: copies, copies of copies -------------------------------------------------


def build_users() -> None:
    ann, _bob = (
        User.objects.create(username=name, email=f"{name}@x.org", first_name=name)
        for name in ("ann", "bob")
    )
    profile = zoo.Profile.objects.create(user=ann, nickname="nan")
    zoo.Card.objects.create(profile=profile)
    zoo.Badge.objects.create(holder=ann)


@part("users")
def change_user():
    ann = User.objects.get(username="ann")
    ann.email, ann.username, ann.is_active = "new@x.org", "anna", False
    return ann.save


@part("users")
def change_other_user():
    bob = User.objects.get(username="bob")
    bob.email, bob.username, bob.is_active = "newbob@x.org", "bobby", False
    return bob.save


@part("users")
def update_users():
    return lambda: User.objects.update(email="all@x.org", first_name="all")


@part("users")
def create_profile():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Profile.objects.create(user=bob, nickname="bobby")


@part("users")
def bulk_create_profiles():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Profile.objects.bulk_create(
        [zoo.Profile(user=bob), zoo.Profile(nickname="nobody")]
    )


@part("users")
def move_profile():
    profile = zoo.Profile.objects.get(nickname="nan")
    profile.user = User.objects.get(username="bob")
    return profile.save


@part("users")
def rename_profile():
    profile = zoo.Profile.objects.get(nickname="nan")
    profile.nickname = "nancy"
    return profile.save


@part("users")
def delete_profile():
    return zoo.Profile.objects.get(nickname="nan").delete


@part("users")
def create_card():
    profile = zoo.Profile.objects.get(nickname="nan")
    return lambda: zoo.Card.objects.create(profile=profile, kind="new")


@part("users")
def bulk_create_cards():
    profile = zoo.Profile.objects.get(nickname="nan")
    return lambda: zoo.Card.objects.bulk_create(
        [zoo.Card(profile=profile, kind=kind) for kind in "ab"]
    )


@part("users")
def create_passport():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Passport.objects.create(holder=bob)


@part("users")
def delete_user():
    return User.objects.get(username="ann").delete


@part("users")
def revoke_badge():
    badge = zoo.Badge.objects.get()
    badge.revoked = True
    return badge.save


@part("users")
def create_badge():
    bob = User.objects.get(username="bob")
    return lambda: zoo.Badge.objects.create(holder=bob)


@part("users")
def reconcile_users():
    return lambda: reconcile(zoo.Profile, zoo.Card, zoo.Passport)


# Playlist >< Track, Musician >< Musician, Band > Membership < Musician ---------------------------


def build_playlists() -> None:
    tracks = [zoo.Track.objects.create(minutes=minutes) for minutes in (3, 12, 20)]
    for chosen in (tracks[:2], tracks[1:]):
        zoo.Playlist.objects.create().tracks.set(chosen)


def playlists() -> list[zoo.Playlist]:
    return list(zoo.Playlist.objects.order_by("pk"))


def tracks() -> list[zoo.Track]:
    return list(zoo.Track.objects.order_by("minutes"))


@part("playlists")
def add_track():
    first, long = playlists()[0], tracks()[-1]
    return lambda: first.tracks.add(long)


@part("playlists")
def add_playlists():
    short, both = tracks()[0], playlists()
    return lambda: short.playlists.add(*both)


@part("playlists")
def remove_track():
    first, middle = playlists()[0], tracks()[1]
    return lambda: first.tracks.remove(middle)


@part("playlists")
def set_tracks():
    second, chosen = playlists()[1], tracks()[:2]
    return lambda: second.tracks.set(chosen)


@part("playlists")
def clear_playlists():
    middle = tracks()[1]
    return middle.playlists.clear


@part("playlists")
def lengthen_track():
    middle = tracks()[1]
    middle.minutes = 30
    return middle.save


@part("playlists")
def delete_track():
    return tracks()[1].delete


@part("playlists")
def delete_playlist():
    return playlists()[0].delete


def build_musicians() -> None:
    one, two, three = (zoo.Musician.objects.create(fame=fame) for fame in (1, 2, 4))
    one.friends.add(two)
    band = zoo.Band.objects.create()
    zoo.Membership.objects.create(band=band, musician=one)
    zoo.Membership.objects.create(band=band, musician=three, active=False)


def musicians() -> list[zoo.Musician]:
    return list(zoo.Musician.objects.order_by("fame"))


@part("musicians")
def befriend():
    one, _, three = musicians()
    return lambda: one.friends.add(three)


@part("musicians")
def befriend_back():
    one, two, three = musicians()
    return lambda: three.friends.add(one, two)


@part("musicians")
def part_ways():
    one, two, _ = musicians()
    return lambda: two.friends.remove(one)


@part("musicians")
def become_famous():
    one, *_ = musicians()
    one.fame = 16
    return one.save


@part("musicians")
def forget_musician():
    return musicians()[0].delete


@part("musicians")
def join_band():
    band, two = zoo.Band.objects.get(), musicians()[1]
    return lambda: zoo.Membership.objects.create(band=band, musician=two)


@part("musicians")
def change_membership():
    membership = zoo.Membership.objects.get(active=False)
    membership.musician, membership.active = musicians()[0], True
    return membership.save


# Category: targets and sources in one table ------------------------------------------------------


def build_categories() -> None:
    root = zoo.Category.objects.create(name="root")
    child = zoo.Category.objects.create(name="child", parent=root)
    zoo.Category.objects.create(name="leaf", parent=child, weight=5)
    zoo.Category.objects.create(name="other")


def category(name: str) -> zoo.Category:
    return zoo.Category.objects.get(name=name)


@part("categories")
def create_category():
    child = category("child")
    return lambda: zoo.Category.objects.create(name="new", parent=child)


@part("categories")
def move_leaf():
    leaf = category("leaf")
    leaf.parent = category("other")
    return leaf.save


@part("categories")
def move_child():
    child = category("child")
    child.parent = category("other")
    return child.save


@part("categories")
def rename_root():
    root = category("root")
    root.name = "stem"
    return root.save


@part("categories")
def rename_child():
    child = category("child")
    child.name, child.weight = "kid", 7
    return child.save


@part("categories")
def delete_leaf():
    return category("leaf").delete


@part("categories")
def delete_child():
    return category("child").delete


# Customer > Order > Line: exact money, a key that names another column, chains -------------------


def build_orders() -> None:
    customers = [zoo.Customer.objects.create(code=code) for code in "ab"]
    orders = [zoo.Order.objects.create(customer=each) for each in (*customers, customers[0])]
    for number, order in enumerate(orders):
        for qty in (1, 2):
            zoo.Line.objects.create(
                order=order, qty=qty, price="1.10", date=later(number).date(), exact=qty == 2
            )


def orders() -> list[zoo.Order]:
    return list(zoo.Order.objects.order_by("pk"))


@part("orders")
def create_line():
    order = orders()[0]
    return lambda: zoo.Line.objects.create(order=order, price="3.30", date=later(9).date())


@part("orders")
def change_line():
    line = zoo.Line.objects.filter(order=orders()[0]).first()
    line.price, line.date = "7.70", later(-1).date()
    return line.save


@part("orders")
def move_line():
    line, order = zoo.Line.objects.filter(order=orders()[0]).first(), orders()[1]
    line.order = order
    return line.save


@part("orders")
def delete_lines():
    return lambda: zoo.Line.objects.filter(qty=2).delete()


@part("orders")
def move_order():
    order = orders()[0]
    order.customer = zoo.Customer.objects.get(code="b")
    return order.save


@part("orders")
def delete_order():
    return orders()[0].delete


@part("orders")
def create_order():
    customer = zoo.Customer.objects.get(code="a")
    return lambda: zoo.Order.objects.create(customer=customer)


@part("orders")
def upsert_orders():
    first = orders()[0]
    return lambda: zoo.Order.objects.bulk_create(
        [zoo.Order(pk=first.pk, customer_id="b"), zoo.Order(customer_id="a")],
        update_conflicts=True,
        update_fields=["customer"],
        **({} if connection.vendor == "mysql" else {"unique_fields": ["id"]}),
    )


# Topic > Reply: one count, one maximum, one average ----------------------------------------------


def build_topics() -> None:
    topic = zoo.Topic.objects.create()
    for weight in (2, 4):
        zoo.Reply.objects.create(topic=topic, weight=weight)


@part("topics")
def reply_the_mean():
    topic = zoo.Topic.objects.get()
    return lambda: zoo.Reply.objects.create(topic=topic, weight=3)


@part("topics")
def reply_more():
    topic = zoo.Topic.objects.get()
    return lambda: zoo.Reply.objects.create(topic=topic, weight=9)


@part("topics")
def raise_best():
    best = zoo.Reply.objects.latest("weight")
    best.weight += 3
    return best.save


@part("topics")
def delete_best():
    return zoo.Reply.objects.latest("weight").delete


@part("topics")
def delete_next():
    return zoo.Reply.objects.earliest("weight").delete


@part("topics")
def delete_replies():
    return lambda: zoo.Reply.objects.filter(weight__gte=3).delete()


@part("topics")
def bulk_create_replies():
    topic = zoo.Topic.objects.get()
    return lambda: zoo.Reply.objects.bulk_create([zoo.Reply(topic=topic, weight=n) for n in (1, 8)])


@part("topics")
def reweigh():
    return lambda: zoo.Reply.objects.filter(weight=2).update(weight=4)


@part("topics")
def retract_from_drifted():
    """A count that cannot fall any further is evaluated anew."""
    reply = zoo.Reply.objects.latest("weight")

    def retract():
        with unsynced():
            zoo.Topic.objects.update(reply_count=0)
        reply.delete()

    return retract


# Farm > Silo > Grain: what the database itself deletes, from Django 6.1 on ------------------------


def build_silos() -> None:
    market, label = zoo.Market.objects.create(), zoo.Label.objects.create(name="rye")
    silos = [zoo.Silo.objects.create(farm=zoo.Farm.objects.create()) for _ in range(2)]
    for silo in silos:
        zoo.Grain.objects.create(silo=silo, market=market, label=label, weight=3)


@part("silos")
def create_grain():
    silo, market = zoo.Silo.objects.earliest("pk"), zoo.Market.objects.get()
    return lambda: zoo.Grain.objects.create(silo=silo, market=market, weight=9)


@part("silos")
def move_grain():
    grain = zoo.Grain.objects.latest("pk")
    grain.silo = zoo.Silo.objects.earliest("pk")
    return grain.save


@part("silos")
def delete_silo():
    return zoo.Silo.objects.earliest("pk").delete


@part("silos")
def delete_label():
    return zoo.Label.objects.get().delete


# Shelf > Book: what is kept by the short way of many rows ----------------------------------------


def build_shelves() -> None:
    for number in range(2):
        shelf, publisher = zoo.Shelf.objects.create(), zoo.Publisher.objects.create()
        for title in ("old", "new"):
            zoo.Book.objects.create(
                shelf=shelf, publisher=publisher, pages=600 + number, title=title
            )


def last_shelf() -> zoo.Shelf:
    return zoo.Shelf.objects.latest("pk")


@part("shelves")
def move_old_books():
    shelf = last_shelf()
    return lambda: zoo.Book.objects.filter(title="old").update(shelf=shelf)


@part("shelves")
def thin_old_books_of_a_shelf():
    """The rows are found by a join: one that was waited for may not match any longer."""
    books = zoo.Book.objects.filter(shelf__page_sum__lt=1202, title="old")
    return lambda: books.update(pages=10)


@part("shelves")
def retitle_book():
    book = zoo.Book.objects.filter(title="old").earliest("pk")
    book.title = "read"
    return book.save


@part("shelves")
def move_book():
    book = zoo.Book.objects.filter(title="old").earliest("pk")
    book.shelf = last_shelf()
    return book.save


@part("shelves")
def delete_old_books():
    return lambda: zoo.Book.objects.filter(title="old").delete()


@part("shelves")
def delete_book():
    return zoo.Book.objects.filter(title="old").earliest("pk").delete


@part("shelves")
def bulk_create_books():
    shelves = list(zoo.Shelf.objects.order_by("-pk"))
    return lambda: zoo.Book.objects.bulk_create(
        [zoo.Book(shelf=each, pages=700, title="old") for each in shelves]
    )


@part("shelves")
def delete_shelf():
    return last_shelf().delete


SCENERIES = {
    "shelves": Scenery(
        build_shelves,
        rows=(zoo.Shelf, zoo.Publisher, zoo.Book),
        targets=(zoo.Shelf, zoo.Publisher),
    ),
    "blogs": Scenery(
        build_blogs,
        rows=(User, zoo.Blog, zoo.Post, zoo.Comment, zoo.Reaction),
        targets=(zoo.Blog, zoo.Post),
    ),
    "users": Scenery(
        build_users,
        rows=(User, zoo.Badge, zoo.Profile, zoo.Card, zoo.Passport),
        targets=(User, zoo.Profile, zoo.Card, zoo.Passport),
    ),
    "playlists": Scenery(
        build_playlists,
        rows=(zoo.Track, zoo.Playlist, zoo.Playlist.tracks.through),
        targets=(zoo.Track, zoo.Playlist),
    ),
    "musicians": Scenery(
        build_musicians,
        rows=(zoo.Musician, zoo.Musician.friends.through, zoo.Band, zoo.Membership),
        targets=(zoo.Musician, zoo.Band),
    ),
    "categories": Scenery(build_categories, rows=(zoo.Category,), targets=(zoo.Category,)),
    "orders": Scenery(
        build_orders,
        rows=(zoo.Customer, zoo.Order, zoo.Line),
        targets=(zoo.Customer, zoo.Order),
    ),
    "silos": Scenery(
        build_silos,
        rows=(zoo.Farm, zoo.Market, zoo.Label, zoo.Silo, zoo.Grain),
        targets=(zoo.Farm, zoo.Market, zoo.Grain),
    ),
    "topics": Scenery(build_topics, rows=(zoo.Topic, zoo.Reply), targets=(zoo.Topic,)),
}
