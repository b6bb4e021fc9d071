"""Which joins are known: Django's relations, and those made of them. No database is needed."""

from __future__ import annotations

import pytest
from django.db import models
from django.db.models import Count, F
from django.db.models.query_utils import PathInfo
from django.test.utils import isolate_apps

from syncfields.compiler import compile_rules
from syncfields.rules import Declaration, Rule


class OwnKey(models.ForeignKey):
    """A foreign key of a package that joins as Django's does."""


class NarrowKey(models.ForeignKey):
    """One that joins some of the rows only."""

    def get_extra_restriction(self, alias, related_alias):
        raise NotImplementedError


class Jump(models.ManyToManyField):
    """One that joins in a way of its own, as tags through a generic relation do."""

    def get_reverse_joining_fields(self):
        return ((self.model._meta.pk, self.remote_field.model._meta.pk),)

    @property
    def path_infos(self):
        near, far = self.model._meta, self.remote_field.model._meta
        return [PathInfo(near, far, (far.pk,), self.remote_field, True, False, None)]


@pytest.fixture
def owner():
    with isolate_apps("tests.testapp"):

        class Owner(models.Model):
            size = models.IntegerField(default=0)
            jumps = Jump("Thing")

            class Meta:
                app_label = "testapp"

        class Thing(models.Model):
            own = OwnKey(Owner, models.CASCADE, related_name="own_things")
            narrow = NarrowKey(Owner, models.CASCADE, related_name="narrow_things")
            size = models.IntegerField(default=0)

            class Meta:
                app_label = "testapp"

        yield Owner


def errors(model, expression):
    return compile_rules([Rule(model, "size", Declaration(expression))])[1]


def test_a_key_that_joins_as_djangos_does_is_known(owner):
    thing = owner._meta.apps.get_model("testapp", "Thing")

    assert errors(owner, Count("own_things")) == []
    assert errors(thing, F("own__size")) == []


@pytest.mark.parametrize(
    ("lookup", "culprit"),
    [
        ("narrow_things", "testapp.Thing.narrow is a NarrowKey"),
        ("jumps", "testapp.Owner.jumps is a Jump"),
    ],
)
def test_e001_another_join_is_refused(owner, lookup, culprit):
    (error,) = errors(owner, Count(lookup))

    assert error.id == "syncfields.E001"
    assert error.message == (
        f"The expression of testapp.Owner.size cannot be resolved: {culprit}, and what it joins "
        "cannot be seen from outside."
    )
    assert error.hint == (
        "Name the rows between by relations of Django's own, for instance a GenericRelation: "
        'Count("tagged_items"), not Count("tags").'
    )


def test_e001_another_join_is_refused_forwards_too(owner):
    thing = owner._meta.apps.get_model("testapp", "Thing")

    (error,) = errors(thing, F("narrow__size"))

    assert error.id == "syncfields.E001"
