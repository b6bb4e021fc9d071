"""Conditions as a command line gives them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import FieldError, ValidationError
from django.db import connection  # noqa: F401 - asked by WITH_TIME_ZONES
from django.utils import timezone

from syncfields import reconcile
from syncfields.management.lookups import condition
from tests.testapp.models import Comment, Post

pytestmark = pytest.mark.django_db


# MariaDB is not told of them by itself.
WITH_TIME_ZONES = pytest.mark.skipif("not connection.features.has_zoneinfo_database")


@pytest.fixture
def now():
    """Three posts, with a comment of each of three days."""
    found = timezone.now()
    for days in range(3):
        Comment.objects.create(post=Post.objects.create(), created=found - dt.timedelta(days=days))
    return found


def chosen(*given):
    """The rows that a condition keeps to, each once."""
    report = reconcile(Post, check=True, where=lambda model: condition(model, given))
    (found,) = {each.scanned for each in report.rules}
    return found


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (["pk__gt=0"], 3),
        (["pk=0"], 0),
        (["pk__in=0,0"], 0),
        (["is_live=true"], 3),
        (["is_live=0"], 0),
        (["last_comment_at__isnull=true"], 0),
        (["last_comment_at__isnull=No"], 3),
        (["last_comment_at__year__gt=1999"], 3),
        pytest.param(["last_comment_at__date__gte=1999-12-31"], 3, marks=WITH_TIME_ZONES),
        (["last_comment_at__range=1999-12-31,2999-12-31 23:59"], 3),
        (["last_comment_at__gte=1999-12-31", "last_comment_at__lt=2000-01-01T00:00:00+00:00"], 0),
        (["title=", "title__startswith="], 3),
        (["comment_count__lte=1"], 3),
        (["blog=5"], 0),
        (["blog__name__in=a,b"], 0),
        (["comments__isnull=yes"], 0),
        (["heat__gte=-0.5"], 3),
    ],
)
def test_each_lookup_gets_a_value_of_its_field(now, given, number):
    assert chosen(*given) == number


def test_a_time_without_a_zone_is_meant_in_that_of_the_project(now):
    yesterday = timezone.localtime(now - dt.timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S.%f")

    assert chosen(f"last_comment_at__gte={yesterday}") == 2
    assert chosen(f"last_comment_at__gt={yesterday}") == 1


def test_a_row_with_several_matches_is_looked_at_once(now):
    post = Post.objects.order_by("pk")[0]
    Comment.objects.create(post=post)

    assert chosen("comments__isnull=false", f"pk={post.pk}") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nothing__gte=5", r"Of testapp\.Post .*Cannot resolve keyword 'nothing' into field"),
        ("title", "'title' is no lookup"),
        ("last_comment_at__isnull=perhaps", "'perhaps' is neither true nor false"),
        ("comment_count__nothing=5", "nothing"),
    ],
)
def test_what_is_no_lookup_is_named(given, said):
    with pytest.raises(FieldError, match=said):
        chosen(given)


@pytest.mark.parametrize(
    "given", ["last_comment_at__gte=soon", "pk=abc", "score_average=high", "blog=news"]
)
def test_what_is_no_value_of_the_field_is_named(given):
    with pytest.raises(ValidationError, match=given.partition("=")[2]):
        chosen(given)
