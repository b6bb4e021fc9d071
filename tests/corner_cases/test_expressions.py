"""What an expression says, beside the rows that it counts: which of them it lacks, how they are
ordered, what a subquery finds, which way a relation is walked.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.db import connection, models
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables

pytestmark = pytest.mark.django_db
APPS = own_apps("expressions")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "expressions"


class Person(Own):
    follows = models.ManyToManyField("self", symmetrical=False, related_name="followers")
    friends = models.ManyToManyField("self")
    a = models.IntegerField(default=0)
    b = models.IntegerField(default=0)
    c = models.IntegerField(default=0)


class Forum(Own):
    a = models.IntegerField(default=0)
    b = models.IntegerField(default=0)
    c = models.IntegerField(null=True)
    text = models.CharField(max_length=9, null=True)


class Writer(Own):
    rank = models.IntegerField(default=0)

    class Meta(Own.Meta):
        abstract = False
        ordering = ["-rank"]


class Talk(Own):
    forum = models.ForeignKey(Forum, models.CASCADE, related_name="talks")
    writer = models.ForeignKey(Writer, models.SET_NULL, null=True)
    code = models.IntegerField(unique=True, null=True)
    w = models.IntegerField(default=0)
    v = models.IntegerField(default=0)
    text = models.CharField(max_length=9, default="")

    class Meta(Own.Meta):
        abstract = False
        ordering = ["w"]


class Answer(Own):
    talk = models.ForeignKey(Talk, models.CASCADE, related_name="answers")
    w = models.IntegerField(default=0)


class Mark(Own):
    talk = models.ForeignKey(
        Talk, models.CASCADE, to_field="code", related_name="marks", db_constraint=False
    )


class Stamp(Own):
    talk = models.ForeignKey(Talk, models.CASCADE, to_field="code", related_name="stamps")


class Scale(Own):
    heaviest = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    lightest = models.DecimalField(max_digits=9, decimal_places=2, null=True)


class Weight(Own):
    scale = models.ForeignKey(Scale, models.CASCADE, related_name="weights")
    kg = models.DecimalField(max_digits=9, decimal_places=3)


@pytest.fixture(scope="module", autouse=True)
def own_tables(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def people(number):
    return [Person.objects.create() for _ in range(number)]


@pytest.mark.parametrize(
    "expressions",
    [
        {"a": Count("followers"), "b": Count("follows"), "c": Count("friends")},
        {"a": Count("follows__follows"), "b": Count("follows__followers")},
        {"a": Count("followers__follows__followers"), "b": Count("friends__followers")},
        {"a": Count("followers", distinct=True) + Count("follows", distinct=True)},
        {"a": Count("follows") - Count("followers"), "b": Max("followers__pk", default=-1)},
    ],
)
def test_a_relation_of_a_model_with_itself_is_walked_both_ways(expressions):
    with kept((Person, *each) for each in expressions.items()):
        one, two, three, four = people(4)
        for write in (
            lambda: one.follows.add(two, three),
            lambda: one.followers.add(four, two),
            lambda: one.follows.add(one),
            lambda: one.friends.add(two, four),
            lambda: two.followers.set([three]),
            lambda: one.follows.remove(three),
            lambda: four.friends.remove(one),
            lambda: Person.follows.through.objects.update(to_person=four),
            one.followers.clear,
            two.delete,
            lambda: Person.objects.filter(pk=four.pk).delete(),
        ):
            write()
            assert_kept()


def write_forums():
    """Each kind of write of the rows of a forum; yields after each."""
    one, two = forums = [Forum.objects.create() for _ in range(2)]
    yield
    writers = [Writer.objects.create(rank=rank) for rank in range(3)]
    talks = []
    for number in range(5):
        talks.append(
            Talk.objects.create(
                forum=forums[number % 2],
                writer=writers[number % 3],
                code=number,
                w=number % 4,
                v=number % 3,
                text=f"t{number}",
            )
        )
        yield
    for number in range(5):
        Answer.objects.create(talk=talks[number // 2], w=number)
        yield
    # The last ones name talks that are not there yet.
    for number in (0, 1, 6, 6, 7):
        Mark.objects.create(talk_id=number)
        yield
    Talk.objects.create(forum=one, code=6, w=2)
    yield
    Talk.objects.bulk_create([Talk(forum=two, code=code, w=3, text=f"b{code}") for code in (7, 8)])
    yield
    Talk.objects.filter(pk=talks[0].pk).update(w=9)
    yield
    talks[1].w = -1
    talks[1].save()
    yield
    Writer.objects.filter(pk=writers[0].pk).update(rank=8)
    yield
    Talk.objects.update(v=2)
    yield
    Talk.objects.update(w=F("w") + 1)
    yield
    Answer.objects.first().delete()
    yield
    Answer.objects.filter(w__lt=3).delete()
    yield
    Talk.objects.update(forum=one)
    yield
    Talk.objects.filter(w__gt=3).delete()
    yield
    talks[1].delete()
    yield
    writers[1].delete()
    yield
    one.delete()
    yield


def answered(reference):
    return Exists(Answer.objects.filter(talk=OuterRef(reference)))


def first(*order, **condition):
    found = Talk.objects.filter(forum=OuterRef("pk"), **condition)
    return Subquery((found.order_by(*order) if order else found).values("text")[:1])


@pytest.mark.parametrize(
    "expressions",
    [
        # What a row lacks.
        {"a": Count("talks", filter=Q(talks__answers__isnull=True))},
        {"c": Max("talks__pk", filter=Q(talks__answers__isnull=True))},
        {"a": Sum(Coalesce("talks__answers__w", 1))},
        {"a": Count("talks", filter=Q(talks__marks__isnull=True))},
        {"a": Count("talks", filter=~Q(talks__answers__w=2))},
        # A path that is the beginning of another.
        {"a": Count("talks__answers", distinct=True) + Count("talks")},
        {"a": Count("talks", distinct=True) + Count("talks__marks", distinct=True)},
        {"a": Count("talks") - (Count("talks__answers") - Count("talks__marks"))},
        {"a": Count("talks__answers"), "b": Count("talks__marks"), "c": Sum("talks__w")},
        # A list of expressions.
        {"a": Count("talks", filter=Q(talks__w__in=[F("talks__v"), 3]))},
        {"a": Count("talks", filter=Q(talks__w__range=(F("talks__v"), 3)))},
        {"a": Count("talks", filter=Q(talks__w__in=[F("talks__answers__w")]))},
        # A condition that nothing meets.
        {"a": Sum("talks__w", filter=Q(talks__v__in=[])), "b": Count("talks")},
        {"c": Max("talks__w", filter=Q(talks__v__in=[]))},
        # Another synced field over the same relation.
        {"a": Count("talks"), "b": Count("talks", filter=Q(talks__w__gt=F("a")))},
        {"b": Count("talks", filter=Q(talks__w__gt=F("a"))), "a": Count("talks__answers")},
        {"a": Count("talks"), "c": Sum("talks__w", filter=Q(talks__v__lt=F("a")))},
        # Subqueries in a condition.
        {"a": Count("talks", filter=answered("talks__pk"))},
        {"a": Sum("talks__w", filter=~answered("talks__pk"))},
        {"c": Max("talks__w", filter=answered("talks__pk"))},
        # Which row comes first.
        {"text": first("-w", "pk")},
        {"text": first()},
        {"text": first(F("w").desc(), "-pk")},
        {"text": first("writer", "-pk")},
        {"text": first("writer__rank", "pk", v__gt=0)},
        {"text": first("-answers__w", "pk")},
    ],
)
def test_all_that_an_expression_says_is_followed(expressions):
    with kept((Forum, *each) for each in expressions.items()):
        for _ in write_forums():
            assert_kept()


@pytest.mark.skipif(
    not connection.features.can_defer_constraint_checks, reason="A key is checked at once."
)
def test_a_row_that_was_named_by_a_key_of_its_own_before_it_was_there():
    with kept([(Forum, "a", Count("talks__stamps")), (Forum, "b", Count("talks"))]):
        forum = Forum.objects.create()
        Stamp.objects.create(talk_id=9)

        Talk.objects.create(forum=forum, code=9)

        assert_kept()


def test_an_extreme_that_its_field_rounds():
    heaviest = (Scale, "heaviest", Max("weights__kg"))
    with kept([heaviest, (Scale, "lightest", Min("weights__kg"))]):
        scale = Scale.objects.create()
        weights = [
            Weight.objects.create(scale=scale, kg=Decimal(kg)) for kg in ("1.236", "1.231", "1.224")
        ]
        for weight in (weights[0], weights[2], weights[1]):
            weight.delete()

            stored = Scale.objects.values_list("heaviest", "lightest").get()
            left = [each.quantize(Decimal("0.01"), ROUND_HALF_UP) for each in kilograms()]
            assert stored == (max(left, default=None), min(left, default=None))


def kilograms():
    return list(Weight.objects.values_list("kg", flat=True))
