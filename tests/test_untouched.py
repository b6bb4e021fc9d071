"""What the library leaves as it was: managers and querysets, their pickles, and migrations."""

from __future__ import annotations

import copy
import pickle

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter
from django.db.models import Count, F, Q

from syncfields.plan import registry
from tests.testapp import models as zoo
from tests.testapp.models import Book, Shelf
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def books():
    shelf = Shelf.objects.create()
    return [Book.objects.create(shelf=shelf, pages=pages) for pages in (1, 2, 600)]


QUERYSETS = {
    "filtered": lambda: Book.objects.filter(Q(pages__gt=1) | Q(shelf=None)),
    "annotated": lambda: Shelf.objects.annotate(number=Count("books")).filter(number__gt=0),
    "joined": lambda: Book.objects.select_related("shelf").filter(pages__gt=F("shelf__book_count")),
    "related": lambda: Shelf.objects.get().books.order_by("pk"),
    "proxy": lambda: zoo.PublicComment.objects.order_by("pk"),
}


@pytest.mark.parametrize("name", QUERYSETS)
@pytest.mark.parametrize("evaluated", [True, False])
def test_querysets_are_pickled(books, name, evaluated):
    queryset = QUERYSETS[name]()
    expected = list(queryset.all())
    if evaluated:
        list(queryset)

    loaded = pickle.loads(pickle.dumps(queryset))

    assert type(loaded) is models.QuerySet
    assert list(loaded) == expected
    query = queryset.model._base_manager.all()
    query.query = pickle.loads(pickle.dumps(queryset.query))
    assert list(query) == expected


def test_a_pickled_queryset_writes_as_before(books):
    pickle.loads(pickle.dumps(Book.objects.filter(pages__lt=3))).update(pages=9)
    assert_truth()
    pickle.loads(pickle.dumps(Book.objects.filter(pages=9))).delete()

    assert Shelf.objects.get().book_count == 1
    assert_truth()


def test_managers_are_pickled_and_copied(books):
    for copied in (pickle.loads(pickle.dumps(Book.objects)), copy.deepcopy(Book.objects)):
        assert (type(copied), copied.model, copied.count()) == (models.Manager, Book, 3)


def test_managers_are_deconstructed_as_they_were_declared():
    plain = (False, "django.db.models.manager.Manager", None, (), {})
    models_ = {*registry.plan().sources, *registry.plan().targets} - {get_user_model()}
    managers = [model._default_manager for model in models_]

    made_by_django = [manager for manager in managers if manager.auto_created]

    assert len(made_by_django) > len(models_) / 2
    for manager in made_by_django:
        assert manager.deconstruct() == plain
        assert type(manager.all()) is models.QuerySet
    assert type(zoo.Project.objects) is zoo.OpenManager
    assert type(zoo.Task.objects) is zoo.LiveManager


def migrations(old, new):
    questioner = MigrationQuestioner({"ask_initial": True})
    return MigrationAutodetector(old, new, questioner).changes(graph=MigrationGraph())


def test_a_migration_of_the_zoo_does_not_name_the_library():
    found = migrations(ProjectState(), ProjectState.from_apps(apps))["testapp"]

    text = "".join(MigrationWriter(each).as_string() for each in found)
    assert "book_count" in text
    assert "sync" not in text


def test_a_rule_that_comes_or_goes_is_no_migration():
    """The same fields, made from what a migration would say of them, carry no rules."""
    with_rules, without = ProjectState.from_apps(apps), ProjectState.from_apps(apps)
    for model in registry.plan().targets:
        for name, field in without.models[label(model)].fields.items():
            _, _, args, options = field.deconstruct()
            without.models[label(model)].fields[name] = type(field)(*args, **options)
    assert migrations(with_rules, without) == migrations(without, with_rules) == {}

    without.models[label(Shelf)].fields["book_count"] = models.TextField()

    assert migrations(with_rules, without).keys() == {"testapp"}


def label(model):
    return model._meta.app_label, model._meta.model_name


def test_historical_models_keep_no_rules():
    """A migration's model has the fields, and ``makemigrations`` sees of a rule that nobody edits
    its field.
    """
    field = Shelf._meta.get_field("book_count")

    _, path, args, options = field.deconstruct()

    assert (path, args) == ("django.db.models.PositiveIntegerField", [])
    assert options == {"default": 0, "editable": False}
    assert not apps.get_model("testapp", "Shelf").objects.exists()
    assert type(Book.objects) is models.Manager
