"""A small zoo: each shape of relation once, with rules of every kind of maintenance.

Each part is a little world of its own, named by its heading. ``tests/truth.py`` says again, by
hand, what every synced field here has to be.
"""

import datetime as dt
import uuid

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import Avg, Case, Count, F, Max, Min, Q, StdDev, Sum, Value, When
from django.db.models.functions import Coalesce, Concat, Upper
from django.utils import timezone

from syncfields import SyncManager, Tally, synced


def count_field() -> models.PositiveIntegerField:
    return models.PositiveIntegerField(default=0)


def money_field(**options) -> models.DecimalField:
    return models.DecimalField(max_digits=14, decimal_places=2, **options)


# Blog > Post > Comment > Reaction: paths of one, two and three hops ------------------------------


class Blog(models.Model):
    name = models.CharField(max_length=40)
    post_count = synced(count_field(), Count("posts"))
    live_post_count = synced(count_field(), Count("posts", filter=Q(posts__is_live=True)))
    comment_count = synced(count_field(), Count("posts__comments"))
    live_comment_count = synced(
        count_field(),
        Count("posts__comments", filter=Q(posts__is_live=True, posts__comments__is_public=True)),
    )
    active_comment_count = synced(
        count_field(),
        Count("posts__comments", filter=Q(posts__comments__author__is_active=True)),
    )
    reaction_count = synced(count_field(), Count("posts__comments__reactions"))
    # Rules on rules.
    comment_total = synced(count_field(), Sum("posts__comment_count"))
    busiest_post = synced(models.IntegerField(null=True), Max("posts__comment_count"))
    last_comment_at = synced(models.DateTimeField(null=True), Max("posts__last_comment_at"))
    # Two to-many relations in one expression.
    engagement = synced(
        models.IntegerField(default=0), Count("posts__comments") - Count("followers")
    )
    follower_count = synced(count_field(), Count("followers"))


class BlogProxy(Blog):
    class Meta:
        proxy = True


class Follower(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="followers")


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, null=True, related_name="posts")
    title = models.CharField(max_length=40, default="")
    is_live = models.BooleanField(default=True)
    # delta
    comment_count = synced(count_field(), Count("comments"))
    public_count = synced(count_field(), Count("comments", filter=Q(comments__is_public=True)))
    active_count = synced(
        count_field(), Count("comments", filter=Q(comments__author__is_active=True))
    )
    score_sum = synced(models.IntegerField(default=0), Sum("comments__score"))
    public_score = synced(
        models.IntegerField(default=0),
        Sum("comments__score", filter=Q(comments__is_public=True)),
    )
    # extreme
    first_comment_at = synced(models.DateTimeField(null=True), Min("comments__created"))
    last_comment_at = synced(models.DateTimeField(null=True), Max("comments__created"))
    best_score = synced(models.IntegerField(null=True), Max("comments__score"))
    worst_public_score = synced(
        models.IntegerField(null=True),
        Min("comments__score", filter=Q(comments__is_public=True)),
    )
    # recompute
    score_or_null = synced(models.IntegerField(null=True), Sum("comments__score"))
    score_average = synced(models.FloatField(null=True), Avg("comments__score"))
    score_deviation = synced(models.FloatField(null=True), StdDev("comments__score"))
    heat = synced(models.FloatField(default=0), Sum("comments__heat", default=0.0))
    author_count = synced(count_field(), Count("comments__author", distinct=True))
    best_or_zero = synced(models.IntegerField(default=0), Max("comments__score", default=0))
    # These two have their rules from TestAppConfig.ready().
    has_comments = models.BooleanField(default=False)
    newest_text = models.CharField(max_length=40, null=True)


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, null=True, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="comments"
    )
    text = models.CharField(max_length=40, default="")
    note = models.CharField(max_length=40, default="")
    is_public = models.BooleanField(default=True)
    score = models.IntegerField(null=True)
    heat = models.FloatField(default=0)
    created = models.DateTimeField(default=timezone.now)


class PublicManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(is_public=True)


class PublicComment(Comment):
    objects = PublicManager()

    class Meta:
        proxy = True


class Reaction(models.Model):
    comment = models.ForeignKey(Comment, models.CASCADE, related_name="reactions")
    kind = models.CharField(max_length=10, default="like")


# Users: copies, copies of copies, tallies --------------------------------------------------------


class Profile(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="profile"
    )
    nickname = models.CharField(max_length=40, default="")
    email = synced(models.EmailField(null=True), F("user__email"))
    display_name = synced(
        models.CharField(max_length=150, default=""),
        Coalesce("user__first_name", "user__username", Value("nobody")),
    )
    standing = synced(
        models.CharField(max_length=10, default=""),
        Case(When(user__is_active=True, then=Value("active")), default=Value("away")),
    )
    points = synced(models.IntegerField(default=0), Tally("user", 100))
    logins = synced(count_field(), Tally("user__logins", when=Q(succeeded=True), on=("create",)))
    login_weight = synced(
        money_field(default=0), Tally("user__logins", F("weight") * 2, on=("create", "save"))
    )


class Card(models.Model):
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="cards")
    kind = models.CharField(max_length=10, default="visit")
    email = synced(models.EmailField(null=True), F("profile__email"))
    username = synced(models.CharField(max_length=150, null=True), F("profile__user__username"))
    line = synced(
        models.TextField(default=""), Concat("kind", Value(": "), Upper("profile__nickname"))
    )


class Passport(models.Model):
    holder = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    email = synced(models.EmailField(default=""), F("holder__email"))


class Login(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="logins")
    succeeded = models.BooleanField(default=True)
    weight = money_field(default=1)


class Badge(models.Model):
    """Source of a rule on a model that is not edited: ``User.is_staff``."""

    holder = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="badges")
    revoked = models.BooleanField(default=False)


# Orders: exact money, unusual names and keys -----------------------------------------------------


class Customer(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    code = models.CharField(max_length=20, unique=True)
    order_count = synced(count_field(), Count("orders"))
    spend = synced(money_field(default=0), Sum("orders__total"))
    line_count = synced(count_field(), Count("orders__lines"))
    last_line_on = synced(models.DateField(null=True), Max("orders__lines__date"))


class Order(models.Model):
    customer = models.ForeignKey(
        Customer,
        models.CASCADE,
        to_field="code",
        null=True,
        related_name="orders",
        db_column="CustomerCode",
    )
    customer_id_copy = synced(models.UUIDField(null=True), F("customer__id"))
    total = synced(money_field(default=0), Sum(F("lines__qty") * F("lines__price")))
    exact = synced(count_field(), Count("lines", filter=Q(lines__exact=True)))
    average_price = synced(
        models.DecimalField(max_digits=14, decimal_places=4, null=True), Avg("lines__price")
    )
    date = synced(models.DateField(null=True), Min("lines__date"))

    class Meta:
        db_table = "order"


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, null=True, related_name="lines")
    qty = models.IntegerField(default=1, db_column="QtyOrdered")
    price = money_field(default=0)
    exact = models.BooleanField(default=False)
    date = models.DateField(null=True)


class Country(models.Model):
    code = models.CharField(max_length=8, primary_key=True)
    name = models.CharField(max_length=40, default="")
    population = synced(
        models.BigIntegerField(default=0, db_column="PopTotal"), Sum("cities__size")
    )
    parcel_count = synced(count_field(), Count("cities__parcels"))


class City(models.Model):
    country = models.ForeignKey(Country, models.CASCADE, null=True, related_name="cities")
    size = models.BigIntegerField(default=0)
    country_name = synced(models.CharField(max_length=40, null=True), F("country__name"))


# The table's name with its schema in front, where Django can create and read a table by it.
QUALIFIED = '"public"."testapp_parcel"' if connection.vendor == "postgresql" else "testapp_parcel"


