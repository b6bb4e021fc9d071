"""Deletes that begin, pass through or end outside the plan."""

from __future__ import annotations

import pytest
from django.db import connection, models
from django.db.models import Avg, Count, F, Max, Q, Sum
from django.db.models.signals import post_delete, pre_delete

from syncfields import Tally, coalesce, synced, unsynced
from tests.ownmodels import assert_kept, kept_by, own_apps
from tests.statements import sent

pytestmark = pytest.mark.django_db

APPS = own_apps("cascades")
kept = kept_by(APPS)
IN_DATABASE = getattr(models, "DB_CASCADE", None)
SET_IN_DATABASE = getattr(models, "DB_SET_NULL", None)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "cascades"


class Person(Own):
    """Read by no rule."""

    name = models.CharField(max_length=9, default="")


class Letter(Own):
    """Read by no rule, and between people and comments."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="letters")


class Log(Own):
    """A target that no rule reads, and that has nothing but a tally."""

    person = models.ForeignKey(Person, models.CASCADE, null=True)
    events = synced(models.IntegerField(default=0), Tally("comments", on=("create",)))


class Post(Own):
    owner = models.ForeignKey(Person, models.CASCADE, null=True, related_name="posts")
    n = synced(models.IntegerField(default=0), Count("comments"))
    edited = synced(models.IntegerField(default=0), Count("comments__editor"))
    total = synced(models.IntegerField(default=0), Sum("comments__score"))
    best = synced(models.IntegerField(null=True), Max("comments__score"))
    mean = synced(models.FloatField(null=True), Avg("comments__score"))


class Comment(Own):
    post = models.ForeignKey(Post, models.CASCADE, null=True, related_name="comments")
    log = models.ForeignKey(Log, models.CASCADE, null=True, related_name="comments")
    author = models.ForeignKey(Person, models.CASCADE, null=True, related_name="comments")
    editor = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="edits")
    letter = models.ForeignKey(Letter, models.CASCADE, null=True, related_name="comments")
    score = models.IntegerField(default=1)


class Shelf(Own):
    """Counted only: no extreme, no copy, the shortest way."""

    n = synced(models.IntegerField(default=0), Count("books"))
    thick = synced(models.IntegerField(default=0), Count("books", filter=Q(books__pages__gt=5)))
    fans = synced(models.IntegerField(default=0), Count("readers"))
    readers = models.ManyToManyField("Reader", related_name="shelves")


class Reader(Own):
    boss = models.ForeignKey("self", models.CASCADE, null=True)


class Author(Own):
    """Read by no rule."""

    mentor = models.ForeignKey("self", models.CASCADE, null=True, related_name="pupils")


class Book(Own):
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="books")
    author = models.ForeignKey(Author, models.CASCADE, null=True)
    editor = models.ForeignKey(Author, models.SET_NULL, null=True, related_name="edited")
    pages = models.IntegerField(default=9)
    mentor = synced(models.IntegerField(null=True), F("shelf__n"))


class Rack(Own):
    """Counted, and no more: a DELETE says all."""

    n = synced(models.IntegerField(default=0), Count("jars"))


class Cook(Own):
    """Read by no rule, and referred to by jars only."""

    mentor = models.ForeignKey("self", models.CASCADE, null=True)


class Jar(Own):
    rack = models.ForeignKey(Rack, models.CASCADE, null=True, related_name="jars")
    author = models.ForeignKey(Cook, models.CASCADE, null=True)


class Lonely(Own):
    """Read by no rule, and nothing but books that are nobody's source refers to it."""

    author = models.ForeignKey(Author, models.CASCADE, null=True)


class Town(Own):
    """Copied from, and deleted without anybody's notice."""

    name = models.CharField(max_length=9, default="")
    friends = models.ManyToManyField("self")


class Label(Own):
    """A target that no rule reads."""

    town = models.ForeignKey(Town, models.CASCADE)
    name = synced(models.CharField(max_length=9, default=""), F("town__name"))


if IN_DATABASE is not None:

    class Room(Own):
        """Read by no rule; the database itself deletes what is in it."""

    class Wall(Own):
        """The same, between rooms and desks."""

        room = models.ForeignKey(Room, IN_DATABASE)

    class Building(Own):
        n = synced(models.IntegerField(default=0), Count("desks"))
        placed = synced(models.IntegerField(default=0), Count("desks__lamp"))

    class Desk(Own):
        building = models.ForeignKey(Building, models.CASCADE, related_name="desks", null=True)
        room = models.ForeignKey(Room, IN_DATABASE, null=True)
        wall = models.ForeignKey(Wall, IN_DATABASE, null=True)
        lamp = models.ForeignKey("Lamp", SET_IN_DATABASE, null=True)

    class Lamp(Own):
        """Read by no rule but for its key."""


def one(model, **values):
    instance = model.objects.get(**values)
    return instance.delete


def queryset(model, **values):
    return model.objects.filter(**values).delete


WAYS = [one, queryset]


