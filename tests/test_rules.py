"""Which models have a rule: those that declare it, and those that inherit it."""

from __future__ import annotations

import copy

import pytest
from django.db import models
from django.db.models import Count
from django.test.utils import isolate_apps

from syncfields import register, rules, synced
from syncfields.rules import collect


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
    monkeypatch.setattr(rules, "_places", set())
    return rules.registered


def test_a_line_of_code_registers_a_rule_once_however_often_it_runs(known, registering):
    poll = make("Poll", n=models.IntegerField(), m=models.IntegerField())

    def ready():
        register(poll, n=Count("votes"), m=Count("votes"))

    for _ in range(2):
        ready()

    assert [rule.label for rule in registering] == ["testapp.Poll.n", "testapp.Poll.m"]


def test_two_lines_of_code_register_two_rules(known, registering):
    poll = make("Poll", n=models.IntegerField())

    def declare():
        register(poll, n=Count("votes"))

    declare()
    declare()
    register(poll, n=Count("votes"))

    assert len(registering) == 3
    assert len(list(rules.refuse_duplicates(registering))) == 2