class Parcel(models.Model):
    # No constraint, or Django could not empty the city's table: it does not find this one.
    city = models.ForeignKey(City, models.CASCADE, related_name="parcels", db_constraint=False)
    stamp_count = synced(count_field(), Count("stamps"))

    class Meta:
        db_table = QUALIFIED


class Stamp(models.Model):
    parcel = models.ForeignKey(Parcel, models.CASCADE, related_name="stamps")


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


# Clubs: several relations between the same two models --------------------------------------------


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


# Categories: self references ---------------------------------------------------------------------


class Category(models.Model):
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    name = models.CharField(max_length=40, default="")
    weight = models.IntegerField(default=1)
    child_count = synced(count_field(), Count("children"))
    grandchild_count = synced(count_field(), Count("children__children"))
    child_weight = synced(models.IntegerField(default=0), Sum("children__weight"))
    parent_name = synced(models.CharField(max_length=40, null=True), F("parent__name"))
    sibling_count = synced(models.IntegerField(null=True), F("parent__child_count"))


# Abstract base, multi-table inheritance ----------------------------------------------------------


class Counted(models.Model):
    entry_count = synced(count_field(), Count("entries"))
    entry_size = synced(models.IntegerField(null=True), Max("entries__size"))

    class Meta:
        abstract = True


class Folder(Counted):
    pass


class Box(Counted):
    label = models.CharField(max_length=40, default="")


class FolderEntry(models.Model):
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="entries")
    size = models.IntegerField(default=0)


class BoxEntry(models.Model):
    box = models.ForeignKey(Box, models.CASCADE, related_name="entries")
    size = models.IntegerField(default=0)


class Zone(models.Model):
    place_count = synced(count_field(), Count("places"))
    star_sum = synced(models.IntegerField(default=0), Sum("places__restaurant__stars"))
    review_count = synced(count_field(), Count("places__reviews"))


class Place(models.Model):
    zone = models.ForeignKey(Zone, models.CASCADE, null=True, related_name="places")
    name = models.CharField(max_length=40, default="")
    review_count = synced(count_field(), Count("reviews"))


class Restaurant(Place):
    stars = models.IntegerField(default=0)
    dish_count = synced(count_field(), Count("dishes"))
    best_review = synced(models.IntegerField(null=True), Max("reviews__grade"))


class Review(models.Model):
    place = models.ForeignKey(Place, models.CASCADE, related_name="reviews")
    grade = models.IntegerField(default=0)


class Dish(models.Model):
    restaurant = models.ForeignKey(Restaurant, models.CASCADE, related_name="dishes")
    place_name = synced(models.CharField(max_length=40, default=""), F("restaurant__name"))


# Projects: managers that hide rows, soft delete --------------------------------------------------


class OpenManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(closed=False)


class LiveManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(deleted_at=None)


class Project(models.Model):
    """Its default and its base manager both hide the closed ones."""

    closed = models.BooleanField(default=False)
    task_count = synced(count_field(), Count("tasks"))
    live_task_count = synced(count_field(), Count("tasks", filter=Q(tasks__deleted_at=None)))
    last_hours = synced(models.IntegerField(null=True), Max("tasks__hours"))

    objects = OpenManager()

    class Meta:
        base_manager_name = "objects"


class Task(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks")
    deleted_at = models.DateTimeField(null=True)
    hours = models.IntegerField(default=0)

    objects = LiveManager()
    everything = models.Manager()


# Threads: what belongs to the target's user, not to us -------------------------------------------


class Thread(models.Model):
    version = models.IntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)
    reply_count = synced(count_field(), Count("replies"))


class Topic(models.Model):
    touched_at = models.DateTimeField(null=True)
    reply_count = synced(count_field(), Count("replies"), touch="touched_at")
    top_at = models.DateTimeField(null=True)
    top = synced(models.IntegerField(null=True), Max("replies__weight"), touch="top_at")
    mean_at = models.DateTimeField(null=True)
    mean = synced(models.FloatField(null=True), Avg("replies__weight"), touch="mean_at")


