"""Declarations that are right and come close to what a check refuses: nothing is said of them."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce, Concat, Left, Length, Upper
from django.test.utils import isolate_apps

from syncfields import Tally
from syncfields.checks import declarations
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan.compiler import compile_rules


class Meta:
    app_label = "testapp"


@pytest.fixture(scope="module")
def blog():
    """Blogs, posts in them by authors or nobody, each with a field for each type of value."""
    with isolate_apps("tests.testapp"):

        class Author(models.Model):
            name = models.CharField(max_length=20)
            nick = models.CharField(max_length=20, null=True)
            code = models.CharField(max_length=5, unique=True)
            Meta = Meta

        class Blog(models.Model):
            title = models.CharField(max_length=20)
            total = models.IntegerField(default=0)
            other = models.IntegerField(default=0)
            maybe = models.IntegerField(null=True)
            mean = models.FloatField(null=True)
            exact = models.DecimalField(max_digits=9, decimal_places=2, default=0)
            real = models.FloatField(default=0)
            has_posts = models.BooleanField(default=False)
            newest = models.CharField(max_length=20, null=True)
            modified = models.DateTimeField(auto_now=True)
            Meta = Meta

        class Post(models.Model):
            blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
            author = models.ForeignKey(Author, models.SET_NULL, null=True)
            editor = models.ForeignKey(Author, models.CASCADE, related_name="+")
            kept_by = models.ForeignKey(
                Author, models.CASCADE, related_name="kept", to_field="code", db_constraint=False
            )
            slug = models.CharField(max_length=20)
            score = models.IntegerField(default=0)
            share = models.IntegerField(default=0)
            long = models.TextField()
            short = models.CharField(max_length=10)
            short_or_none = models.CharField(max_length=10, null=True)
            name = models.CharField(max_length=20)
            name_or_none = models.CharField(max_length=20, null=True)
            Meta = Meta

        class Profile(models.Model):
            author = models.OneToOneField(Author, models.CASCADE, related_name="profile")
            points = models.IntegerField(default=0)
            Meta = Meta

        yield {each.__name__: each for each in (Author, Blog, Post, Profile)}


RIGHT = [
    # names, E001
    ("Blog.total", Count("posts")),
    ("Blog.total", Count("posts__pk")),
    ("Blog.total", Count("posts__author_id")),
    ("Blog.total", Count("posts__author__profile")),
    ("Post.name", F("editor__name")),
    ("Blog.total", Count("posts", filter=~Q(posts__slug__startswith="a"))),
    ("Profile.points", Tally("author")),
    # reads a relation, E002
    ("Blog.total", F("other") + Count("posts")),
    ("Post.share", F("blog__total") - F("score")),
    ("Post.share", F("blog_id") + F("blog__total")),
    # NULL, E003
    ("Blog.maybe", Max("posts__score")),
    ("Blog.total", Max("posts__score", default=0)),
    ("Blog.total", Coalesce(Max("posts__score"), 0)),
    ("Blog.total", Sum("posts__score")),
    ("Blog.maybe", Sum("posts__score")),
    ("Post.name_or_none", F("author__name")),
    ("Post.name_or_none", F("editor__nick")),
    ("Post.name", Coalesce("author__name", Value("nobody"))),
    ("Post.name", Concat("author__nick", "slug")),
    ("Post.name_or_none", F("kept_by__name")),
    # types, E004
    ("Blog.mean", Avg("posts__score")),
    ("Blog.maybe", Cast(Avg("posts__score"), models.IntegerField())),
    ("Blog.exact", Count("posts")),
    ("Blog.real", Sum("posts__score")),
    ("Blog.total", Sum(Length("posts__slug"))),
    ("Blog.total", Count("posts") * 2),
    # lengths, E005
    ("Post.name", F("blog__title")),
    ("Post.long", F("blog__title")),
    ("Post.short", F("editor__code")),
    ("Post.short", Left("blog__title", 10)),
    ("Post.name", Upper("blog__title")),
    # what is seen from outside, E007
    ("Blog.total", RawSQL("SELECT 1", ()), {"depends_on": ("posts",)}),
    ("Blog.total", RawSQL("SELECT 1", ()), {"depends_on": ("posts", "posts__author")}),
    # filters of tallies, E008
    ("Profile.points", Tally("author", when=Q(name__startswith="a"))),
    ("Blog.total", Tally("posts", F("score"), when=Q(author__name="x"))),
    # fields of their own, E009
    ("Author.code", Coalesce(Max(Left("post__slug", 5)), Value(""))),
    ("Post.name", Case(When(Q(score__gt=1), then=F("blog__title")), default=Value(""))),
    # one value, E011
    ("Blog.total", Min("posts__score", default=0)),
    ("Author.name", Coalesce(Max("post__blog__title"), Value(""))),
    ("Author.name", Coalesce(Cast("profile__points", models.CharField(max_length=20)), Value(""))),
    # options, E013
    ("Blog.total", Count("posts"), {"touch": "modified"}),
    ("Blog.total", Count("posts"), {"tracking": "memory"}),
    ("Blog.total", Tally("posts", on="save")),
]


@pytest.mark.parametrize(("field", "expression", "options"), [(*each, {})[:3] for each in RIGHT])
def test_a_declaration_that_is_right(blog, field, expression, options):
    model, name = field.split(".")
    rule = Rule(blog[model], name, Declaration(expression, **options))

    plan, errors = compile_rules([rule])

    assert errors == []
    assert plan.rules == (rule,)


def test_subqueries_that_are_tied_by_a_key(blog):
    posts = blog["Post"].objects.filter(blog=OuterRef("pk"))

    _, errors = compile_rules(
        [
            Rule(blog["Blog"], "has_posts", Declaration(Exists(posts.filter(score__gt=1)))),
            Rule(blog["Blog"], "newest", Declaration(Subquery(posts.values("slug")[:1]))),
        ]
    )

    assert errors == []


def test_e006_rules_that_read_each_other_without_a_circle(blog):
    """Rows, and not the synced fields of the other; a chain, and not its beginning."""
    plan, errors = compile_rules(
        [
            Rule(blog["Blog"], "total", Declaration(Sum("posts__score"))),
            Rule(blog["Post"], "share", Declaration(F("blog__total"))),
            Rule(blog["Blog"], "maybe", Declaration(Max("posts__share"))),
        ]
    )

    assert errors == []
    assert len(plan.rules) == 3


def test_e012_two_fields_of_one_model_and_one_name_on_two_models(blog):
    _, errors = compile_rules(
        [
            Rule(blog["Blog"], "total", Declaration(Count("posts"))),
            Rule(blog["Blog"], "other", Declaration(Count("posts"))),
            Rule(blog["Post"], "name", Declaration(F("blog__title"))),
            Rule(blog["Author"], "name", Declaration(Coalesce(Max("post__slug"), Value("")))),
        ]
    )

    assert errors == []


@pytest.mark.parametrize(
    "value",
    [{}, {"TRACKING": "memory"}, {"APPLY": "commit"}, {"TRACKING": "database", "APPLY": "commit"}],
)
def test_e014_settings_that_are_right(settings, value):
    settings.SYNCFIELDS = value

    assert declarations.check_settings() == []


def test_e010_routers_that_keep_a_rule_together(settings):
    class Router:
        def db_for_write(self, model, **hints):
            return "other"

        def db_for_read(self, model, **hints):
            return "default"

    settings.DATABASE_ROUTERS = [Router()]

    assert list(declarations.check_databases()) == []
