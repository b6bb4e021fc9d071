"""Related managers are wrapped where they are Django's. No database is needed."""

from __future__ import annotations

from django.db import models
from django.db.models import Count
from django.test.utils import isolate_apps

from syncfields.capture import relations
from syncfields.compiler import compile_rules
from syncfields.rules import Declaration, Rule


class OwnAccessor:
    """What a package gives instead of Django's descriptor."""

    def __get__(self, instance, owner):
        return self


class OwnManyToMany(models.ManyToManyField):
    def contribute_to_class(self, cls, name, **kwargs):
        super().contribute_to_class(cls, name, **kwargs)
        setattr(cls, name, OwnAccessor())


def test_a_field_with_an_accessor_of_its_own_is_left_alone():
    with isolate_apps("tests.testapp"):

        class Label(models.Model):
            use_count = models.IntegerField(default=0)

            class Meta:
                app_label = "testapp"

        class Picture(models.Model):
            labels = OwnManyToMany(Label, through="Use", related_name="pictures")

            class Meta:
                app_label = "testapp"

        class Use(models.Model):
            label = models.ForeignKey(Label, models.CASCADE, related_name="uses")
            picture = models.ForeignKey(Picture, models.CASCADE)

            class Meta:
                app_label = "testapp"

        plan, found = compile_rules([Rule(Label, "use_count", Declaration(Count("uses")))])

        assert found == []
        assert list(relations.many_to_many(Use)) == []
        relations.attach(plan)
