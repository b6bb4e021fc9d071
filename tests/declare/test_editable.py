"""Nobody edits a synced field: what forms and migrations make of ``editable``."""

from __future__ import annotations

import pytest
from django.core.exceptions import FieldError, ValidationError
from django.db import connection, migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Count, F
from django.forms import modelform_factory
from django.test.utils import isolate_apps

from syncfields import synced
from syncfields.checks import declarations
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan import registry
from syncfields.plan.compiler import compile_rules
from tests.statements import sent
from tests.testapp.models import Badge, Blog, Post, Profile


@pytest.mark.parametrize("given", [{}, {"editable": True}, {"editable": False}])
def test_a_synced_field_is_not_editable_whatever_the_field_says(given):
    assert not synced(models.IntegerField(**given), Count("x")).editable


@pytest.mark.parametrize("said", [True, False])
def test_unless_it_is_said_to_synced(said):
    field = synced(models.IntegerField(editable=not said), Count("x"), editable=said)

    assert field.editable is said


@isolate_apps("tests.testapp")
def test_a_model_that_inherits_it():
    class Base(models.Model):
        n = synced(models.IntegerField(), Count("x"))

        class Meta:
            abstract = True

    class Child(Base):
        class Meta:
            app_label = "testapp"

    assert not Child._meta.get_field("n").editable


def test_a_form_does_not_ask_for_it():
    assert list(modelform_factory(Blog, fields="__all__").base_fields) == ["name"]
    with pytest.raises(FieldError, match="non-editable"):
        modelform_factory(Blog, fields=["name", "post_count"])


@pytest.mark.django_db
def test_a_form_saves_a_row():
    form = modelform_factory(Blog, fields="__all__")({"name": "News", "post_count": 8})

    assert form.is_valid()
    assert form.save().post_count == 0


@pytest.mark.django_db
def test_full_clean_asks_nothing_of_it():
    """``last_comment_at`` may be NULL, and is not ``blank``; no e-mail is one that is none."""
    Post(title="First").full_clean(exclude=["blog"])
    with pytest.raises(ValidationError) as refused:
        Blog().full_clean()
    assert set(refused.value.message_dict) == {"name"}
    Profile(display_name="", email=None).full_clean(exclude=["user", "nickname"])


# Migrations --------------------------------------------------------------------------------------


def state(*fields):
    return ProjectState({("shop", "order"): ModelState("shop", "Order", list(fields))})


def plain():
    return ("line_count", models.IntegerField(default=0))


def kept(**options):
    return ("line_count", synced(models.IntegerField(default=0), Count("lines"), **options))


def changes(old, new):
    found = MigrationAutodetector(state(old), state(new))._detect_changes()
    return [operation for each in found.get("shop", ()) for operation in each.operations]


def test_a_rule_for_a_field_that_was_there_is_an_alter_field():
    (operation,) = changes(plain(), kept())

    assert isinstance(operation, migrations.AlterField)
    _, path, _, options = operation.field.deconstruct()
    assert path == "django.db.models.IntegerField"
    assert options == {"default": 0, "editable": False}


def test_none_where_it_is_left_editable_or_was_not():
    assert changes(plain(), kept(editable=True)) == []
    assert changes(("line_count", models.IntegerField(default=0, editable=False)), kept()) == []


@pytest.mark.django_db(transaction=True)
def test_that_sends_no_sql():
    field = models.PositiveIntegerField(default=0)
    field.set_attributes_from_name("post_count")
    field.model = Blog

    with sent() as statements, connection.schema_editor(atomic=False) as editor:
        editor.alter_field(Blog, field, Blog._meta.get_field("post_count"))

    assert [each for each in statements if each != "PRAGMA"] == []  # SQLite's switches


# The check ---------------------------------------------------------------------------------------


@isolate_apps("tests.testapp")
def test_w007_a_synced_field_that_is_editable(monkeypatch):
    class Shop(models.Model):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = "testapp"

    class Order(models.Model):
        shop = models.ForeignKey(Shop, models.CASCADE)
        shop_name = models.CharField(max_length=9)
        other_name = models.CharField(max_length=9, editable=False)

        class Meta:
            app_label = "testapp"

    rules = [
        Rule(Order, f"{name}_name", Declaration(F("shop__name"))) for name in ("shop", "other")
    ]
    plan, errors = compile_rules(rules)
    assert errors == []
    monkeypatch.setattr(registry, "plan", lambda: plan)

    (warning,) = declarations.check_editable()

    assert warning.id == "syncfields.W007"
    assert warning.obj is Order
    assert warning.msg == (
        "testapp.Order.shop_name is kept by syncfields, and a form can ask for it: what it is told "
        "is not stored."
    )
    assert warning.hint.startswith(
        "Leave editable=True out of synced(), or set editable=False on a field that register() "
        "names; where its model cannot be edited, show it read-only (SyncedAdminMixin), and "
        "silence this check."
    )


def test_w007_is_said_of_the_zoo_where_register_names_a_field_of_django():
    found = declarations.check_editable()

    assert [each.msg.split()[0] for each in found] == ["auth.User.is_staff"]
    assert Badge._meta.get_field("holder").related_model._meta.label == "auth.User"
