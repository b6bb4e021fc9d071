"""A wrapped method is called as Django's own is, whoever calls it: by position and by name."""

from __future__ import annotations

import inspect

import pytest
from django.db import models
from django.db.models import QuerySet
from django.db.models.deletion import Collector
from django.db.models.sql import DeleteQuery, UpdateQuery

from syncfields.capture.wrapping import MARK
from syncfields.testing import assert_in_sync
from tests.testapp.models import Book, Shelf

WRAPPED = [
    (owner, name)
    for owner in (models.Model, QuerySet, Collector, DeleteQuery, UpdateQuery)
    for name, method in vars(owner).items()
    if hasattr(method, MARK)
]
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@pytest.mark.parametrize(("owner", "name"), WRAPPED)
def test_it_takes_what_the_method_takes(owner, name):
    wrapper = getattr(owner, name)
    own = inspect.signature(wrapper, follow_wrapped=False)
    positional = inspect.getfullargspec(getattr(wrapper, MARK)).args
    names = [
        parameter.name
        for parameter in inspect.signature(getattr(wrapper, MARK)).parameters.values()
        if parameter.kind in NAMED
    ]

    own.bind(**dict.fromkeys(names))
    own.bind(*positional)


def by_name(method):
    """The method, called with each of its arguments by name, as some packages do."""
    signature = inspect.signature(method)

    def call(self, *args, **kwargs):
        given = signature.bind(self, *args, **kwargs).arguments
        del given["self"]
        return method(self, **given)

    return call


@pytest.fixture
def calls_by_name(monkeypatch):
    for model in (Shelf, Book):
        for name in ("save_base", "_do_insert", "_do_update"):
            monkeypatch.setattr(model, name, by_name(getattr(models.Model, name)))


@pytest.mark.django_db
@pytest.mark.usefixtures("calls_by_name")
def test_rows_are_saved_by_overrides_that_name_their_arguments():
    shelf = Shelf.objects.create()
    book = Book.objects.create(shelf=shelf, pages=5)
    assert_in_sync(Shelf)
    book.pages = 9
    book.save()
    assert_in_sync(Shelf)
    assert Shelf.objects.values_list("book_count", "page_sum").get() == (1, 9)
