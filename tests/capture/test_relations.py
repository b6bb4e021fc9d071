"""Many-to-many relations are followed where they are Django's. No database is needed."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count
from django.db.models.fields.related import RelatedField
from django.db.models.fields.reverse_related import ManyToManyRel
from django.test.utils import isolate_apps

from syncfields.capture import relations
from syncfields.declare.rules import Declaration, Rule
from syncfields.maintenance.changes import Change, Learnt
from syncfields.memory import instances
from syncfields.plan.compiler import compile_rules


class OwnAccessor:
    """What a package gives instead of Django's descriptor."""

    def __get__(self, instance, owner):
        return self


class OwnManyToMany(models.ManyToManyField):
    def contribute_to_class(self, cls, name, **kwargs):
        super().contribute_to_class(cls, name, **kwargs)
        setattr(cls, name, OwnAccessor())


class Tags(RelatedField):
    """As the TaggableManager of django-taggit: listed among the many-to-many fields, and none."""

    many_to_many = True
    many_to_one = one_to_many = one_to_one = False

    def __init__(self, to, through, related_name):
        rel = ManyToManyRel(self, to, through=through, related_name=related_name)
        super().__init__(rel=rel, null=True)

    def contribute_to_class(self, cls, name, **kwargs):
        self.set_attributes_from_name(name)
        self.model = self.opts = cls
        cls._meta.add_field(self)
        setattr(cls, name, OwnAccessor())
        self.remote_field.through = cls._meta.apps.get_model("testapp", "Use", require_ready=False)


@pytest.mark.parametrize("kind", [OwnManyToMany, Tags])
def test_a_field_that_only_looks_like_one_is_left_alone(monkeypatch, kind):
    with isolate_apps("tests.testapp"):

        class Label(models.Model):
            name = models.CharField(max_length=9)
            use_count = models.IntegerField(default=0)
            last_name = models.CharField(max_length=9, null=True)

            class Meta:
                app_label = "testapp"

        class Use(models.Model):
            label = models.ForeignKey(Label, models.CASCADE, related_name="uses")
            picture = models.ForeignKey("Picture", models.CASCADE, related_name="uses")

            class Meta:
                app_label = "testapp"

        class Picture(models.Model):
            labels = kind(Label, through=Use, related_name="pictures")
            name = models.CharField(max_length=9)
            last_label = models.CharField(max_length=9, null=True)

            class Meta:
                app_label = "testapp"

        plan, found = compile_rules(
            [
                Rule(Label, "use_count", Declaration(Count("uses"))),
                Rule(Label, "last_name", Declaration(models.Max("uses__picture__name"))),
                Rule(Picture, "last_label", Declaration(models.Max("uses__label__name"))),
            ]
        )
        monkeypatch.setattr(instances.registry, "plan", lambda: plan)

        assert found == []
        assert list(relations.many_to_many(Use)) == []
        relations.attach(plan)
        for model in (Label, Use, Picture):
            instances.find_views(
                Change(model, "update", Learnt(columns=frozenset({"name", "label_id"})))
            )
