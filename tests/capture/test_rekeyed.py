"""Primary keys that are written."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from django.db import models
from django.db.models import Avg, Case, Count, F, Max, Min, Q, QuerySet, Subquery, Sum, Value, When

from syncfields import coalesce, synced, unsynced
from tests.ownmodels import assert_kept, kept_by, own_apps
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

APPS = own_apps("rekeyed")
kept = kept_by(APPS)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "rekeyed"


class Region(Own):
    cards = synced(models.IntegerField(default=0), Sum("people__n"))
    seats = synced(models.IntegerField(default=0), Count("people__seats"))


class Person(Own):
    region = models.ForeignKey(Region, models.CASCADE, null=True, related_name="people")
    name = models.CharField(max_length=9, default="")
    n = synced(models.IntegerField(default=0), Count("card"))
    size = synced(models.IntegerField(default=0), Sum("card__size"))
    seat_count = synced(models.IntegerField(default=0), Count("seats"))
    last = synced(models.IntegerField(null=True), Max("seats__number"))
    first = synced(models.IntegerField(null=True), Min("seats__number", filter=Q(seats__ok=True)))
    mean = synced(models.FloatField(null=True), Avg("seats__number"))
    visits = synced(models.IntegerField(default=0), Count("card__visits"))


class Card(Own):
    """Known by the key of another row."""

    person = models.OneToOneField(Person, models.CASCADE, primary_key=True)
    size = models.IntegerField(default=1)
    name = synced(models.CharField(max_length=9, default=""), F("person__name"))
    visit_count = synced(models.IntegerField(default=0), Count("visits"))
    weights = synced(models.IntegerField(default=0), Sum("visits__weight"))


class Visit(Own):
    """Refers to a card without a constraint."""

    card = models.ForeignKey(
        Card, models.DO_NOTHING, null=True, related_name="visits", db_constraint=False
    )
    weight = models.IntegerField(default=1)
    name = synced(models.CharField(max_length=9, null=True), F("card__person__name"))
    size = synced(models.IntegerField(null=True), F("card__size"))


class Seat(Own):
    """Known by two columns, of which one is a relation."""

    pk = models.CompositePrimaryKey("person_id", "number")
    person = models.ForeignKey(Person, models.CASCADE, related_name="seats")
    number = models.IntegerField()
    ok = models.BooleanField(default=True)
    name = synced(models.CharField(max_length=9, default=""), F("person__name"))


class Code(Own):
    code = models.CharField(max_length=9, primary_key=True)
    title = models.CharField(max_length=9, default="")
    n = synced(models.IntegerField(default=0), Count("uses"))


class Use(Own):
    number = models.IntegerField(primary_key=True)
    code = models.ForeignKey(Code, models.DO_NOTHING, related_name="uses", db_constraint=False)
    title = synced(models.CharField(max_length=9, null=True), F("code__title"))


@pytest.fixture(autouse=True)
def people():
    regions = [Region.objects.create() for _ in range(2)]
    found = [
        Person.objects.create(name=name, region=regions[number % 2])
        for number, name in enumerate("abcd")
    ]
    for number, person in enumerate(found[:2]):
        card = Card.objects.create(person=person, size=number + 2)
        for weight in range(2):
            Visit.objects.create(card=card, weight=weight + 1)
    Visit.objects.create(card_id=found[2].pk)
    for person in found[:2]:
        for number in (1, 2, 5):
            Seat.objects.create(person=person, number=number, ok=number != 1)
    for number, code in enumerate("xy"):
        Code.objects.create(code=code, title=code * 2)
        Use.objects.create(number=number, code_id=code)
    Use.objects.create(number=9, code_id="z")
    assert_kept()
    return found


def next_person():
    return Subquery(QuerySet(Person).filter(name="d").values("pk")[:1])


WRITES = {
    "a card of another person": lambda a, b, c, d: Card.objects.filter(person=a).update(person=c),
    "by its key": lambda a, b, c, d: Card.objects.filter(person=a).update(person_id=c.pk),
    "by text": lambda a, b, c, d: Card.objects.filter(person=a).update(person_id=str(c.pk)),
    "with more": lambda a, b, c, d: Card.objects.filter(person=a).update(person=d, size=9),
    "by an expression": lambda a, b, c, d: Card.objects.filter(pk=a.pk).update(
        person=F("person") + (c.pk - a.pk)
    ),
    "all by an expression": lambda a, b, c, d: Card.objects.update(person=F("person") + 2),
    "by a subquery": lambda a, b, c, d: Card.objects.filter(person=b).update(person=next_person()),
    "by a case": lambda a, b, c, d: Card.objects.update(
        person=Case(When(size=2, then=Value(d.pk)), default=Value(c.pk))
    ),
    "over a join": lambda a, b, c, d: Card.objects.filter(person__name="a").update(person=c),
    "none": lambda a, b, c, d: Card.objects.filter(size=99).update(person=c),
    "to itself": lambda a, b, c, d: Card.objects.filter(person=a).update(person=a),
    "a part of a key": lambda a, b, c, d: Seat.objects.filter(person=a, number=5).update(number=7),
    "the relation of a key": lambda a, b, c, d: Seat.objects.filter(person=a).update(person=c),
    "both": lambda a, b, c, d: Seat.objects.filter(pk=(a.pk, 2)).update(person=c, number=30),
    "both, with more": lambda a, b, c, d: Seat.objects.filter(pk=(a.pk, 2)).update(
        person=c, number=30, ok=False
    ),
    "a part by an expression": lambda a, b, c, d: Seat.objects.filter(person=b).update(
        number=F("number") + 10
    ),
    "a code": lambda a, b, c, d: Code.objects.filter(code="x").update(code="z"),
    "a number": lambda a, b, c, d: Use.objects.filter(number=0).update(number=5),
    "numbers": lambda a, b, c, d: Use.objects.update(number=F("number") + 100),
}


@pytest.mark.parametrize("name", WRITES)
def test_rows_are_known_by_their_old_key_before_and_by_their_new_one_after(name, people):
    for within in (nullcontext, coalesce, lambda: unsynced(reconcile=True)):
        with rolled_back():
            with within():
                WRITES[name](*people)

            assert_kept()


def test_what_waits_for_a_row_is_not_lost_with_its_key(people):
    with coalesce():
        Visit.objects.create(card_id=people[0].pk, weight=40)
        Card.objects.filter(person=people[0]).update(person=people[3])
        Visit.objects.create(card_id=people[3].pk, weight=50)

    assert_kept()


def test_a_saved_instance_with_another_key_is_another_row(people):
    card = Card.objects.get(person=people[0])
    card.person = people[2]
    card.save()
    seat = Seat.objects.first()
    seat.number = 77
    seat.save()

    assert Card.objects.count() == 3
    assert Seat.objects.count() == 7
    assert_kept()


def test_bulk_update_refuses_keys_as_ever(people):
    card = Card.objects.first()

    with pytest.raises(ValueError, match="primary key"):
        Card.objects.bulk_update([card], ["person"])

    assert_kept()
