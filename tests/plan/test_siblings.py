"""One abstract rule on many models, of which some are not referred to yet."""

from __future__ import annotations

import pytest
from django.core.checks import Warning
from django.db import models
from django.db.models import Count, F, Max, Sum
from django.test.utils import isolate_apps

from syncfields import Tally, synced
from syncfields.checks import declarations
from syncfields.declare.rules import collect
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules


@pytest.fixture
def poll():
    """A function that puts a rule on an abstract model of which ``Used`` has votes, that have
    flags, and ``Unused`` has none.
    """
    with isolate_apps("tests.testapp") as apps:

        def compiled(expression, **fields):
            class Counted(models.Model):
                n = synced(models.IntegerField(null=True, default=0), expression)
                weight = models.IntegerField(default=1)

                class Meta:
                    abstract = True
                    app_label = "testapp"

            class Used(Counted):
                class Meta:
                    app_label = "testapp"

            class Vote(models.Model):
                poll = models.ForeignKey(Used, models.CASCADE, related_name="votes")
                score = models.IntegerField(default=0)

                class Meta:
                    app_label = "testapp"

            class Flag(models.Model):
                vote = models.ForeignKey(Vote, models.CASCADE, related_name="flags")

                class Meta:
                    app_label = "testapp"

            meta = type("Meta", (), {"app_label": "testapp"})
            type("Unused", (Counted,), {"__module__": __name__, "Meta": meta, **fields})
            plan, errors = compile_rules(
                [rule for rule in collect(apps) if rule.model._meta.apps is apps]
            )
            return plan, [(error.id, [rule.label for rule in error.rules]) for error in errors]

        yield compiled


@pytest.mark.parametrize(
    "expression",
    [
        Count("votes"),
        Max("votes__score"),
        Count("votes__flags"),
        Sum("votes__score") - Count("votes__flags"),
        Tally("votes"),
    ],
    ids=str,
)
def test_w005_a_rule_that_has_no_rows_to_read_on_a_sibling(poll, monkeypatch, expression):
    plan, errors = poll(expression)
    monkeypatch.setattr(registry, "plan", lambda: plan)
    monkeypatch.setattr(registry, "errors", list)

    (warning,) = declarations.check_rules()

    assert errors == []
    assert isinstance(warning, Warning)
    assert warning.id == "syncfields.W005"
    assert warning.obj.__name__ == "Unused"
    assert warning.msg == (
        "testapp.Unused.n is not kept: nothing refers to testapp.Unused as votes does to "
        "testapp.Used."
    )
    assert "declare a plain field n on testapp.Unused" in warning.hint
    assert [rule.label for rule in plan.rules] == ["testapp.Used.n"]
    assert {name for model in plan.guarded for name in plan.guarded[model]} == {"n"}
    assert len(plan.guarded) == 2


@pytest.mark.parametrize(
    "expression",
    [
        Count("vots"),
        Count("votes__scor"),
        Count("votes") + F("weight"),
    ],
    ids=str,
)
def test_what_is_wrong_with_an_abstract_rule_stays_an_error(poll, expression):
    plan, errors = poll(expression)

    assert plan.unused == ()
    assert ("syncfields.E001", ["testapp.Unused.n"]) in errors


def test_a_sibling_of_which_the_rows_have_other_columns_has_an_error(poll):
    class Remark(models.Model):
        """Refers to ``Unused`` by the same name, and has no score."""

        poll = models.ForeignKey("Unused", models.CASCADE, related_name="votes")

        class Meta:
            app_label = "testapp"

    plan, errors = poll(Sum("votes__score"))

    assert plan.unused == ()
    assert errors == [("syncfields.E001", ["testapp.Unused.n"])]


@pytest.mark.parametrize("field", [models.IntegerField(default=0), None], ids=["plain", "none"])
def test_a_plain_field_in_its_place_is_how_the_warning_is_silenced(poll, field):
    plan, errors = poll(Count("votes"), n=field)

    assert (plan.unused, errors) == ((), [])
    assert [rule.label for rule in plan.rules] == ["testapp.Used.n"]


def test_the_only_model_that_inherits_a_rule_has_an_error():
    with isolate_apps("tests.testapp") as apps:

        class Counted(models.Model):
            n = synced(models.IntegerField(default=0), Count("votes"))

            class Meta:
                abstract = True
                app_label = "testapp"

        class Unused(Counted):
            class Meta:
                app_label = "testapp"

        plan, (error,) = compile_rules(
            [rule for rule in collect(apps) if rule.model._meta.apps is apps]
        )

    assert plan.unused == ()
    assert error.id == "syncfields.E001"
