"""Writes of many rows, by every method that Django has for them."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core import serializers
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Case, F, OuterRef, Q, Subquery, Value, When

from syncfields import coalesce, reconcile
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Book, Comment, Post, Publisher, Reaction, Shelf
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db

User = get_user_model()
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


@pytest.fixture
def posts():
    blogs = Blog.objects.create(name="one"), Blog.objects.create(name="two")
    return [Post.objects.create(blog=blog, is_live=live) for blog in blogs for live in (1, 0)]


@pytest.fixture
def authors():
    return [User.objects.create(username=name, is_active=name == "ann") for name in ("ann", "bob")]


@pytest.fixture
def comments(posts, authors):
    """Twelve comments: all combinations of post, condition and author, and NULL in each place."""
    rows = [
        comment(
            (*posts, None)[number % 5],
            score=(None, 3, 7)[number % 3],
            is_public=number % 2 == 0,
            author=(*authors, None)[number % 3],
            created=NOON + dt.timedelta(hours=number),
        )
        for number in range(12)
    ]
    for row in rows:
        row.save()
    return rows


def comment(post, **values):
    return Comment(post=post, **values)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 100])
def test_bulk_create_of_mixed_parents_and_conditions(posts, authors, batch_size):
    rows = [
        comment(post, score=score, is_public=score != 3, author=author)
        for post in (*posts, None)
        for score in (None, 3, 7)
        for author in (*authors, None)
    ]

    created = Comment.objects.bulk_create(rows, batch_size=batch_size)

    assert created is not None
    assert all(row.pk for row in created) or not bulk_keys()
    assert_truth()


def bulk_keys():
    return connection.features.can_return_rows_from_bulk_insert


def test_bulk_create_sends_one_update_for_each_target_model(posts):
    with sent() as few:
        Book.objects.bulk_create(
            [Book(shelf=shelf, pages=600) for shelf in Shelf.objects.bulk_create([Shelf()] * 1)]
        )
    shelves = [Shelf.objects.create() for _ in range(20)]
    publisher = Publisher.objects.create()
    with sent() as many:
        Book.objects.bulk_create(
            Book(shelf=shelf, publisher=publisher, pages=600) for shelf in shelves * 3
        )

    assert few.updates(Shelf) == many.updates(Shelf) == many.updates(Publisher) == 1
    assert_truth()


def test_bulk_create_of_targets_that_are_sources(posts):
    Post.objects.bulk_create(
        Post(blog=blog, is_live=live, comment_count=99)
        for blog in Blog.objects.all()
        for live in (1, 0)
    )
    Blog.objects.bulk_create([Blog(name="three", post_count=99)])
    assert_truth()

    zoo.Category.objects.bulk_create([zoo.Category(name="root", weight=2)])
    root = zoo.Category.objects.get()
    zoo.Category.objects.bulk_create(zoo.Category(parent=root, weight=n) for n in range(3))

    assert_truth()


def test_bulk_create_fills_copies(authors):
    profiles = [zoo.Profile(user=user, email="wrong@example.org") for user in (*authors, None)]
    zoo.Profile.objects.bulk_create(profiles)
    zoo.Card.objects.bulk_create(zoo.Card(profile=profile) for profile in zoo.Profile.objects.all())

    assert_truth()


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


def unique_fields(name):
    targeted = connection.features.supports_update_conflicts_with_target
    return {"unique_fields": [name]} if targeted else {}


UPDATES = {
    "value": lambda posts, authors: {"score": 6},
    "NULL": lambda posts, authors: {"score": None},
    "F": lambda posts, authors: {"score": F("score") + F("id")},
    "condition": lambda posts, authors: {"is_public": False},
    "Case": lambda posts, authors: {
        "is_public": Case(When(score__gt=5, then=Value(False)), default=Value(True))
    },
    "foreign key": lambda posts, authors: {"post": posts[3]},
    "foreign key to NULL": lambda posts, authors: {"post": None},
    "foreign key by id": lambda posts, authors: {"post_id": posts[1].pk},
    "author": lambda posts, authors: {"author": authors[1]},
    "subquery": lambda posts, authors: {
        "post": Subquery(Post.objects.exclude(pk=OuterRef("post")).order_by("-pk").values("pk")[:1])
    },
    "everything": lambda posts, authors: {
        "post": posts[2],
        "score": F("score") * 2,
        "is_public": True,
        "author": authors[0],
    },
    "unwatched": lambda posts, authors: {"note": "new"},
}


@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("condition", [Q(is_public=True), Q(post__is_live=True, score__gt=5)])
def test_update_under_conditions_that_it_falsifies(posts, authors, comments, name, condition):
    expected = Comment.objects.filter(condition).count()

    # The conditions on is_public, score and post are falsified by some of the updates.
    matched = Comment.objects.filter(condition).update(**UPDATES[name](posts, authors))

    assert matched == expected
    assert_truth()


def test_update_of_unusual_querysets(posts, comments):
    Comment.objects.filter(post__blog__name="one", author__is_active=True).update(score=9)
    assert_truth()
    Comment.objects.order_by("-score").update(score=F("score") + 1)
    assert_truth()
    Comment.objects.annotate(double=F("score") * 2).filter(double__gt=8).update(score=F("double"))
    assert_truth()
    assert posts[0].comments.update(post=posts[1])
    assert_truth()
    assert zoo.PublicComment.objects.update(is_public=False, score=1)

    assert_truth()


@pytest.mark.parametrize("batch_size", [None, 2])
def test_bulk_update_of_mixed_parents_and_conditions(posts, authors, comments, batch_size):
    for number, row in enumerate(comments):
        row.score, row.is_public = (row.score or 0) + number, not row.is_public
        row.post, row.author = (None, *posts)[number % 5], (None, *authors)[number % 3]
    comments[0].score = F("score") + 5

    matched = Comment.objects.bulk_update(
        comments, ["post", "author", "score", "is_public"], batch_size=batch_size
    )

    assert matched == len(comments)
    assert_truth()


def test_bulk_update_of_rows_that_are_gone(comments):
    Comment.objects.filter(pk=comments[0].pk).delete()
    for row in comments:
        row.score = 8

    assert Comment.objects.bulk_update(comments, ["score"]) == len(comments) - 1

    assert_truth()


def test_statements_of_update_do_not_grow_with_the_rows():
    one, two = Shelf.objects.create(), Shelf.objects.create()
    for _ in range(30):
        Book.objects.create(shelf=one, pages=5)
    few = Book.objects.filter(pk=Book.objects.first().pk)
    with sent() as first:
        few.update(shelf=two)
    with sent() as second:
        Book.objects.update(shelf=two)

    assert len(second) == len(first)
    assert second.updates(Shelf) == 1
    assert_truth()


@pytest.mark.parametrize("bulk", ["update", "bulk_update"])
def test_bulk_writes_of_the_middle_of_a_path(posts, comments, bulk):
    Reaction.objects.bulk_create(Reaction(comment=row) for row in comments * 2)
    other = Blog.objects.create(name="three")
    edits = ({"blog": other}, {"is_live": False}, {"blog": None}, {"blog": other, "is_live": True})

    for edit in edits:
        if bulk == "update":
            Post.objects.filter(pk__in=[post.pk for post in posts[1:]]).update(**edit)
        else:
            for post in posts[1:]:
                vars(post).update(
                    {"blog_id": edit["blog"] and edit["blog"].pk} if "blog" in edit else {}
                )
                post.is_live = edit.get("is_live", post.is_live)
            Post.objects.bulk_update(posts[1:], list(edit))
        assert_truth()


def test_two_middles_of_one_path(comments, posts):
    Reaction.objects.bulk_create(Reaction(comment=row) for row in comments)

    Comment.objects.update(post=posts[3])
    assert_truth()
    Post.objects.update(blog=Blog.objects.first())

    assert_truth()


@pytest.mark.parametrize("bulk", [True, False])
def test_related_managers_in_bulk_and_row_by_row(posts, comments, bulk):
    here, there, *_ = posts

    here.comments.add(*comments[2:7], bulk=bulk)
    assert_truth()
    here.comments.remove(*comments[2:4], bulk=bulk)
    assert_truth()
    there.comments.set(comments[3:9], bulk=bulk)
    assert_truth()
    there.comments.set(comments[8:], bulk=bulk, clear=True)
    assert_truth()
    here.comments.create(score=11)
    assert_truth()
    there.comments.clear(bulk=bulk)

    assert_truth()


def test_a_new_row_is_added_unsaved(posts):
    posts[0].comments.add(comment(None, score=5), comment(posts[1], score=6), bulk=False)

    assert Post.objects.get(pk=posts[0].pk).comment_count == 2
    assert_truth()


@pytest.mark.parametrize(
    "condition", [Q(), Q(is_public=True), Q(post__blog__name="one"), Q(author__is_active=True)]
)
@pytest.mark.parametrize("reactions", [True, False])
def test_deletes_of_querysets_return_djangos_counts(comments, condition, reactions):
    if reactions:
        Reaction.objects.bulk_create(Reaction(comment=row) for row in comments)
    expected = Comment.objects.filter(condition).count()

    total, by_model = Comment.objects.filter(condition).delete()

    assert by_model.get("testapp.Comment", 0) == expected
    assert total == sum(by_model.values()) == expected * (2 if reactions else 1)
    assert_truth()


def test_a_large_queryset_is_deleted_in_few_statements():
    shelves = [Shelf.objects.create() for _ in range(3)]
    Book.objects.bulk_create(Book(shelf=shelves[n % 3], pages=n % 7) for n in range(1500))

    with sent() as statements:
        Book.objects.filter(pages__lt=5).delete()

    assert len(statements) < 30
    assert_truth()


def test_raw_delete_is_a_delete(comments):
    chosen = Comment.objects.filter(is_public=True)
    expected = chosen.count()

    assert chosen._raw_delete(chosen.db) == expected

    assert_truth()


def test_a_slice_cannot_be_deleted_and_changes_nothing(comments):
    with pytest.raises(TypeError):
        Comment.objects.all()[:3].delete()

    assert_truth()


def test_get_or_create_and_update_or_create_count_what_they_write(posts, comments):
    for _ in range(2):
        _, created = Comment.objects.get_or_create(text="new", defaults={"post": posts[0]})
    assert not created
    assert_truth()
    for post in (posts[0], posts[1], None):
        Comment.objects.update_or_create(text="other", defaults={"post": post, "score": 4})
        assert_truth()
    posts[2].comments.get_or_create(text="third", score=8)
    posts[2].comments.update_or_create(text="third", defaults={"score": 9})
    Comment.objects.update_or_create(
        text="fourth", defaults={"score": 1}, create_defaults={"score": 2, "post": posts[3]}
    )

    assert_truth()


def test_async_twins_count_as_their_elders(posts, authors, comments):
    async def write():
        row = await Comment.objects.acreate(post=posts[0], score=20)
        row.post, row.score = posts[1], 21
        await row.asave()
        await Comment.objects.abulk_create([comment(post, score=22) for post in posts])
        comments[0].score, comments[1].post = 23, posts[3]
        await Comment.objects.abulk_update(comments[:2], ["score", "post"])
        await Comment.objects.filter(score=3).aupdate(is_public=True, post=posts[2])
        await Comment.objects.aget_or_create(text="new", defaults={"post": posts[0]})
        await Comment.objects.aupdate_or_create(text="new", defaults={"post": posts[1]})
        await posts[0].comments.aadd(*comments[2:6])
        await posts[0].comments.aremove(comments[2])
        await posts[1].comments.aset(comments[5:8])
        await posts[1].comments.acreate(score=24)
        await posts[2].comments.aclear()
        await comments[9].adelete()
        await Comment.objects.filter(score=22, post=posts[3]).adelete()

    async_to_sync(write)()

    assert_truth()


def test_async_many_to_many_counts_as_its_elder():
    tracks = [zoo.Track.objects.create(minutes=minutes) for minutes in (5, 10, 20)]
    playlist = zoo.Playlist.objects.create()

    async def write():
        await playlist.tracks.aadd(*tracks)
        await playlist.tracks.aremove(tracks[2])
        await tracks[2].playlists.aset([playlist])
        await playlist.tracks.acreate(minutes=30)
        await tracks[0].playlists.aclear()

    async_to_sync(write)()

    assert zoo.Playlist.objects.get().minutes == 60
    assert_truth()


def test_loaddata_counts_once_and_ignores_what_the_fixture_says(posts, comments, tmp_path):
    Reaction.objects.bulk_create(Reaction(comment=row) for row in comments)
    everything = [*Blog.objects.all(), *Post.objects.all(), *Comment.objects.all()]
    # What a fixture says of a synced field may be old.
    everything[0].comment_count = everything[2].comment_count = 99
    comments[0].post, comments[1].score = posts[3], 70
    everything += [comments[0], comments[1], *Reaction.objects.all()]
    path = tmp_path / "fixture.json"
    path.write_text(serializers.serialize("json", everything))
    Reaction.objects.filter(comment__score=7).delete()
    Comment.objects.filter(score=7).delete()
    call_command("loaddata", path, verbosity=0)
    assert_truth()

    Blog.objects.all().delete()
    Comment.objects.all().delete()
    call_command("loaddata", path, verbosity=0)

    assert Comment.objects.count() == len(comments)
    assert_truth()


def write_by_sql(shelf):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_book SET pages = 700")


def write_by_historical_models(shelf):
    state = ProjectState(real_apps={"auth", "contenttypes"})
    for model in (Shelf, Publisher, Book):
        state.add_model(ModelState.from_model(model))
    historical = state.apps.get_model("testapp", "Book")
    assert historical is not Book
    historical.objects.create(shelf_id=shelf.pk, pages=5)


@pytest.mark.parametrize("write", [write_by_sql, write_by_historical_models])
def test_reconcile_finds_what_it_could_not_see(write, capsys):
    shelf = Shelf.objects.create()
    Book.objects.create(shelf=shelf, pages=3)
    write(shelf)

    with pytest.raises(SystemExit) as exit_:
        call_command("reconcile", "testapp.Shelf", "--check", "--no-progress")

    assert exit_.value.code == 1
    assert reconcile(Shelf).repaired
    assert_truth(Shelf)


def test_historical_models_keep_no_rules():
    """A migration's model has the fields, and ``makemigrations`` sees nothing of a rule."""
    field = Shelf._meta.get_field("book_count")

    _, path, args, options = field.deconstruct()

    assert (path, args, options) == ("django.db.models.PositiveIntegerField", [], {"default": 0})
    assert not apps.get_model("testapp", "Shelf").objects.exists()
    assert type(Book.objects) is models.Manager


