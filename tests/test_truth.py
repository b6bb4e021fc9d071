"""The tests' own ground truth must not overlook a rule."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.checks import ERROR, run_checks

from syncfields import Tally
from syncfields.declare.rules import collect
from tests.hub.truth import TARGETS as HUB
from tests.menagerie import write_behind
from tests.testapp.models import Blog, Post
from tests.truth import TRUTHS, Snapshot, drifts

pytestmark = pytest.mark.django_db(databases=["default", "other"])


def test_every_rule_has_a_truth():
    rules = {(rule.model, rule.field_name) for rule in collect() if rule.model in zoo_models()}
    tallies = {
        (rule.model, rule.field_name) for rule in collect() if isinstance(rule.expression, Tally)
    }

    told = {(model, name) for model in TRUTHS for name in names(model)}

    assert told == rules - tallies


def test_the_zoo_passes_the_system_checks():
    assert [error for error in run_checks() if error.is_serious(ERROR)] == []


def test_a_wrong_value_is_found():
    Post.objects.bulk_create([Post(title="unnoticed")])
    Blog.objects.bulk_create([Blog(name="unnoticed")])
    write_behind(Post, comment_count=7)

    found = drifts(Post, Blog)

    assert len(found) == 1
    assert "comment_count is 7, but should be 0" in found[0]


def zoo_models():
    zoo = (*apps.get_app_config("testapp").get_models(), *apps.get_app_config("auth").get_models())
    return {*zoo, *HUB}


def names(model):
    """The names that a model's truth tells, learned from a row of it that does not exist."""
    return TRUTHS[model](Snapshot("default"), Anything()).keys()


class Anything:
    """A row with any column, all of them None."""

    def __getattr__(self, name):
        return None
