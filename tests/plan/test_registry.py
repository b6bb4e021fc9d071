"""Models that are defined after start-up, as tests and plug-ins do it."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.models import Count, F, Value
from django.db.models.functions import Coalesce
from django.test import override_settings
from django.test.utils import isolate_apps

from syncfields import SyncedFieldError, coalesce, register, synced
from syncfields.declare import rules
from syncfields.plan import registry
from syncfields.testing import assert_in_sync
from tests.testapp.models import Comment, Post, Profile, Shelf
from tests.truth import assert_truth, tables


@pytest.fixture
def late():
    """Nothing of the models that a test defines stays behind it."""
    tables()  # Asked for before there are models without a table.
    before = apps.all_models["testapp"].copy()
    yield
    apps.all_models["testapp"].clear()
    apps.all_models["testapp"].update(before)
    apps.clear_cache()
    registry.rebuild()


def define(name, **fields):
    meta = type("Meta", (), {"app_label": "testapp"})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})


@pytest.mark.django_db(transaction=True)
def test_models_that_are_defined_later_have_their_rules_kept(late):
    Shelf.objects.create()
    hall = define("Hall", n=synced(models.IntegerField(default=0), Count("rooms")))
    room = define(
        "Room",
        hall=models.ForeignKey(hall, models.CASCADE, related_name="rooms"),
        shelf=models.ForeignKey(Shelf, models.CASCADE, null=True),
        books=synced(models.IntegerField(null=True), F("shelf__book_count")),
    )
    with connection.schema_editor() as editor:
        editor.create_model(hall)
        editor.create_model(room)
    try:
        one = hall.objects.create()
        room.objects.create(hall=one, shelf=Shelf.objects.create())

        assert hall.objects.get().n == 1
        assert room.objects.get().books == 0
        assert_in_sync(hall, room)
        with pytest.raises(SyncedFieldError):
            hall.objects.update(n=5)
        one.delete()
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(room)
            editor.delete_model(hall)


@pytest.mark.django_db
def test_what_waits_is_written_before_there_is_a_new_plan(late):
    post = Post.objects.create()

    with coalesce():
        Comment.objects.create(post=post, heat=1.5)
        define("Hall")
        Comment.objects.create(post=post, heat=2.5)

    assert_truth()


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["a rule", "a setting"])
def test_what_waits_is_written_by_the_plan_that_noted_it(monkeypatch, late, change):
    monkeypatch.setattr(rules, "registered", registered := list(rules.registered))
    monkeypatch.setattr(registry, "registered", registered)
    post = Post.objects.create()

    with coalesce():
        Comment.objects.create(post=post, heat=1.5)
        if change == "a rule":
            register(Profile, nickname=Coalesce("user__username", Value("")))
        with override_settings(TIME_ZONE="Asia/Tokyo" if change == "a setting" else "UTC"):
            assert Post.objects.get().comment_count == 1
            Comment.objects.create(post=post, heat=2.5)

    assert Post.objects.get().comment_count == 2
    assert_truth()


def test_a_rule_waits_for_the_model_that_it_reads(late):
    room = define(
        "Room",
        hall=models.ForeignKey("testapp.Hall", models.CASCADE),
        n=synced(models.IntegerField(default=0), F("hall__size")),
    )
    (error,) = registry.errors()
    assert error.id == "syncfields.E020"
    assert error.message == (
        "The rule of testapp.Room.n cannot be read: ValueError: Related model 'testapp.Hall' "
        "cannot be resolved"
    )

    define("Hall", size=models.IntegerField(default=0))

    assert registry.errors() == []
    assert room in registry.plan().targets


def test_a_model_of_another_registry_makes_no_new_plan():
    """Migrations render hundreds of them."""
    plan = registry.plan()

    with isolate_apps("tests.testapp"):
        define("Elsewhere")

    assert registry.plan() is plan
