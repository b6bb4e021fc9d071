"""A write that the database ends leaves the instance as it leaves the row."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import OperationalError, connection

from syncfields.explain.sent import shape
from tests.hub.models import Author, Blog, Comment, Post, Topic

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)


def refuse(execute, sql, params, many, context):
    if shape(sql).startswith("UPDATE"):
        raise OperationalError("the server is gone")
    return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
def test_an_instance_that_could_not_be_deleted_has_its_key():
    comment = Comment.objects.create(
        post=Post.objects.create(blog=Blog.objects.create()),
        author=Author.objects.create(),
        topic=Topic.objects.create(),
        created=NOON,
    )
    key = comment.pk

    with pytest.raises(OperationalError), connection.execute_wrapper(refuse):
        comment.delete()

    assert Comment.objects.get().pk == key
    assert comment.pk == key
