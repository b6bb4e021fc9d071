"""What a row contributed before is asked of the database, not of the instance."""

from __future__ import annotations

import copy
import pickle
from contextlib import nullcontext, suppress

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Value
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

from tests.statements import sent
from tests.testapp.models import Blog, Book, Comment, Cup, Post, Shelf, Tray
from tests.truth import assert_truth
from tests.undo import UndoError, rolled_back

pytestmark = pytest.mark.django_db


@pytest.fixture
def here():
    return Post.objects.create(blog=Blog.objects.create())


@pytest.fixture
def there():
    return Post.objects.create(blog=Blog.objects.create())


@pytest.fixture
def comment(here):
    Comment.objects.create(post=here, score=1)
    return Comment.objects.create(post=here, score=7)


def again(instance):
    return type(instance).objects.get(pk=instance.pk)


def test_two_instances_unpublish_the_same_row(here, comment):
    for instance in (again(comment), again(comment)):
        instance.is_public = False
        instance.save()

    assert again(here).public_count == 1
    assert_truth()


def test_a_stale_instance_writes_the_old_value_back(here, comment):
    stale = again(comment)
    comment.is_public, comment.score = False, 20
    comment.save()
    assert_truth()

    stale.text = "new"
    stale.save()

    assert again(here).public_count == 2
    assert_truth()


def test_a_stale_instance_in_memory_tracking_is_saved_fresh():
    tray = Tray.objects.create()
    cup = Cup.objects.create(tray=tray, volume=2)

    for volume in (5, 5, 3, 2):
        cup.volume = volume
        cup.save()
        assert_truth()
    cup = again(cup)
    cup.tray = Tray.objects.create()
    cup.save()
    assert_truth()
    cup.delete()

    assert_truth()


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda cup: pickle.loads(pickle.dumps(cup))]
)
def test_a_copy_in_memory_tracking_knows_no_more_of_a_transaction_that_is_over(twin):
    cup = Cup.objects.create(tray=Tray.objects.create(), volume=3)
    with suppress(UndoError), transaction.atomic():
        cup.volume = 9
        cup.save()
        cup = twin(cup)
        raise UndoError

    cup.save()

    assert_truth()


@pytest.mark.parametrize("destination", ["here", "there", None])
def test_a_stale_instance_is_saved_after_a_move(here, there, comment, destination):
    stale = again(comment)
    comment.post = there
    comment.save()
    assert_truth()

    stale.post = {"here": here, "there": there, None: None}[destination]
    stale.save()

    assert_truth()


@pytest.mark.parametrize(
    ("name", "value"), [("is_public", False), ("score", 30), ("post", None), ("post_id", None)]
)
def test_update_fields_leaves_other_changes_out(comment, name, value):
    setattr(comment, name, value)

    comment.save(update_fields=["text"])
    assert_truth()
    assert again(comment).post_id is not None
    comment.save()
    assert_truth()
    comment.save()

    assert_truth()


@pytest.mark.parametrize("edit", [{"is_public": False}, {"score": 99}, {"post": None}, {}])
def test_the_database_row_leaves_not_the_instance(comment, there, edit):
    for name, value in (edit or {"post": there}).items():
        setattr(comment, name, value)

    comment.delete()

    assert_truth()


def test_two_instances_delete_the_same_row(here, comment):
    twin = again(comment)

    comment.delete()
    twin.delete()

    assert again(here).comment_count == 1
    assert_truth()


def test_a_deleted_instance_cannot_be_deleted_again(here, comment):
    comment.delete()

    with pytest.raises(ValueError, match="id attribute is set to None"):
        comment.delete()

    assert again(here).comment_count == 1
    assert_truth()


def test_a_deleted_row_is_saved_anew(here, comment):
    stale = again(comment)
    comment.delete()

    stale.save()

    assert again(here).comment_count == 2
    assert_truth()


def read(instance, there):
    assert instance.score == 7


def move(instance, there):
    instance.post = there
    instance.save()


def move_by_id(instance, there):
    instance.post_id = there.pk
    instance.save(update_fields=["post"])


def hide(instance, there):
    instance.is_public = False
    instance.save()


def delete(instance, there):
    instance.delete()


@pytest.mark.parametrize("act", [read, move, move_by_id, hide, delete])
@pytest.mark.parametrize(
    "queryset",
    [
        Comment.objects.only("text"),
        Comment.objects.only("pk"),
        Comment.objects.defer("post"),
        Comment.objects.defer("is_public", "score"),
    ],
    ids=["only text", "only pk", "defer post", "defer condition"],
)
def test_deferred_instances_are_saved(comment, there, queryset, act):
    instance = queryset.get(pk=comment.pk)

    act(instance, there)

    assert_truth()


def test_columns_that_no_rule_reads_are_not_loaded():
    book = Book.objects.create(shelf=Shelf.objects.create(), pages=3)
    queryset = Book.objects.only("pages")

    with sent() as statements:
        deferred = queryset.get(pk=book.pk)
        deferred.pages = 5
        deferred.save()
        deferred.shelf = Shelf.objects.create()
        deferred.save()
        queryset.get(pk=book.pk).delete()

    selects = [sql for sql in statements.sql if sql.startswith("SELECT")]
    assert not any("title" in sql for sql in selects), selects
    assert_truth()


def test_saving_a_new_instance_with_an_existing_key(comment, there):
    Comment(pk=comment.pk, post=there, is_public=False, score=4).save()

    assert Comment.objects.count() == 2
    assert_truth()


