"""What rows contribute, seen from their own side: the same as from the side of the targets."""

from __future__ import annotations

import random
import uuid

import pytest
from django.db import DatabaseError, models, transaction
from django.db.models import Avg, Case, Count, F, Max, Min, Q, Sum, Value, When
from django.db.models.functions import Coalesce, Length
from django.db.models.lookups import Exact

from syncfields.declare.rules import Declaration, Rule
from syncfields.maintenance.changes import Change, Learnt
from syncfields.maintenance.recompute import Recompute
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rule
from syncfields.programs.ways import read, way
from tests import menagerie
from tests.hub import models as hub
from tests.ownmodels import assert_kept, kept, models_of, own_apps, tables
from tests.statements import sent
from tests.testapp import models as zoo
from tests.truth import assert_truth

APPS = own_apps("contributions")
UNCHECKED = {"on_delete": models.DO_NOTHING, "db_constraint": False}


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "contributions"


class Area(Own):
    whole = models.ForeignKey("self", models.CASCADE, null=True, related_name="parts")
    code = models.CharField(max_length=5, unique=True)
    weight = models.IntegerField(default=1)
    number = models.IntegerField(default=0)
    highest = models.IntegerField(null=True)
    lowest = models.FloatField(null=True)
    longest = models.CharField(max_length=20, null=True)
    average = models.FloatField(null=True)


class Town(Own):
    area = models.ForeignKey(
        Area, models.SET_NULL, null=True, to_field="code", related_name="towns"
    )
    rank = models.IntegerField(default=0)


class Street(Own):
    town = models.ForeignKey(Town, related_name="streets", **UNCHECKED)


class House(Own):
    street = models.ForeignKey(Street, models.CASCADE, null=True, related_name="houses")
    owner = models.ForeignKey("Owner", related_name="houses", **UNCHECKED)
    tenant = models.ForeignKey("Owner", models.SET_NULL, null=True, related_name="rented")
    rooms = models.IntegerField(null=True)
    price = models.FloatField(null=True)
    name = models.CharField(max_length=20, default="")


class Deed(Own):
    house = models.OneToOneField(House, models.CASCADE, primary_key=True, related_name="deed")
    fee = models.IntegerField(default=0)


class Owner(Own):
    is_rich = models.BooleanField(default=False)
    name = models.CharField(max_length=20, null=True)
    home = models.ForeignKey(Area, models.SET_NULL, null=True, related_name="natives")


