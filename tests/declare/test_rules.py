"""Which models have a rule: those that declare it, and those that inherit it."""

from __future__ import annotations

import copy

import pytest
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.test.utils import isolate_apps

from syncfields import Tally, register, synced
from syncfields.declare import rules
from syncfields.declare.rules import Declaration, Rule, collect
from syncfields.plan.registry import plan
from tests.testapp.models import Comment, Post


@pytest.fixture
def known():
    with isolate_apps("tests.testapp") as apps:
        yield apps


def labels(known):
    return [rule.label for rule in collect(known) if rule.model._meta.apps is known]


def make(name, *bases, meta=(), **fields):
    options = type("Meta", (), {"app_label": "testapp", **dict(meta)})
    return type(name, bases or (models.Model,), {"__module__": __name__, "Meta": options, **fields})


def declared():
    return synced(models.IntegerField(default=0), Count("votes"))


ABSTRACT = {"abstract": True}


def test_a_rule_is_inherited_from_abstract_models_over_any_number_of_them(known):
    counted = make("Counted", meta=ABSTRACT, n=declared())
    make("Direct", counted)
    make("Far", make("Between", counted, meta=ABSTRACT))

    assert labels(known) == ["testapp.Direct.n", "testapp.Far.n"]


def test_a_multi_table_child_and_a_proxy_have_no_rule_of_their_own(known):
    parent = make("Parent", n=declared())
    make("Child", parent)
    make("Proxy", parent, meta={"proxy": True})

    assert labels(known) == ["testapp.Parent.n"]


def test_a_child_that_declares_a_field_of_its_own_has_no_rule(known):
    counted = make("Counted", meta=ABSTRACT, n=declared())
    make("Plain", counted, n=models.IntegerField(default=0))
    make("Without", counted, n=None)

    assert labels(known) == []


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda field: field.clone()])
@pytest.mark.parametrize("inherited", [False, True], ids=["declared", "inherited"])
def test_a_copy_of_the_field_on_another_model_has_no_rule(known, copied, inherited):
    """As the packages make them that keep a history of each row."""
    counted = make("Counted", meta=ABSTRACT, n=declared())
    poll = make("Poll", counted) if inherited else make("Poll", n=declared())
    field = copied(poll._meta.get_field("n"))

    make("PollHistory", n=field)
    make("PollHistoryOfHistory", n=copied(field))

    assert labels(known) == ["testapp.Poll.n"]


def test_a_copy_of_the_field_under_another_name_has_no_rule(known):
    """As the packages make them that keep a column for each language."""
    poll = make("Poll", n=declared())
    field = copy.copy(poll._meta.get_field("n"))
    field.name = None

    poll.add_to_class("n_de", field)

    assert [each.name for each in poll._meta.local_fields] == ["id", "n", "n_de"]
    assert labels(known) == ["testapp.Poll.n"]


def test_a_field_that_is_copied_before_any_model_has_it_brings_its_rule(known):
    field = declared()

    make("One", n=copy.deepcopy(field))
    make("Two", n=copy.deepcopy(field))

    assert labels(known) == ["testapp.One.n", "testapp.Two.n"]


@pytest.fixture
def registering(monkeypatch):
    monkeypatch.setattr(rules, "registered", [])
    return rules.registered


@pytest.fixture
def poll(known):
    return make("Poll", n=models.IntegerField(), m=models.IntegerField())


def subquery(limit):
    found = Comment.objects.filter(post=OuterRef("pk"), score__gt=limit).exclude(text="x")
    return Coalesce(Subquery(found.order_by("-created").values("score")[:1]), Value(0))


def made_by_a_function(limit):
    return lambda: subquery(limit)


MAKERS = {
    "an aggregate": lambda one: Count("votes", filter=Q(votes__score=one)),
    "a copy": lambda one: F("author__a" if one else "author__b"),
    "arithmetic": lambda one: Count("votes") + one,
    "a subquery": subquery,
    "exists": lambda one: Exists(Comment.objects.filter(post=OuterRef("pk"), score=one)),
    "not exists": lambda one: ~Exists(Comment.objects.filter(pk__in=[one, F("score")])),
    "a grouped subquery": lambda one: Subquery(
        Comment.objects.values("post").annotate(n=Count("pk") + one).values("n")
    ),
    "a nested subquery": lambda one: Exists(
        Comment.objects.filter(Exists(Post.objects.filter(pk=OuterRef("post"), pk__gt=one)))
    ),
    "a filter by a queryset": lambda one: Count(
        "votes", filter=Q(votes__in=Comment.objects.filter(score=one))
    ),
    "raw SQL": lambda one: RawSQL("SELECT %s", (one,)),
    "a function": made_by_a_function,
    "a function with a default": lambda one: lambda limit=one: subquery(limit),
    "a tally": lambda one: Tally("votes", when=Q(score=one)),
}


@pytest.mark.parametrize("case", MAKERS)
def test_to_register_the_same_again_changes_nothing(poll, registering, case):
    for _ in range(2):
        register(poll, n=MAKERS[case](1), m=MAKERS[case](1))
    register(poll, n=MAKERS[case](1))

    assert [rule.label for rule in registering] == ["testapp.Poll.n", "testapp.Poll.m"]


@pytest.mark.parametrize("case", MAKERS)
def test_another_rule_from_the_same_line_of_code_is_an_error(poll, registering, case):
    for one in range(2):
        register(poll, n=MAKERS[case](one))

    assert len(registering) == 2
    (error,) = rules.refuse_duplicates(registering)
    assert (error.id, error.message) == ("syncfields.E012", "testapp.Poll.n has two rules.")


@pytest.mark.parametrize(
    "options", [{"depends_on": ["votes"]}, {"touch": "at"}, {"tracking": "memory"}]
)
def test_other_options_make_another_rule(poll, registering, options):
    register(poll, n=Count("votes"))
    register(poll, n=Count("votes"), **options)

    assert len(list(rules.refuse_duplicates(registering))) == 1


def test_a_rule_is_written_without_addresses():
    def latest():
        raise NotImplementedError

    has_comments = plan().owned[Post]["has_comments"]
    not_made = Rule(Post, "newest", Declaration(latest))

    assert repr(has_comments) == (
        "register(Post, has_comments=Exists(Comment.objects.filter(post=OuterRef('pk'))))"
    )
    assert repr(not_made) == (
        "register(Post, newest=test_a_rule_is_written_without_addresses.<locals>.latest)"
    )
    assert [rule for rule in plan().rules if " at 0x" in repr(rule)] == []


@pytest.mark.parametrize("first", [Count("comments"), models.IntegerField, None], ids=repr)
def test_the_field_comes_first(first):
    """Django would take no notice of an expression that stands where a field is meant."""
    with pytest.raises(TypeError, match=r"synced\(\) takes a field first, and then its expression"):
        synced(first, models.IntegerField())
