"""django-taggit: tags through a model of its own, by foreign key or by generic relation."""

from __future__ import annotations

import pytest

pytest.importorskip("taggit", reason="django-taggit is not installed")

from django.contrib.contenttypes.fields import GenericRelation
from django.db import models
from django.db.models import Count, F, Max, Q
from taggit.managers import TaggableManager
from taggit.models import GenericTaggedItemBase, ItemBase, TagBase, TaggedItem

from syncfields import synced
from syncfields.declare.rules import Declaration, Rule
from syncfields.plan.compiler import compile_rules
from tests.packages.truth import assert_holds, assert_true, shown

pytestmark = [
    pytest.mark.django_db,
    # taggit's own joins, of which Django 6.1 warns.
    pytest.mark.filterwarnings("ignore:SQLCompiler.quote_name_unless_alias:DeprecationWarning"),
    pytest.mark.filterwarnings(
        "ignore:SQLCompiler.quote_name_unless_alias:PendingDeprecationWarning"
    ),
]


class Label(TagBase):
    recipe_count = synced(models.IntegerField(default=0), Count("recipe_tags"))
    quick_count = synced(
        models.IntegerField(default=0),
        Count("recipe_tags", filter=Q(recipe_tags__content_object__minutes__lt=20)),
    )
    slowest = synced(models.IntegerField(null=True), Max("recipe_tags__content_object__minutes"))
    use_count = synced(models.IntegerField(default=0), Count("uses"))


class RecipeTag(ItemBase):
    tag = models.ForeignKey(Label, models.CASCADE, related_name="recipe_tags")
    content_object = models.ForeignKey("Recipe", models.CASCADE, related_name="recipe_tags")
    name = synced(models.CharField(max_length=100), F("tag__name"))


class Use(GenericTaggedItemBase):
    tag = models.ForeignKey(Label, models.CASCADE, related_name="uses")


class Recipe(models.Model):
    minutes = models.IntegerField(default=10)
    tags = TaggableManager(through=RecipeTag)
    tag_count = synced(models.IntegerField(default=0), Count("recipe_tags"))
    tag_count_through = synced(models.IntegerField(default=0), Count("tags"))
    a_count = synced(
        models.IntegerField(default=0), Count("tags", filter=Q(tags__name__startswith="a"))
    )
    last_tag = synced(models.CharField(max_length=100, null=True), Max("recipe_tags__tag__name"))


class Dish(models.Model):
    """Tagged by the package's own models, and by a generic through model."""

    tags = TaggableManager()
    labels = TaggableManager(through=Use, related_name="labelled")
    tagged_items = GenericRelation(TaggedItem)
    uses = GenericRelation(Use)
    tag_count = synced(models.IntegerField(default=0), Count("tagged_items"))
    label_count = synced(models.IntegerField(default=0), Count("uses"))
    last_label = synced(models.CharField(max_length=100, null=True), Max("uses__tag__name"))


@pytest.fixture
def recipes(db):
    return [Recipe.objects.create(minutes=n) for n in (5, 50)]


def test_tags_come_and_go(recipes):
    one, two = recipes
    one.tags.add("apple", "pear", "fig")
    assert_true()
    two.tags.add("apple")
    assert_true()
    assert Label.objects.values_list("recipe_count", "quick_count").get(name="apple") == (2, 1)
    one.tags.remove("pear")
    assert_true()
    one.tags.set(["apple", "plum", "almond"])
    assert_true()
    two.tags.set(["nut"], clear=True)
    assert_true()
    one.tags.clear()
    assert_true()
    assert Recipe.objects.get(pk=one.pk).tag_count == 0


def test_the_ends_of_the_relation(recipes):
    for each in recipes:
        each.tags.add("apple", "pear")
    Label.objects.filter(name="apple").update(name="apricot")
    assert_true()
    label = Label.objects.get(name="pear")
    label.name = "avocado"
    label.save()
    assert_true()
    Recipe.objects.update(minutes=F("minutes") + 5)
    assert_true()
    label.delete()
    assert_true()
    recipes[0].delete()
    assert_true()
    Recipe.objects.all().delete()
    assert_true()


def test_tags_are_merged(recipes):
    recipes[0].tags.add("apple", "pear")
    recipes[1].tags.add("apples")
    apple, apples = Label.objects.get(name="apple"), Label.objects.get(name="apples")
    RecipeTag.objects.filter(tag=apples).update(tag=apple)
    apples.delete()
    assert_true()


def test_generic_tags(db):
    dishes = [Dish.objects.create() for _ in range(2)]
    for dish in dishes:
        dish.tags.add("soup", "hot")
        assert_true()
        dish.labels.add("green", "sour")
        assert_true()
    assert Label.objects.get(name="green").use_count == 2
    dishes[0].tags.remove("hot")
    assert_true()
    dishes[0].labels.set(["sour", "sweet"])
    assert_true()
    dishes[1].tags.clear()
    assert_true()
    dishes[0].delete()
    assert_true()
    Label.objects.filter(name="sour").delete()
    assert_true()


def test_a_path_through_a_generic_model_is_refused():
    """The same is said by its rows: ``Count("tagged_items")``."""
    _, (error,) = compile_rules([Rule(Dish, "tag_count", Declaration(Count("tags")))])

    assert error.id == "syncfields.E001"
    assert "packages.Dish.tags is a TaggableManager" in error.message


def test_what_the_page_shows(db):
    Dish.objects.create().tags.add("soup", "hot")

    made = shown("django-taggit", globals())

    assert made.tagged_items.remote_field.model is TaggedItem
    assert_holds(made.tag_count, Dish, "tag_count")
