"""A write that the database has ended is carried out again, and the log is told."""

import logging

import pytest
from django.db import OperationalError, connection, transaction

from syncfields import reconcile, unsynced
from tests.refusing import DEADLOCK, GONE, refused
from tests.testapp.models import Blog, Post
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db(transaction=True)

SAID = "(1213, 'Deadlock found')"


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, "syncfields.retry")
    return lambda: [
        (each.levelname, each.database, each.attempt, each.error)
        for each in caplog.records
        if each.name == "syncfields.retry"
    ]


@pytest.fixture
def post():
    return Post.objects.create(blog=Blog.objects.create(name="one"))


def test_a_save_that_is_carried_out_again_is_told_once(post, told):
    post.is_live = not post.is_live

    with refused(1, *DEADLOCK):
        post.save()

    assert_truth(Blog)
    assert told() == [("INFO", "default", 1, SAID)]


def test_attempts_are_counted_through(post, told):
    post.is_live = not post.is_live

    def refuse(execute, sql, *rest):
        if "testapp_blog" in sql:
            raise OperationalError(*DEADLOCK)
        return execute(sql, *rest)

    with pytest.raises(OperationalError), connection.execute_wrapper(refuse):
        post.save()

    assert told() == [("INFO", "default", number, SAID) for number in (1, 2, 3)]


def test_a_write_of_many_rows_is_told(post, told):
    with refused(1, *DEADLOCK):
        Post.objects.update(is_live=False)

    assert_truth(Blog)
    assert told() == [("INFO", "default", 1, SAID)]


def test_a_chunk_that_reconcile_repeats_is_told(post, told):
    with unsynced():
        Post.objects.update(is_live=False)

    refusals = iter([OperationalError(*GONE)])

    def refuse(execute, sql, *rest):
        for error in refusals if "UPDATE " in sql else ():
            raise error
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        reconcile(Blog)

    assert_truth(Blog)
    assert told() == [("INFO", "default", 1, "(2013, 'Lost connection')")]


def test_what_is_not_carried_out_again_is_not_told(post, told):
    with pytest.raises(OperationalError), refused(1, *GONE):
        post.save()
    with pytest.raises(OperationalError), transaction.atomic(), refused(1, *DEADLOCK):
        post.save()

    assert told() == []
