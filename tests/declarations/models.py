"""A world of models without rules, on which any rule can be put: every relation, there and back.

All have the same columns to read (``Facts``) and the same columns to keep (``Slots``), so that a
rule may be put on any of them.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import CASCADE, DO_NOTHING, SET_NULL, F


class Kind(models.TextChoices):
    PLAIN = "plain"
    RARE = "rare"


class Facts(models.Model):
    """What expressions read."""

    w = models.IntegerField(null=True, db_column="weight")
    size = models.IntegerField(default=0)
    rank = models.SmallIntegerField(db_default=3)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    fee = models.DecimalField(max_digits=8, decimal_places=1, default=Decimal(0))
    heat = models.FloatField(null=True)
    name = models.CharField(max_length=20, default="")
    note = models.TextField(null=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PLAIN)
    active = models.BooleanField(default=True)
    sure = models.BooleanField(null=True)
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    took = models.DurationField(null=True)
    ip = models.GenericIPAddressField(null=True)
    specs = models.JSONField(null=True)
    alarm = models.TimeField(null=True)
    token = models.UUIDField(null=True)
    double = models.GeneratedField(
        expression=F("size") * 2, output_field=models.IntegerField(), db_persist=True
    )

    class Meta:
        abstract = True


class Slots(models.Model):
    """What rules keep. A name says the type; ``_n`` that it may be NULL."""

    int_ = models.IntegerField(default=0)
    int_n = models.IntegerField(null=True)
    pos = models.PositiveIntegerField(default=0)
    big_n = models.BigIntegerField(null=True)
    dec0_n = models.DecimalField(max_digits=14, decimal_places=0, null=True)
    dec1 = models.DecimalField(max_digits=14, decimal_places=1, default=Decimal(0))
    dec2_n = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    dec4 = models.DecimalField(max_digits=18, decimal_places=4, default=Decimal(0))
    flt = models.FloatField(default=0.0)
    flt_n = models.FloatField(null=True)
    yes = models.BooleanField(default=False)
    yes_n = models.BooleanField(null=True)
    char = models.CharField(max_length=100, default="")
    char_n = models.CharField(max_length=100, null=True)
    text_n = models.TextField(null=True)
    day_ = models.DateField(default=dt.date(2000, 1, 1))
    day_n = models.DateField(null=True)
    at_n = models.DateTimeField(null=True)
    took_ = models.DurationField(default=dt.timedelta(0))
    took_n = models.DurationField(null=True)
    json_n = models.JSONField(null=True)
    ip_n = models.GenericIPAddressField(null=True)
    alarm_n = models.TimeField(null=True)
    token_n = models.UUIDField(null=True)
    touched = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class Area(Facts, Slots):
    """Referred to by its text key and by its unique number, as well as by its primary key."""

    code = models.CharField(max_length=20, unique=True)
    number = models.IntegerField(unique=True)
    near = models.ManyToManyField("self")


class Owner(Facts, Slots):
    area = models.ForeignKey(Area, CASCADE, null=True, related_name="owners")
    home = models.ForeignKey(Area, SET_NULL, null=True, to_field="code", related_name="residents")
    places = models.ManyToManyField(Area, through="Visit", related_name="visitors")
    follows = models.ManyToManyField("self", symmetrical=False, related_name="followers")
    comments = GenericRelation("Comment", related_query_name="owner")


class Visit(Facts, Slots):
    owner = models.ForeignKey(Owner, CASCADE, related_name="visits")
    area = models.ForeignKey(Area, CASCADE, related_name="visits")


class Card(Facts, Slots):
    """Its primary key is a relation, and its area may be gone."""

    owner = models.OneToOneField(Owner, CASCADE, primary_key=True, related_name="card")
    area = models.ForeignKey(Area, DO_NOTHING, null=True, db_constraint=False, related_name="cards")


class Tag(Facts, Slots):
    parent = models.ForeignKey("self", CASCADE, null=True, related_name="children")


class Item(Facts, Slots):
    owner = models.ForeignKey(Owner, CASCADE, related_name="items")
    helper = models.ForeignKey(Owner, SET_NULL, null=True, related_name="helped")
    site = models.ForeignKey(Area, CASCADE, null=True, to_field="number", related_name="items")
    tags = models.ManyToManyField(Tag, related_name="items")
    comments = GenericRelation("Comment", related_query_name="item")

    class Meta:
        ordering = ("-size", "pk")


class Special(Item):
    """A multi-table child, with columns and slots of its own."""

    extra = models.IntegerField(null=True)
    badge = models.OneToOneField(Tag, SET_NULL, null=True, related_name="special")
    own_int = models.IntegerField(default=0)
    own_int_n = models.IntegerField(null=True)
    own_char_n = models.CharField(max_length=100, null=True)
    own_dec_n = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    own_at_n = models.DateTimeField(null=True)
    own_took = models.DurationField(default=dt.timedelta(0))
    own_yes = models.BooleanField(default=False)


class Rare(Special):
    """A child of a child, without columns of its own but one."""

    own_big_n = models.BigIntegerField(null=True)


class Quick(Item):
    class Meta:
        proxy = True


class Shown(models.Manager["Toy"]):
    def get_queryset(self) -> models.QuerySet[Toy]:
        return super().get_queryset().filter(active=True)


class Toy(Facts, Slots):
    """Its manager hides some rows."""

    item = models.ForeignKey(Item, CASCADE, null=True, related_name="toys")
    quick = models.ForeignKey(Quick, SET_NULL, null=True, related_name="quick_toys")
    special = models.ForeignKey(Special, CASCADE, null=True, related_name="special_toys")
    rare = models.ForeignKey(Rare, SET_NULL, null=True, related_name="rare_toys")

    objects = Shown()
    everything = models.Manager()


class Comment(Facts, Slots):
    content_type = models.ForeignKey(ContentType, CASCADE, null=True, related_name="+")
    object_id = models.BigIntegerField(null=True)
    about = GenericForeignKey()
    tag = models.ForeignKey(Tag, CASCADE, null=True, related_name="tag_comments")


class Spot(Facts, Slots):
    """Its primary key is made of two columns."""

    pk = models.CompositePrimaryKey("area_id", "number")
    area = models.ForeignKey(Area, CASCADE, related_name="spots")
    number = models.IntegerField()
    owner = models.ForeignKey(Owner, SET_NULL, null=True, related_name="spots")


class Lamp(Facts, Slots):
    place = models.BigIntegerField(null=True)
    position = models.IntegerField(null=True)
    spot = models.ForeignObject(
        Spot,
        DO_NOTHING,
        from_fields=("place", "position"),
        to_fields=("area", "number"),
        null=True,
        related_name="lamps",
    )


class Depot(Facts, Slots):
    """It has a text as its primary key, and other keys of other types."""

    code = models.CharField(max_length=20, primary_key=True)
    uid = models.UUIDField(unique=True)
    since = models.DateField(unique=True)
    worth = models.DecimalField(max_digits=8, decimal_places=2, unique=True)
    areas = models.ManyToManyField(
        Area, through="Supply", through_fields=("depot", "area"), related_name="depots"
    )
    labels = GenericRelation("Label", related_query_name="depot")


class Supply(Facts, Slots):
    """Between two keys that are no primary keys."""

    depot = models.ForeignKey(Depot, CASCADE, to_field="uid", related_name="supplies")
    area = models.ForeignKey(
        Area, DO_NOTHING, to_field="code", db_constraint=False, related_name="supplies"
    )
    origin = models.ForeignKey(Area, SET_NULL, null=True, related_name="exports")


class Parcel(Facts, Slots):
    """What it names by a key without a constraint may not be there, or not yet."""

    depot = models.ForeignKey(Depot, CASCADE, null=True, related_name="parcels")
    by_uid = models.ForeignKey(Depot, SET_NULL, null=True, to_field="uid", related_name="of_uid")
    by_day = models.ForeignKey(
        Depot, DO_NOTHING, null=True, to_field="since", db_constraint=False, related_name="of_day"
    )
    by_worth = models.ForeignKey(
        Depot, SET_NULL, null=True, to_field="worth", db_constraint=False, related_name="of_worth"
    )


class Label(Facts, Slots):
    content_type = models.ForeignKey(ContentType, CASCADE, null=True, related_name="+")
    object_id = models.CharField(max_length=20, null=True)
    about = GenericForeignKey()


WORLD = (
    *(Area, Owner, Visit, Card, Tag, Item, Special, Rare, Toy, Comment),
    *(Spot, Lamp, Depot, Supply, Parcel, Label),
)