@pytest.mark.parametrize("adding", [True, False])
def test_a_clone_is_an_insert(here, comment, adding):
    comment.pk = None
    comment._state.adding = adding

    comment.save()

    assert again(here).comment_count == 3
    assert_truth()
    comment.score = 0
    comment.save()
    assert_truth()


@pytest.mark.skipif(
    not connection.features.can_defer_constraint_checks, reason="A key is checked at once."
)
def test_a_clone_whose_key_is_known_before_it_is_there():
    shelf = Shelf.objects.create()
    Book.objects.create(shelf_id=shelf.pk + 1, pages=3)

    shelf.pk, shelf._state.adding = shelf.pk + 1, True
    shelf.save()

    assert again(shelf).book_count == 1
    assert_truth()


def test_an_expression_is_saved(comment, here):
    comment.score = F("score") + 5
    comment.save()

    assert again(here).score_sum == 13
    assert_truth()


def test_an_expression_is_saved_with_memory_tracking():
    tray = Tray.objects.create()
    cup = Cup.objects.create(tray=tray, volume=2)

    cup.volume = F("volume") + 5
    cup.save()

    assert again(tray).volume == 7
    assert_truth()


@pytest.mark.parametrize("fields", [None, ["is_public"], ["post", "score"]])
def test_an_instance_is_refreshed_then_changed(comment, there, fields):
    other = again(comment)
    other.post, other.is_public, other.score = there, False, 3
    other.save()

    comment.refresh_from_db(fields=fields)
    comment.score = 8
    comment.save()

    assert_truth()


def edit(comment, there):
    comment.post, comment.score, comment.is_public = there, 50, False
    comment.save()


@pytest.mark.parametrize("nested", [False, True], ids=["outer", "savepoint"])
@pytest.mark.django_db(transaction=True)
def test_rolled_back_then_saved_again(comment, there, nested):
    with transaction.atomic() if nested else nullcontext():
        with rolled_back():
            edit(comment, there)
        assert_truth()

    comment.save()

    assert_truth()
    comment.delete()
    assert_truth()


@pytest.mark.django_db(transaction=True)
def test_a_creation_is_rolled_back_then_saved_again(here):
    comment = Comment(post=here, score=5)
    with rolled_back():
        comment.save()
    assert_truth()

    comment.save()

    assert again(here).comment_count == 1
    assert_truth()


@pytest.mark.django_db(transaction=True)
def test_a_deletion_is_rolled_back_then_repeated(here, comment):
    key = comment.pk
    with rolled_back():
        comment.delete()
    assert_truth()

    Comment.objects.get(pk=key).delete()

    assert again(here).comment_count == 1
    assert_truth()


@pytest.mark.parametrize("signal", [pre_save, post_save, pre_delete, post_delete])
@pytest.mark.parametrize("in_transaction", [False, True], ids=["autocommit", "atomic"])
@pytest.mark.django_db(transaction=True)
def test_an_error_of_a_later_receiver_takes_all_back(comment, there, signal, in_transaction):
    def fail(**kwargs):
        raise UndoError

    signal.connect(fail, sender=Comment)
    try:
        for write in (lambda: edit(comment, there), comment.delete, lambda: new(there)):
            with suppress(UndoError), transaction.atomic() if in_transaction else nullcontext():
                write()
            assert not connection.in_atomic_block
            assert_truth()
    finally:
        signal.disconnect(fail, sender=Comment)


def test_a_row_that_comes_back_after_it_was_looked_for():
    """Two processes save old instances of a deleted row; the second comes between."""
    shelves = [Shelf.objects.create() for _ in range(2)]
    book = Book.objects.create(shelf=shelves[0], pages=3)
    one, two = (Book.objects.get(pk=book.pk) for _ in range(2))
    book.delete()
    looked_for = []

    def comes_back(execute, sql, *args):
        result = execute(sql, *args)
        if not looked_for and sql.startswith("SELECT") and "testapp_book" in sql:
            looked_for.append(sql)
            two.save()
        return result

    one.shelf = shelves[1]
    with suppress(IntegrityError), connection.execute_wrapper(comes_back), transaction.atomic():
        one.save()

    assert looked_for
    assert_truth()


def new(post):
    Comment.objects.create(post=post, score=4)


@pytest.mark.parametrize(
    "twin",
    [copy.copy, copy.deepcopy, lambda instance: pickle.loads(pickle.dumps(instance))],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("model", [Comment, Cup])
def test_copied_and_pickled_instances_are_saved(twin, model):
    if model is Comment:
        one, two = Post.objects.create(), Post.objects.create()
        child = Comment.objects.create(post=one, score=3)
        edits = {"post": two, "score": 5, "is_public": False}
    else:
        one, two = Tray.objects.create(), Tray.objects.create()
        child = Cup.objects.create(tray=one, volume=3)
        edits = {"tray": two, "volume": 5}

    other = twin(child)
    for name, value in edits.items():
        setattr(other, name, value)
        other.save()
        assert_truth()
    other.delete()

    assert_truth()


def test_a_key_given_as_text_or_as_an_expression(comment, here, there, caplog):
    comment.post_id = str(here.pk)
    comment.save()
    assert_truth()
    comment.post_id = str(there.pk)
    comment.save()
    assert_truth()
    comment.post_id = Value(here.pk)
    comment.save()

    assert_truth()
    assert caplog.text == ""