class Reply(models.Model):
    thread = models.ForeignKey(Thread, models.CASCADE, null=True, related_name="replies")
    topic = models.ForeignKey(Topic, models.CASCADE, null=True, related_name="replies")
    text = models.CharField(max_length=40, default="")
    weight = models.IntegerField(default=0)


# Monitors: columns whose value is not what the instance says -----------------------------------


class RisingField(models.IntegerField):
    """Rises each time it is about to be saved; Django 6 may ask twice for one save."""

    def pre_save(self, model_instance, add):
        value = super().pre_save(model_instance, add)
        if isinstance(value, int):
            value += 1
            setattr(model_instance, self.attname, value)
        return value


class Monitor(models.Model):
    level_sum = synced(models.IntegerField(default=0), Sum("beats__level"))
    last_beat_at = synced(models.DateTimeField(null=True), Max("beats__at"))
    weight = synced(models.IntegerField(default=0), Sum("beats__weight"))
    double_sum = synced(models.IntegerField(default=0), Sum("beats__double", default=0))
    loud_count = synced(count_field(), Count("beats", filter=Q(beats__double__gt=10)))
    # What is equal to "alarm" is for the collation to say.
    alarm_count = synced(count_field(), Count("beats", filter=Q(beats__kind="alarm")))
    kind_count = synced(count_field(), Count("beats__kind", distinct=True))


class Beat(models.Model):
    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="beats")
    level = RisingField(default=0)
    at = models.DateTimeField(auto_now=True)
    weight = models.IntegerField(db_default=3)
    double = models.GeneratedField(
        expression=F("level") * 2, output_field=models.IntegerField(), db_persist=True
    )
    kind = models.CharField(max_length=10, default="")


# Wallets: values that a CHECK constraint guards, NULL as a drifted value -------------------------


class Wallet(models.Model):
    balance = synced(money_field(default=0), Sum("entries__amount"))
    entry_count = synced(models.IntegerField(null=True), Count("entries"))
    positive_count = synced(count_field(), Count("entries", filter=Q(entries__amount__gt=0)))
    weight = synced(models.FloatField(null=True), Sum("entries__weight"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_not_overdrawn")
        ]


class Entry(models.Model):
    wallet = models.ForeignKey(Wallet, models.CASCADE, related_name="entries")
    amount = money_field(default=0)
    weight = models.FloatField(default=0)


# Shelves: what a write costs ---------------------------------------------------------------------


class Shelf(models.Model):
    book_count = synced(count_field(), Count("books"))
    page_sum = synced(models.IntegerField(default=0), Sum("books__pages"))


class Publisher(models.Model):
    thick_count = synced(count_field(), Count("books", filter=Q(books__pages__gte=500)))


class Book(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="books")
    publisher = models.ForeignKey(Publisher, models.CASCADE, null=True, related_name="books")
    pages = models.IntegerField(default=0)
    title = models.CharField(max_length=40, default="")


class Till(models.Model):
    """The name of one field is that of the other and a digit."""

    sales = synced(models.IntegerField(default=0), Sum("receipts__amount"))
    sales1 = synced(models.IntegerField(default=0), Sum("receipts__tip"))


class Receipt(models.Model):
    till = models.ForeignKey(Till, models.CASCADE, related_name="receipts")
    amount = models.IntegerField(default=0)
    tip = models.IntegerField(default=0)


class Ticket(models.Model):
    fare = models.IntegerField(default=0)


class Coach(models.Model):
    passenger_count = synced(count_field(), Count("passengers"))


class Passenger(models.Model):
    """A target that is counted itself, and that nothing refers to."""

    coach = models.ForeignKey(Coach, models.CASCADE, related_name="passengers")
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="passengers")
    fare = synced(models.IntegerField(default=0), F("ticket__fare"))