def test_more_rows_than_a_statement_has_variables(monkeypatch):
    monkeypatch.setattr("syncfields.trees.FEW", 3)
    shelf, other = zoo.Shelf.objects.create(), zoo.Shelf.objects.create()
    zoo.Book.objects.bulk_create([zoo.Book(shelf=shelf, pages=n) for n in range(10)])
    assert_truth()

    zoo.Book.objects.filter(pages__gt=1).update(shelf=other, pages=F("pages") + 1)
    assert_truth()
    zoo.Book.objects.filter(pages__lt=8).delete()

    assert_truth()


@pytest.mark.parametrize("count", [1, 2, 3, 12, 40, 70, 600])
@pytest.mark.parametrize("alike", [True, False])
def test_any_number_of_targets_and_amounts(count, alike):
    tills = zoo.Till.objects.bulk_create(zoo.Till() for _ in range(count))

    def receipts():
        for number, till in enumerate(tills):
            amount = 3 if alike else number + 1
            yield zoo.Receipt(till=till, amount=amount, tip=-2 * amount)

    zoo.Receipt.objects.bulk_create(receipts())

    assert_truth(zoo.Till)
    with coalesce():
        for receipt in zoo.Receipt.objects.all()[:50]:
            receipt.delete()
    assert_truth(zoo.Till)