@pytest.fixture(params=["plain", "receivers", "coalesce", "unsynced"])
def around(request):
    """What a delete may happen within."""

    def nothing(**_):
        pass

    models_ = (Person, Letter, Comment, Author, Book, Cook, Jar)
    if request.param == "receivers":
        for model in models_:
            for signal in (pre_delete, post_delete):
                signal.connect(nothing, sender=model)
        yield lambda write: write()
        for model in models_:
            for signal in (pre_delete, post_delete):
                signal.disconnect(nothing, sender=model)
        return

    def wrapped(write):
        if request.param == "plain":
            return write()
        with coalesce() if request.param == "coalesce" else unsynced(reconcile=True):
            return write()

    yield wrapped


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("key", ["author", "editor", "letter"])
def test_a_row_outside_the_plan_is_deleted_with_what_hangs_on_it(around, way, number, key):
    post, other, log = Post.objects.create(), Post.objects.create(), Log.objects.create()
    person, another = Person.objects.create(name="a"), Person.objects.create(name="b")
    for each in (person, another):
        value = Letter.objects.create(person=each) if key == "letter" else each
        for score in range(number if each is person else 1):
            Comment.objects.create(
                post=(post, other)[score % 2], log=log, score=score, **{key: value}
            )
    assert_kept()

    around(way(Person, name="a"))

    assert_kept()
    assert Comment.objects.filter(**{f"{key}__isnull": False}).count() == 1
    assert not Person.objects.filter(name="a").exists()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("outside", "source", "key"),
    [
        (Cook, Jar, "author"),
        (Cook, Jar, "author__mentor"),
        (Author, Book, "author"),
        (Author, Book, "author__mentor"),
        (Author, Book, "editor"),
    ],
)
def test_a_row_outside_the_plan_of_which_only_counts_are_kept(
    around, way, number, outside, source, key
):
    target = (Rack if source is Jar else Shelf).objects.create()
    root = author = outside.objects.create()
    if "__" in key:
        author = outside.objects.create(mentor=author)
    relation = "rack" if source is Jar else "shelf"
    for _ in range(number):
        source.objects.create(**{relation: target, key.split("__")[0]: author})
    assert_kept()

    around(way(outside, pk=root.pk))

    assert_kept()
    assert not outside.objects.exists()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_target_of_tallies_only_is_deleted_with_its_sources(around, way, number):
    log = Log.objects.create()
    for _ in range(number):
        Comment.objects.create(post=Post.objects.create(), log=log)

    around(way(Log, pk=log.pk))

    assert not Comment.objects.exists()
    assert_kept()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_counted_goes_with_its_target_and_what_is_outside(around, way):
    person = Person.objects.create()
    post = Post.objects.create(owner=person)
    Log.objects.create(person=person)
    Comment.objects.create(post=post, author=person)
    Comment.objects.create(post=Post.objects.create(), author=person, editor=person)
    Comment.objects.create(post=Post.objects.create(), editor=person)

    around(way(Person))

    assert Post.objects.count() == 2
    assert_kept()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", [Reader, Shelf])
def test_rows_of_many_to_many_relations_go(around, way, model):
    boss = Reader.objects.create()
    readers = [boss, Reader.objects.create(boss=boss)]
    shelf = Shelf.objects.create()
    shelf.readers.set(readers)
    Shelf.objects.create().readers.set(readers[:1])
    assert_kept()

    around(way(model, pk=(boss if model is Reader else shelf).pk))

    assert_kept()


@pytest.mark.skipif(IN_DATABASE is None, reason="Django 6.1 deletes in the database")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", ["room", "wall", "lamp"])
@pytest.mark.parametrize("number", [0, 2])
def test_the_database_deletes_or_nulls_what_is_counted(around, way, key, number):
    building = Building.objects.create()
    room, lamp = Room.objects.create(), Lamp.objects.create()
    for _ in range(number):
        value = {"room": room, "lamp": lamp}.get(key) or Wall.objects.create(room=room)
        Desk.objects.create(building=building, **{key: value})
        Desk.objects.create(building=building, lamp=lamp)
    assert_kept()

    around(way(Lamp if key == "lamp" else Room))

    assert_kept()


@pytest.mark.parametrize("number", [1, 3])
def test_a_delete_that_no_rule_notices_sends_what_django_sends(number):
    towns = [Town.objects.create() for _ in range(number)]
    for town in towns:
        Label.objects.create(town=town)
        Lonely.objects.create()

    with sent() as statements:
        Lonely.objects.all().delete()
        Label.objects.filter(pk__gt=0, town__name="").delete()
        Label.objects.all().delete()
        towns[0].friends.clear()
        Town.objects.all().delete()

    # Django sends these. Where rows are locked, labels are locked after the towns they copy from,
    # as by those who write a town; by then there are none.
    of_towns = ["DELETE cascades_town_friends", "DELETE cascades_label", "DELETE cascades_town"]
    if connection.features.has_select_for_update:
        of_towns[1:2] = []
        of_towns[:0] = ["SELECT cascades_town", "SELECT cascades_label"]
    assert statements == [
        "DELETE cascades_lonely",
        "DELETE cascades_label",
        "DELETE cascades_label",
        "DELETE cascades_town_friends",
        "SELECT cascades_town",
        *of_towns,
    ]