class Tray(models.Model):
    """As Shelf, with old values from memory."""

    cup_count = synced(count_field(), Count("cups"), tracking="memory")
    volume = synced(models.IntegerField(default=0), Sum("cups__volume"), tracking="memory")

    objects = SyncManager()


class Cup(models.Model):
    tray = models.ForeignKey(Tray, models.CASCADE, null=True, related_name="cups")
    volume = models.IntegerField(default=0)
    title = models.CharField(max_length=40, default="")


class Unwatched(models.Model):
    """Read by no rule."""

    title = models.CharField(max_length=40, default="")


# Playlists, bands, friends: many to many ---------------------------------------------------------


class Track(models.Model):
    minutes = models.IntegerField(default=0)
    playlist_count = synced(count_field(), Count("playlists"))


class Playlist(models.Model):
    tracks = models.ManyToManyField(Track, related_name="playlists")
    track_count = synced(count_field(), Count("tracks"))
    long_count = synced(count_field(), Count("tracks", filter=Q(tracks__minutes__gte=10)))
    minutes = synced(models.IntegerField(default=0), Sum("tracks__minutes"))
    longest = synced(models.IntegerField(null=True), Max("tracks__minutes"))


class Musician(models.Model):
    fame = models.IntegerField(default=0)
    friends = models.ManyToManyField("self")
    friend_count = synced(count_field(), Count("friends"))
    friends_fame = synced(models.IntegerField(default=0), Sum("friends__fame"))
    band_count = synced(count_field(), Count("bands"))


class Band(models.Model):
    members = models.ManyToManyField(Musician, through="Membership", related_name="bands")
    member_count = synced(count_field(), Count("members"))
    active_count = synced(count_field(), Count("memberships", filter=Q(memberships__active=True)))
    active_fame = synced(
        models.IntegerField(default=0),
        Sum("memberships__musician__fame", filter=Q(memberships__active=True)),
    )


class Membership(models.Model):
    band = models.ForeignKey(Band, models.CASCADE, related_name="memberships")
    musician = models.ForeignKey(Musician, models.CASCADE, related_name="memberships")
    active = models.BooleanField(default=True)


# Tags: generic relations, by number, by UUID, by text --------------------------------------------


class Tag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True)
    object_id = models.PositiveBigIntegerField(null=True)
    content_object = GenericForeignKey()
    weight = models.IntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["content_type", "object_id"])]


class Tagged(models.Model):
    tags = GenericRelation(Tag)
    tag_count = synced(count_field(), Count("tags"))
    tag_weight = synced(models.IntegerField(null=True), Max("tags__weight"))

    class Meta:
        abstract = True


class Photo(Tagged):
    album = models.ForeignKey("Album", models.CASCADE, null=True, related_name="photos")


class Clip(Tagged):
    pass


class Album(models.Model):
    tag_count = synced(count_field(), Count("photos__tags"))


class DocumentTag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.UUIDField()
    content_object = GenericForeignKey()

    class Meta:
        indexes = [models.Index(fields=["content_type", "object_id"])]


class Document(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tags = GenericRelation(DocumentTag)
    tag_count = synced(count_field(), Count("tags"))


class TextTag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=40)
    content_object = GenericForeignKey()

    class Meta:
        indexes = [models.Index(fields=["content_type", "object_id"])]


class Page(models.Model):
    slug = models.CharField(max_length=40, primary_key=True)
    tags = GenericRelation(TextTag)
    tag_count = synced(count_field(), Count("tags"))


# Keepers: what becomes of a row whose parent goes ------------------------------------------------

HOME = "home"


def home_keeper() -> str:
    return HOME


class Keeper(models.Model):
    name = models.CharField(max_length=8, primary_key=True)
    owned_count = synced(count_field(), Count("owned"))
    spare_count = synced(count_field(), Count("spare"))
    visited_count = synced(count_field(), Count("visited"))
    bred_count = synced(count_field(), Count("bred"))
    insured_count = synced(count_field(), Count("insured"))


