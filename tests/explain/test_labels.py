from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from syncfields import coalesce, conf, reconcile, unsynced
from syncfields.explain import labels
from syncfields.explain.recording import record
from syncfields.explain.sent import LABEL, is_of_transaction, shape
from syncfields.signals import synced
from tests import menagerie
from tests.hub.models import Comment, Post
from tests.hub.test_statements import COSTS
from tests.hub.writes import WRITES, populate
from tests.testapp import models as zoo

pytestmark = pytest.mark.django_db


@pytest.fixture
def labelled(settings):
    settings.SYNCFIELDS = {"LABEL_SQL": True}
    labels.connect()
    yield
    labels.disconnect()


@contextmanager
def sent():
    """As ``tests.statements.sent()``, as the database gets it: on SQLite Django logs what it was
    given.
    """
    found = []

    def note(execute, sql, *rest):
        if not is_of_transaction(sql):
            found.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield found


def of_the_user(statements):
    return [shape(sql) for sql in statements if not sql.startswith(LABEL)]


def test_nothing_is_there_unless_it_is_asked_for():
    labels.connect()

    assert not conf.label_sql()
    assert labels.label not in connection.execute_wrappers


@pytest.mark.parametrize("name", COSTS)
def test_each_write_sends_the_same_and_the_users_own_statements_bear_no_label(name, labelled):
    populate()
    act = WRITES[name]()
    with transaction.atomic(), unsynced(), sent() as own:
        act()
        transaction.set_rollback(True)
    act = WRITES[name]()

    with sent() as statements:
        act()

    assert len(statements) == COSTS[name].sent(connection.vendor)
    assert of_the_user(statements) == of_the_user(own)


def test_reconcile_and_the_end_of_a_block_are_the_librarys(labelled):
    menagerie.populate()
    with unsynced():
        zoo.Comment.objects.update(is_public=False)

    with sent() as statements:
        reconcile(zoo.Post)
    with sent() as coalesced, coalesce():
        zoo.Comment.objects.update(is_public=True)

    assert len(statements) > 1
    assert of_the_user(statements) == []
    assert of_the_user(coalesced) == ["UPDATE testapp_comment"]


def test_what_is_called_by_the_library_is_the_users(labelled):
    menagerie.populate()

    @unsynced()
    def count():
        return zoo.Post.objects.count()

    with sent() as statements:
        count()

    assert of_the_user(statements) == ["SELECT testapp_post"]


@pytest.mark.django_db(transaction=True)
def test_what_is_told_and_called_after_commit_is_the_users(labelled):
    populate()

    def look(sender, **kwargs):
        Post.objects.exists()

    synced.connect(look, sender=Post)
    try:
        with sent() as statements:
            Comment.objects.first().delete()
    finally:
        synced.disconnect(look, sender=Post)

    assert of_the_user(statements)[-1] == "SELECT hub_post"


def test_a_block_with_a_wrapper_takes_its_own_off(labelled):
    labels.disconnect()

    with connection.execute_wrapper(lambda execute, *rest: execute(*rest)):
        labels.connect()

    assert connection.execute_wrappers == [labels.label]


def test_what_is_recorded_is_recorded_without(labelled):
    found = [each for write in record("default", zoo.Book) for each in write.sent]
    labels.disconnect()

    assert found == [each for write in record("default", zoo.Book) for each in write.sent]


def test_each_connection_has_the_wrapper_once(labelled):
    other = connection.copy()

    try:
        for _ in range(2):
            other.connect()
            other.close()
    finally:
        other.close()

    assert other.execute_wrappers == [labels.label]
