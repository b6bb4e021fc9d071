"""A plan is asked by the model that is written, or by the model that is kept. No database is
needed.
"""

from __future__ import annotations

import pytest
from django.db.models import Count, F, Max, Q, Sum

from syncfields import Tally
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules
from tests.testapp.models import Blog, Card, Comment, Login, Post, Profile, Reaction


def plan_of(*rules):
    plan, errors = compile_rules(
        Rule(model, name, Declaration(expression)) for model, name, expression in rules
    )
    assert errors == []
    return plan


@pytest.mark.parametrize(
    ("rule", "columns"),
    [
        ((Post, "comment_count", Count("comments")), {Comment: {"post_id"}}),
        (
            (Post, "public_count", Count("comments", filter=Q(comments__is_public=True))),
            {Comment: {"post_id", "is_public"}},
        ),
        (
            (Blog, "reaction_count", Count("posts__comments__reactions")),
            {Post: {"blog_id"}, Comment: {"post_id"}, Reaction: {"comment_id"}},
        ),
        ((Card, "email", F("profile__email")), {Card: {"profile_id"}, Profile: {"email"}}),
    ],
)
def test_the_columns_that_matter_are_known_of_each_source(rule, columns):
    plan = plan_of(rule)

    found = {model: set(names) for model, names in plan.columns.items() if names}

    assert found == columns


def test_a_rule_comes_after_those_that_it_reads():
    outer = (Blog, "comment_total", Sum("posts__comment_count"))
    inner = (Post, "comment_count", Count("comments"))

    for rules in ((outer, inner), (inner, outer)):
        plan = plan_of(*rules)

        first, second = plan.maintenances
        assert (first.target, second.target) == (Post, Blog)
        assert plan.position == {first: 0, second: 1}
        assert "comment_count" in plan.columns[Post]


def test_rules_over_the_same_rows_are_kept_together():
    plan = plan_of(
        (Post, "comment_count", Count("comments")),
        (Post, "score_sum", Sum("comments__score")),
        (Post, "best_score", Max("comments__score")),
    )

    kept = {each.kind: {rule.field_name for rule in each.rules} for each in plan.maintenances}

    assert kept["delta"] == {"comment_count", "score_sum"}
    assert kept["extreme"] == {"best_score"}
    assert {each.maintenance for each in plan.sources[Comment]} == set(plan.maintenances)
    assert plan.targets == {Post: plan.maintenances}
    assert plan.owned[Post].keys() == {"comment_count", "score_sum", "best_score"}


def test_every_save_of_what_is_tallied_counts():
    plan = plan_of((Profile, "logins", Tally("user__logins")))

    assert Login in plan.counted
    assert not plan_of((Post, "comment_count", Count("comments"))).counted


def test_a_plan_can_be_printed():
    (kept,) = plan_of((Post, "comment_count", Count("comments"))).maintenances

    assert repr(kept) == "<delta: testapp.Post.comment_count; reads comments, self>"


def test_the_plan_of_the_zoo_owns_each_field_once():
    plan = registry.plan()

    labels = [rule.label for each in plan.maintenances for rule in each.rules]

    assert set(labels) == {rule.label for rule in plan.rules}
    assert all(plan.owned[rule.model][rule.field.attname] is rule for rule in plan.rules)