class Pet(models.Model):
    owner = models.ForeignKey(Keeper, models.SET_NULL, null=True, related_name="owned")
    sitter = models.ForeignKey(
        Keeper, models.SET_DEFAULT, default=HOME, null=True, related_name="spare"
    )
    vet = models.ForeignKey(Keeper, models.SET(home_keeper), null=True, related_name="visited")
    breeder = models.ForeignKey(
        Keeper, models.DO_NOTHING, null=True, related_name="bred", db_constraint=False
    )
    insurer = models.ForeignKey(Keeper, models.RESTRICT, null=True, related_name="insured")


# Silos: rows that the database itself deletes, or whose keys it changes (Django 6.1) -------------

DB_CASCADE = getattr(models, "DB_CASCADE", models.CASCADE)
DB_SET_NULL = getattr(models, "DB_SET_NULL", models.SET_NULL)
# MariaDB has no ON DELETE SET DEFAULT.
DB_SET_DEFAULT = (
    models.SET_DEFAULT
    if connection.vendor == "mysql"
    else getattr(models, "DB_SET_DEFAULT", models.SET_DEFAULT)
)


class Farm(models.Model):
    grain_weight = synced(models.IntegerField(default=0), Sum("silos__grains__weight"))


class Market(models.Model):
    grain_count = synced(count_field(), Count("grains"))
    heaviest = synced(models.IntegerField(null=True), Max("grains__weight"))
    unlabelled = synced(count_field(), Count("grains", filter=Q(grains__label=None)))


class Label(models.Model):
    name = models.CharField(max_length=40, default="")


class Silo(models.Model):
    farm = models.ForeignKey(Farm, DB_CASCADE, related_name="silos")


class Grain(models.Model):
    silo = models.ForeignKey(Silo, DB_CASCADE, null=True, related_name="grains")
    market = models.ForeignKey(Market, DB_SET_NULL, null=True, related_name="grains")
    label = models.ForeignKey(Label, DB_SET_NULL, null=True, related_name="grains")
    weight = models.IntegerField(default=1)
    label_name = synced(models.CharField(max_length=40, null=True), F("label__name"))


class Seal(models.Model):
    label = models.ForeignKey(Label, DB_SET_DEFAULT, default=1, db_default=1)
    label_name = synced(models.CharField(max_length=40, null=True), F("label__name"))


# Depots: a path of two keys which the database itself sets to NULL, or to their default ----------


class Depot(models.Model):
    name = models.CharField(max_length=40, default="")
    crate_count = synced(count_field(), Count("trucks__crates"))
    heaviest = synced(models.IntegerField(null=True), Max("trucks__crates__weight"))

    class Meta:
        abstract = True


class Truck(models.Model):
    load = synced(models.IntegerField(default=0), Sum("crates__weight"))

    class Meta:
        abstract = True


class Crate(models.Model):
    weight = models.IntegerField(default=1)
    depot_name = synced(models.CharField(max_length=40, null=True), F("truck__depot__name"))

    class Meta:
        abstract = True


class NullDepot(Depot):
    pass


class NullTruck(Truck):
    depot = models.ForeignKey(NullDepot, DB_SET_NULL, null=True, related_name="trucks")


class NullCrate(Crate):
    truck = models.ForeignKey(NullTruck, DB_SET_NULL, null=True, related_name="crates")


class DefaultDepot(Depot):
    pass


class DefaultTruck(Truck):
    depot = models.ForeignKey(
        DefaultDepot, DB_SET_DEFAULT, default=1, db_default=1, related_name="trucks"
    )


class DefaultCrate(Crate):
    truck = models.ForeignKey(
        DefaultTruck, DB_SET_DEFAULT, default=1, db_default=1, related_name="crates"
    )


