from __future__ import annotations

import pytest

from tests.testapp.models import Book, Publisher, Shelf


@pytest.fixture
def shelves(db):
    shelves = [Shelf.objects.create() for _ in range(3)]
    for shelf in shelves:
        Book.objects.create(shelf=shelf, publisher=Publisher.objects.create())
    return shelves