class Estate(Own):
    """Its key is no number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    area = models.ForeignKey(Area, models.CASCADE, related_name="estates")
    number = models.IntegerField(default=0)


class Barn(Own):
    estate = models.ForeignKey(Estate, models.CASCADE, related_name="barns")


class Grazing(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(is_lost=False)


class Cow(Own):
    """One that is lost cannot be saved."""

    barn = models.ForeignKey(Barn, models.CASCADE, related_name="cows")
    is_lost = models.BooleanField(default=False)

    objects = models.Manager()
    grazing = Grazing()

    class Meta(Own.Meta):
        base_manager_name = "grazing"


HOUSES = "towns__streets__houses"
RICH, HOME = f"{HOUSES}__owner__is_rich", f"{HOUSES}__tenant__home__weight"


@pytest.fixture(scope="module")
def towns(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


def settle(seed, *missing):
    """Rows of all models, whose keys are NULL now and then, or name rows that are ``missing``."""
    pick = random.Random(seed)
    areas = [Area.objects.create(code=f"a{n}", weight=n) for n in range(3)]
    towns = [
        Town.objects.create(area=pick.choice([*areas, None]), rank=pick.randint(0, 3))
        for _ in range(5)
    ]
    streets = [Street.objects.create(town=pick.choice(towns)) for _ in range(4)]
    owners = [
        Owner.objects.create(
            is_rich=bool(number % 2),
            name=pick.choice(["", "ann", None]),
            home=pick.choice([*areas, None]),
        )
        for number in range(4)
    ]
    for _ in range(20):
        house = House.objects.create(
            street=pick.choice([*streets, None]),
            owner_id=pick.choice([*owners, *missing]).pk,
            tenant=pick.choice([*owners, None]),
            rooms=pick.choice([None, 1, 2, 3]),
            price=pick.choice([None, 0.5, 1.5]),
            name=pick.choice(["", "a", "bb"]),
        )
        if pick.random() < 0.7:
            Deed.objects.create(house=house, fee=pick.randint(0, 9))
    return pick


def houses(aggregate, name, *args, **conditions):
    """An aggregate over the houses of an area: of a column, filtered by columns of theirs."""
    seen = {f"{HOUSES}__{key}": value for key, value in conditions.items()}
    return aggregate(f"{HOUSES}__{name}" if name else HOUSES, filter=Q(*args, **seen))


RULES = [
    ("number", houses(Count, "")),
    ("number", houses(Count, "rooms")),
    ("number", houses(Count, "", owner__is_rich=True)),
    ("number", houses(Count, "", ~Q(**{RICH: True}))),
    ("number", houses(Count, "", ~Q(**{RICH: True, f"{HOUSES}__rooms__gt": 1}))),
    ("number", houses(Count, "", owner__isnull=True)),
    ("number", houses(Count, "", tenant__home__isnull=True)),
    ("number", houses(Count, "", tenant__home__isnull=False)),
    ("number", houses(Count, "", ~Q(**{f"{HOUSES}__tenant__name": "ann"}))),
    ("number", houses(Count, "", ~Q(**{f"{HOUSES}__tenant__name__isnull": True}))),
    ("number", houses(Count, "", Q(**{HOME: 1}) | ~Q(**{f"{HOUSES}__rooms": 2}))),
    ("number", houses(Count, "", street__town__rank__gt=1)),
    ("number", houses(Count, "", rooms__gt=F("towns__rank"))),
    ("number", houses(Count, "", rooms__gt=F("weight"))),
    ("number", houses(Count, "", street__town__area__weight=F(HOME))),
    ("number", Sum(F(f"{HOUSES}__rooms") * F(HOME))),
    ("number", Sum(F(f"{HOUSES}__rooms") * F("towns__rank") * F("weight"))),
    ("number", Sum(Case(When(**{RICH: True}, then=f"{HOUSES}__rooms"), default=Value(None)))),
    ("number", houses(Count, "") - houses(Sum, "rooms", owner__is_rich=True)),
    ("number", Sum(f"{HOUSES}__deed__fee")),
    ("number", Sum(F(f"{HOUSES}__deed__fee") * F(HOME), filter=Q(**{RICH: False}))),
    ("highest", houses(Max, "rooms", tenant__home__weight__gt=0)),
    ("highest", Max(F(f"{HOUSES}__rooms") * F("towns__rank"))),
    ("highest", Max(Length(f"{HOUSES}__name"))),
    ("lowest", houses(Min, "price", owner__is_rich=True)),
    ("longest", houses(Max, "name")),
    ("average", houses(Avg, "price", tenant__home__weight=1)),
    ("number", Count(f"{HOUSES}__owner", distinct=True)),
]


def compiled(expression, model=zoo.Post, name="comment_count", **options):
    return compile_rule(Rule(model, name, Declaration(expression, **options)))


def ways(model):
    """Those from the rows of a model to the areas, with what is aggregated."""
    for name, expression in RULES:
        for each in compiled(expression, Area, name):
            if (found := way(each, model)) is not None:
                yield found


def assert_seen(found, pks):
    """The way from these rows says what the side of the targets says."""
    maintenance, model = found.maintenance, found.dependency.model
    changes = [Change(model, "update", Learnt(pks, found.dependency.columns))]
    (known,) = read("default", model, (found,), pks)
    if isinstance(maintenance, Recompute):
        assert set(known) == maintenance.targets(changes, "default"), maintenance
    else:
        assert known == maintenance.contributions(changes, "default"), maintenance


def keys(model):
    return list(models.QuerySet(model).order_by().values_list("pk", flat=True))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.django_db
def test_both_sides_see_the_same(towns, seed):
    del towns
    settle(seed)
    found = [*ways(House), *ways(Deed)]

    # One rule has two terms, and of text the database says which is the greatest.
    assert len(found) == len(RULES) + 1 - 1
    for each in found:
        pks = keys(each.dependency.model)
        assert_seen(each, pks)
        for pk in pks[::4]:
            assert_seen(each, [pk])


@pytest.mark.django_db
def test_a_row_that_is_missing_is_one_of_nulls_as_in_annotate(towns):
    del towns
    settle(1, Owner(pk=999))
    compared = 0
    for each in ways(House):
        for number, term in enumerate(getattr(each.maintenance, "terms", ())):
            (known,) = read("default", House, (each,), keys(House))
            true = Area.objects.annotate(truth=term.aggregate).values_list("pk", "truth")
            assert {pk: amounts[number] for pk, amounts in known.items() if amounts[number]} == {
                pk: amount for pk, amount in true if amount
            }, term.aggregate
            compared += 1

    assert compared > 15


@pytest.mark.django_db
def test_both_sides_see_the_same_of_the_zoo():
    menagerie.populate()
    kinds = []
    for maintenance in registry.plan().maintenances:
        for model in {dependency.model for dependency in maintenance.dependencies}:
            if (found := way(maintenance, model)) is not None and (pks := keys(model)):
                assert_seen(found, pks)
                kinds.append(maintenance.kind)

    assert set(kinds) == {"delta", "extreme", "recompute"}
    assert len(kinds) > 50


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.django_db
def test_values_are_kept_whatever_is_written(towns, seed):
    """One rule for each field, chosen at random."""
    del towns
    pick = random.Random(seed)
    of_name = {}
    for name, expression in RULES:
        of_name.setdefault(name, []).append(expression)
    with kept([(Area, name, pick.choice(found)) for name, found in of_name.items()]):
        settle(seed)
        assert_kept()
        for _ in range(6):
            house = pick.choice(list(House.objects.all()))
            house.owner = pick.choice(list(Owner.objects.all()))
            house.street = pick.choice([*Street.objects.all(), None])
            house.save()
            chosen = House.objects.filter(pk__gt=house.pk)
            chosen.update(rooms=pick.choice([None, 2, 5]), tenant=house.tenant)
            assert_kept()
        House.objects.filter(rooms=2).delete()
        Owner.objects.filter(is_rich=True).update(is_rich=False)
        Town.objects.filter(area__isnull=False)[0].delete()
        assert_kept()


COWS = [
    (Area, "number", Count("estates__barns__cows")),
    (Estate, "number", Count("barns__cows")),
]


@pytest.fixture
def barns(towns):
    del towns
    with kept(COWS):
        area = Area.objects.create(code="a")
        yield [Barn.objects.create(estate=Estate.objects.create(area=area)) for _ in range(2)]


@pytest.mark.django_db
def test_rows_are_grouped_by_the_key_of_a_table_and_by_another_column_of_it(barns):
    cow = Cow.objects.create(barn=barns[0])
    Cow.objects.bulk_create([Cow(barn=barn) for barn in barns])
    assert_kept()
    cow.barn = barns[1]
    cow.save()
    assert_kept()
    Cow.objects.filter(barn=barns[1]).update(barn=barns[0])
    assert_kept()
    cow.delete()
    assert_kept()
    Cow.objects.all().delete()
    assert_kept()


@pytest.mark.django_db
def test_a_save_that_meets_no_row_changes_nothing(barns):
    cow = Cow.objects.create(barn=barns[0], is_lost=True)
    cow.barn = barns[1]

    with transaction.atomic(), pytest.raises(DatabaseError):
        cow.save(update_fields=["barn"])

    assert_kept()


@pytest.mark.parametrize(
    ("name", "expression", "models_with_a_way"),
    [
        ("comment_count", Count("comments"), {zoo.Comment}),
        (
            "comment_count",
            Count("comments", filter=Q(comments__author__is_active=True)),
            {zoo.Comment},
        ),
        # Each comment may have several reactions, and each reaction has one comment.
        ("comment_count", Count("comments__reactions"), {zoo.Reaction}),
        # Targets are evaluated anew, so it is enough to know which.
        ("score_average", Avg("comments__score"), {zoo.Comment}),
        (
            "comment_count",
            Count("comments__reactions", distinct=True),
            {zoo.Comment, zoo.Reaction},
        ),
        # A comment is met by two paths: as itself, and beside others.
        ("comment_count", Count("comments", filter=Q(comments__post__comments__score=1)), set()),
    ],
)
def test_there_is_a_way_where_it_leads_back_to_one_target(name, expression, models_with_a_way):
    found = {
        model
        for each in compiled(expression, name=name)
        for model in {dependency.model for dependency in each.dependencies}
        if way(each, model) is not None
    }

    assert found == models_with_a_way


class Hub:
    def __init__(self):
        self.posts = [hub.Post.objects.create(blog=hub.Blog.objects.create()) for _ in "12"]
        self.authors = [hub.Author.objects.create(is_active=active) for active in (True, False)]
        self.topic = hub.Topic.objects.create()

    def comment(self, number=0, **values):
        post, author = self.posts[number], self.authors[number]
        return hub.Comment(
            post=post, author=author, topic=self.topic, created=menagerie.NOON, **values
        )


def of_comments(statements):
    """Those that read what comments contribute."""
    sent = zip(statements, statements.sql, strict=True)
    return [sql for shape, sql in sent if shape == "SELECT hub_comment" and "_key_0" in sql]


@pytest.mark.django_db
def test_what_many_rules_need_of_rows_is_one_reading():
    row = Hub().comment(score=3)

    with sent() as statements:
        hub.Comment.objects.bulk_create([row])

    assert len(of_comments(statements)) == 1
    assert_truth()


@pytest.mark.django_db
def test_what_a_write_cannot_change_is_neither_read_nor_locked():
    """Whether the author is active decides on another count than whether the comment is public."""
    row = Hub().comment(score=3)
    row.save()
    row = hub.Comment.objects.get()

    row.is_public = False
    with sent() as statements:
        row.save()

    assert not of_comments(statements)
    assert "SELECT hub_author" not in statements
    assert_truth()


@pytest.mark.django_db
def test_many_rows_with_different_targets_are_read_as_one():
    made = Hub()
    hub.Comment.objects.bulk_create([made.comment(n % 2, score=n) for n in range(20)])
    assert_truth()

    with sent() as statements:
        hub.Comment.objects.filter(score__gt=4).update(post=made.posts[0], author=made.authors[1])

    assert len(of_comments(statements)) == 2
    assert_truth()
    hub.Comment.objects.filter(score__lt=12).delete()
    assert_truth()


@pytest.mark.parametrize("rich", [True, False])
@pytest.mark.parametrize(
    "condition",
    [
        ~Q(**{RICH: True}),
        Q(**{f"{RICH}__isnull": True}),
        Q(**{RICH: True}),
        Q(**{RICH: False}),
        Q(Exact(Coalesce(F(RICH), Value(False)), False)),
    ],
    ids=str,
)
@pytest.mark.django_db
def test_a_row_that_comes_late_or_goes_early_is_counted_once(towns, condition, rich):
    del towns
    # The owner counts by itself as well.
    with kept([(Area, "number", Count(HOUSES, filter=condition) + Count("natives"))]):
        area = Area.objects.create()
        street = Street.objects.create(town=Town.objects.create(area=area))
        for _ in range(2):
            House.objects.create(street=street, owner_id=999)
        assert_kept()
        area = Area.objects.create(code="b")
        street.town = Town.objects.create(area=area)
        street.save()
        assert_kept()

        owner = Owner.objects.create(pk=999, is_rich=rich, home=area)
        assert_kept()
        owner.delete()
        assert_kept()
        Owner.objects.bulk_create([Owner(pk=999, is_rich=rich, home=area)])
        assert_kept()
        Owner.objects.all().delete()
        assert_kept()


@pytest.mark.django_db
def test_what_memory_does_not_say_of_new_rows_of_a_tree_is_read(towns):
    """Rows of the same table as their targets have no way of their own."""
    del towns
    with kept([(Area, "number", Count("parts", filter=Q(parts__code__contains="b")))]):
        whole = Area.objects.create(code="a")
        Area.objects.bulk_create([Area(code=code, whole=whole) for code in ("b", "ab", "c")])
        assert_kept()
