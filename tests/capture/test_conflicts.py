"""``bulk_create()`` of rows of which some are there already."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.models import OuterRef, Subquery

from syncfields import synced, unsynced
from tests.ownmodels import assert_kept, kept, models_of, own_apps, rules_of, tables
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Comment
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()
APPS = own_apps("conflicts")


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "conflicts"


class Owner(Own):
    name = models.CharField(max_length=20, default="")


class Numbered(Own):
    """A target that is evaluated when it is there, and found again by what is unique."""

    owner = models.ForeignKey(Owner, models.CASCADE, related_name="+")
    number = models.IntegerField(null=True)
    name = synced(
        models.CharField(max_length=20, null=True),
        lambda: Subquery(Owner.objects.filter(pk=OuterRef("owner_id")).values("name")[:1]),
        depends_on=["owner"],
    )

    class Meta(Own.Meta):
        abstract = True


class ByField(Numbered):
    number = models.IntegerField(unique=True)


class ByColumns(Numbered):
    class Meta(Own.Meta):
        unique_together = [("owner", "number")]


class ByConstraint(Numbered):
    class Meta(Own.Meta):
        constraints = [
            models.CheckConstraint(condition=models.Q(number__gt=0), name="conflicts_positive"),
            models.UniqueConstraint(fields=["owner", "number"], name="conflicts_number"),
        ]


@pytest.fixture(scope="module")
def own_tables(django_db_setup, django_db_blocker):
    with tables(django_db_blocker, models_of(APPS)):
        yield


@pytest.mark.parametrize("model", [ByField, ByColumns, ByConstraint])
def test_new_targets_are_found_by_what_is_unique(monkeypatch, own_tables, model):
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    with kept(rules_of(APPS)):
        owner = Owner.objects.create(name="ann")
        model.objects.create(owner=owner, number=1)

        model.objects.bulk_create(
            [model(owner=owner, number=number) for number in (1, 2, 3)], ignore_conflicts=True
        )

        assert model.objects.count() == 3
        assert_kept()


def comment(post, **values):
    return Comment(post=post, **values)


def test_only_rows_really_inserted_count(posts, comments):
    taken, free = comments[0].pk, comments[-1].pk + 10

    result = Comment.objects.bulk_create(
        [
            comment(posts[3], pk=taken, score=50),
            comment(posts[3], pk=free, score=60),
            comment(posts[2], pk=free, score=70),
        ],
        ignore_conflicts=True,
    )

    assert len(result) == 3
    assert Comment.objects.count() == len(comments) + 1
    assert_truth()


def test_ignored_conflicts_of_rows_without_keys(posts, comments):
    Comment.objects.bulk_create(
        [comment(post, score=30) for post in (*posts, None)], ignore_conflicts=True
    )

    assert_truth()


def test_ignored_conflicts_over_a_unique_column():
    customer = zoo.Customer.objects.create(code="a")
    zoo.Order.objects.create(customer=customer)

    zoo.Customer.objects.bulk_create(
        [zoo.Customer(code="a", order_count=9), zoo.Customer(code="b", order_count=9)],
        ignore_conflicts=True,
    )

    assert zoo.Customer.objects.count() == 2
    assert_truth()


@pytest.mark.parametrize(
    "names", [["post"], ["score", "is_public"], ["post", "score", "is_public", "author"]]
)
def test_replaced_rows_are_diffed(posts, authors, comments, names):
    rows = [
        comment(posts[3], pk=row.pk, score=40, is_public=not row.is_public, author=authors[0])
        for row in comments[:6]
    ]
    rows.append(comment(posts[1], pk=comments[-1].pk + 10, score=80))

    Comment.objects.bulk_create(
        rows, update_conflicts=True, update_fields=names, **unique_fields("pk")
    )

    assert Comment.objects.count() == len(comments) + 1
    assert_truth()


def test_replaced_targets_keep_their_values():
    country = zoo.Country.objects.create(code="aa", name="old")
    zoo.City.objects.create(country=country, size=5)

    zoo.Country.objects.bulk_create(
        [zoo.Country(code="aa", name="new", population=9), zoo.Country(code="bb", name="b")],
        update_conflicts=True,
        update_fields=["name"],
        **unique_fields("code"),
    )

    assert zoo.City.objects.get().country_name == "new"
    assert_truth()


def test_new_targets_without_unique_columns():
    profile = zoo.Profile.objects.create(user=User.objects.create(username="ann", email="a@b.c"))

    def cards(*kinds):
        return [zoo.Card(profile=profile, kind=kind, email="wrong@b.c") for kind in kinds]

    zoo.Card.objects.bulk_create(cards("one"), ignore_conflicts=True)
    assert_truth()
    zoo.Card.objects.bulk_create(cards("two", "three"), ignore_conflicts=True)
    assert_truth()
    zoo.Card.objects.bulk_create(
        cards("four", "five"), update_conflicts=True, update_fields=["kind"], **unique_fields("id")
    )

    assert zoo.Card.objects.filter(email="a@b.c", username="ann").count() == 5
    assert_truth()


def test_what_was_ignored_can_still_be_read():
    code, free = "a", uuid.UUID(int=1)
    zoo.Customer.objects.create(code=code)

    ignored, inserted = zoo.Customer.objects.bulk_create(
        [zoo.Customer(code=code), zoo.Customer(pk=free, code="b")], ignore_conflicts=True
    )

    assert (ignored.order_count, inserted.order_count) == (0, 0)
    assert set(zoo.Customer.objects.values_list("code", flat=True)) == {"a", "b"}
    assert_truth()


def test_replaced_where_the_database_does_not_return_the_keys(monkeypatch, posts, comments):
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    rows = [comment(posts[3], pk=row.pk, score=40) for row in comments[:6]]
    rows.append(comment(posts[1], pk=comments[-1].pk + 10, score=80))

    Comment.objects.bulk_create(
        rows, update_conflicts=True, update_fields=["post", "score"], **unique_fields("pk")
    )

    assert Comment.objects.count() == len(comments) + 1
    assert_truth()


def test_noted_where_the_database_does_not_return_the_keys(monkeypatch, posts, comments):
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    rows = [comment(posts[3], pk=row.pk, score=40) for row in comments[:2]]
    rows.append(comment(posts[1], pk=comments[-1].pk + 10, score=80))

    with unsynced(reconcile=True):
        Comment.objects.bulk_create(
            rows, update_conflicts=True, update_fields=["post", "score"], **unique_fields("pk")
        )

    assert_truth()


def test_statements_of_conflicts_do_not_grow_with_the_rows():
    profile = zoo.Profile.objects.create(user=User.objects.create(username="ann"))
    taken = zoo.Card.objects.create(profile=profile)

    def number(count, **options):
        new = [zoo.Card(profile=profile) for _ in range(count)]
        with sent() as statements:
            zoo.Card.objects.bulk_create([zoo.Card(pk=taken.pk, profile=profile), *new], **options)
        return len(statements)

    ignoring = {"ignore_conflicts": True}
    updating = {"update_conflicts": True, "update_fields": ["kind"], **unique_fields("id")}
    assert number(2, **ignoring) == number(20, **ignoring)
    assert number(2, **updating) == number(20, **updating)
    assert_truth()


@pytest.mark.parametrize("options", [{}, {"ignore_conflicts": True}])
def test_a_database_that_does_not_return_the_keys(monkeypatch, posts, comments, options):
    """MySQL is such a database."""
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)

    Comment.objects.bulk_create([comment(post, score=30) for post in (*posts, None)], **options)
    assert_truth()
    zoo.Customer.objects.bulk_create([zoo.Customer(code="a"), zoo.Customer(code="b")], **options)
    zoo.Passport.objects.bulk_create(
        [zoo.Passport(holder=user) for user in User.objects.all()], **options
    )

    assert_truth()


def test_targets_over_two_hops_where_the_database_does_not_return_the_keys(monkeypatch):
    blog = zoo.Blog.objects.create(pk=1000)  # No post has that key.
    post = zoo.Post.objects.create(blog=blog)
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)

    Comment.objects.bulk_create([comment(post), comment(post)], ignore_conflicts=True)

    assert zoo.Blog.objects.get().comment_count == 2
    assert_truth()


def unique_fields(name):
    targeted = connection.features.supports_update_conflicts_with_target
    return {"unique_fields": [name]} if targeted else {}