def test_rows_that_contribute_different_amounts_to_one_target_are_summed_up():
    tills = zoo.Till.objects.bulk_create(zoo.Till() for _ in range(3))
    zoo.Receipt.objects.bulk_create(
        zoo.Receipt(till=tills[number % 3], amount=number, tip=-(number**2)) for number in range(30)
    )

    zoo.Receipt.objects.filter(amount__gt=20).delete()
    assert_truth(zoo.Till)
    zoo.Receipt.objects.filter(amount__gt=10).update(tip=7)
    assert_truth(zoo.Till)
    zoo.Receipt.objects.filter(amount__lt=5).update(till=tills[0], amount=9)

    assert_truth(zoo.Till)


@pytest.mark.parametrize(
    ("pages", "updates"), [(lambda n: 3, (1, 2)), (lambda n: n % 7, (1, 2)), (lambda n: n, (2, 2))]
)
def test_targets_to_which_the_same_is_added_are_written_together(pages, updates):
    shelves = [zoo.Shelf() for _ in range(600)]
    zoo.Shelf.objects.bulk_create(shelves)

    with sent() as statements:
        zoo.Book.objects.bulk_create(
            zoo.Book(shelf=shelf, pages=pages(number)) for number, shelf in enumerate(shelves, 1)
        )

    takes_many = connection.vendor in ("postgresql", "sqlite")
    written = [sql for sql in statements.sql if sql.startswith("UPDATE")]
    assert len(written) == updates[0 if takes_many else 1]
    assert_truth()

    zoo.Book.objects.update(pages=5)
    assert_truth()
    zoo.Book.objects.all().delete()
    assert_truth()
