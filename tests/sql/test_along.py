"""Which rows on the paths of a rule decide with others, and are locked."""

from __future__ import annotations

import pytest
from django.db.models import F

from syncfields.declare.paths import Path, walk
from syncfields.plan import registry
from syncfields.sql.along import (
    connecting,
    leads_to_one,
    lock_between,
    matters_beyond,
    naming,
    values,
)
from tests.statements import sent
from tests.testapp import models as zoo
from tests.testapp.models import Blog, Comment, Post


def dependencies(model, name):
    (maintenance,) = (each for each in registry.plan().targets[model] if name in each.values)
    return {str(each.path): each for each in maintenance.dependencies}


@pytest.mark.parametrize(
    ("target", "lookup", "column"),
    [
        (Post, "comments", ("post_id",)),
        (zoo.Customer, "orders", ("customer_id",)),
        (Comment, "post", ()),  # It is this row that holds the key.
        (zoo.Photo, "tags", ()),  # A generic key names no row by itself.
    ],
)
def test_a_source_refers_to_the_row_next_to_it(target, lookup, column):
    assert naming(walk(target, lookup)) == column
    assert naming(Path(target)) == ()


def test_a_path_leads_to_one_row_if_all_keys_are_held_on_the_way():
    comments = walk(Post, "comments")

    assert leads_to_one(comments, walk(Post, "comments__author"))
    assert not leads_to_one(comments, walk(Post, "comments__reactions"))
    assert not leads_to_one(comments, comments)
    assert not leads_to_one(comments, walk(Post, "blog"))


def test_a_row_beyond_matters_where_its_columns_are_read():
    read = dependencies(Post, "active_count")

    comments, authors = read["comments"], read["comments__author"]
    assert matters_beyond(comments.path, authors, read.values())
    assert not matters_beyond(authors.path, comments, read.values())
    # A comment names its post by one key and its author by the other.
    assert connecting(comments, read.values()) == {"post_id", "author_id"}
    assert connecting(authors, read.values()) == {"id"}


def test_keys_are_known_where_the_row_says_them():
    rows = [{"post_id": 3}, {"post_id": None}, {"post_id": F("id")}, {}, {"post_id": 3}]

    assert values(rows, "post_id") == {3}


def test_between_source_and_target_each_table_is_locked_from_the_source_on(db):
    post = Post.objects.create(blog=Blog.objects.create())
    reaction = zoo.Reaction.objects.create(comment=Comment.objects.create(post=post))
    read = dependencies(Blog, "reaction_count")

    with sent() as statements:
        lock_between(read["posts__comments__reactions"], read.values(), "default", [reaction.pk])

    # MariaDB finds the keys by a read before, which starts at the source.
    tables = dict.fromkeys(statements)
    tables.pop("SELECT testapp_reaction", None)
    assert [*tables] == ["SELECT testapp_comment", "SELECT testapp_post"]