# Makers: values that are not NULL, though there are no rows; copies of unusual types -------------


class Maker(models.Model):
    name = models.CharField(max_length=40, default="")
    founded = models.DateField(default=dt.date(1990, 5, 1))
    specs = models.JSONField(default=dict)
    # A maker without gadgets is joined with a row of NULLs, and that counts.
    mean_weight = synced(models.FloatField(null=True), Avg(Coalesce("gadgets__weight", 7)))
    # The field that another rule touches.
    counted_at = synced(models.DateTimeField(null=True), Max("gadgets__counted_at"))


class Licence(models.Model):
    """Its fields cannot wait for their values: they are unique, or take no placeholder."""

    maker = models.OneToOneField(Maker, models.CASCADE, related_name="licence")
    name = synced(models.CharField(max_length=40, unique=True), F("maker__name"))
    founded = synced(models.DateField(default=dt.date(1900, 1, 1)), F("maker__founded"))


class Gadget(models.Model):
    maker = models.ForeignKey(Maker, models.CASCADE, related_name="gadgets")
    weight = models.IntegerField(null=True)
    made = models.DateField(default=dt.date(2020, 1, 1))
    specs = synced(models.JSONField(null=True), F("maker__specs"))
    # A transform of its own column beside that of another.
    years = synced(models.IntegerField(default=0), F("made__year") - F("maker__founded__year"))
    counted_at = models.DateTimeField(null=True)
    part_count = synced(count_field(), Count("parts"), touch="counted_at")


class Part(models.Model):
    gadget = models.ForeignKey(Gadget, models.CASCADE, related_name="parts")


# Hives: one kind of maintenance each, for the table of tests/test_proof.py -----------------------


class Flower(models.Model):
    """What takes its bees along when it goes, and the far end of a many-to-many relation."""


class Swarm(models.Model):
    """What leaves its bees behind."""


class Hive(models.Model):
    name = models.CharField(max_length=40, default="")

    class Meta:
        abstract = True


class Bee(models.Model):
    flower = models.ForeignKey(Flower, models.CASCADE, null=True, related_name="+")
    swarm = models.ForeignKey(Swarm, models.SET_NULL, null=True, related_name="+")
    honey = models.IntegerField(default=0)

    class Meta:
        abstract = True


def hive_key(hive: type[Hive]) -> models.ForeignKey:
    return models.ForeignKey(hive, models.SET_NULL, null=True, related_name="bees")


AT_HOME = Q(bees__swarm=None)


class DeltaHive(Hive):
    flowers = models.ManyToManyField(Flower, through="DeltaBee", related_name="+")
    total = synced(models.IntegerField(default=0), Sum("bees__honey", filter=AT_HOME))


class DeltaBee(Bee):
    hive = hive_key(DeltaHive)


class ExtremeHive(Hive):
    flowers = models.ManyToManyField(Flower, through="ExtremeBee", related_name="+")
    total = synced(models.IntegerField(null=True), Max("bees__honey", filter=AT_HOME))


class ExtremeBee(Bee):
    hive = hive_key(ExtremeHive)


class RecomputeHive(Hive):
    flowers = models.ManyToManyField(Flower, through="RecomputeBee", related_name="+")
    total = synced(models.FloatField(null=True), Avg("bees__honey", filter=AT_HOME))


class RecomputeBee(Bee):
    hive = hive_key(RecomputeHive)


class CopyHive(Hive):
    flowers = models.ManyToManyField(Flower, through="CopyBee", related_name="+")


class CopyBee(Bee):
    hive = hive_key(CopyHive)
    hive_name = synced(models.CharField(max_length=40, null=True), F("hive__name"))


class TallyHive(Hive):
    flowers = models.ManyToManyField(Flower, through="TallyBee", related_name="+")
    total = synced(models.IntegerField(default=0), Tally("bees"))


class TallyBee(Bee):
    hive = hive_key(TallyHive)
