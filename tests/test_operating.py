"""The recipe for Prometheus on the page about operating is run as it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncfields.signals import drift_found
from tests.menagerie import write_behind
from tests.test_docs import BLOCK
from tests.testapp.models import Book, Shelf

client = pytest.importorskip("prometheus_client")

PAGE = Path(__file__).parents[1] / "docs" / "operating.md"


@pytest.fixture
def recipe():
    (text,) = (
        block for _, block in BLOCK.findall(PAGE.read_text("utf-8")) if "prometheus" in block
    )
    names, known = {}, drift_found.receivers[:]
    exec(text, names)
    yield names
    drift_found.receivers[:] = known
    drift_found.sender_receivers_cache.clear()
    for each in (names["HEALED"], names["DRIFTED"]):
        client.REGISTRY.unregister(each)


@pytest.mark.django_db
def test_what_prometheus_is_told(recipe):
    label = {"rule": "testapp.Shelf.book_count"}
    shelf = Shelf.objects.create()
    Book.objects.create(shelf=shelf)
    write_behind(Shelf, book_count=0)

    recipe["look"]()
    drifted = client.REGISTRY.get_sample_value("syncfields_drifted", label)
    shelf.books.all().delete()  # A count cannot be -1.

    assert drifted == 1
    assert client.REGISTRY.get_sample_value("syncfields_healed_total", label) == 1
