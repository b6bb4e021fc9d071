"""Deltas of many targets: the same amounts are written together."""

from __future__ import annotations

import pytest
from django.db import connection

from syncfields import coalesce
from syncfields.targets.updates import sorted_pks
from tests.statements import sent
from tests.testapp import models as zoo
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [1, 2, 3, 12, 40, 70, 600])
@pytest.mark.parametrize("alike", [True, False])
def test_any_number_of_targets_and_amounts(count, alike):
    tills = zoo.Till.objects.bulk_create(zoo.Till() for _ in range(count))

    def receipts():
        for number, till in enumerate(tills):
            amount = 3 if alike else number + 1
            yield zoo.Receipt(till=till, amount=amount, tip=-2 * amount)

    zoo.Receipt.objects.bulk_create(receipts())

    assert_truth(zoo.Till)
    with coalesce():
        for receipt in zoo.Receipt.objects.all()[:50]:
            receipt.delete()
    assert_truth(zoo.Till)


def test_rows_that_contribute_different_amounts_to_one_target_are_summed_up():
    tills = zoo.Till.objects.bulk_create(zoo.Till() for _ in range(3))
    zoo.Receipt.objects.bulk_create(
        zoo.Receipt(till=tills[number % 3], amount=number, tip=-(number**2)) for number in range(30)
    )

    zoo.Receipt.objects.filter(amount__gt=20).delete()
    assert_truth(zoo.Till)
    zoo.Receipt.objects.filter(amount__gt=10).update(tip=7)
    assert_truth(zoo.Till)
    zoo.Receipt.objects.filter(amount__lt=5).update(till=tills[0], amount=9)

    assert_truth(zoo.Till)


@pytest.mark.parametrize(
    ("pages", "updates"), [(lambda n: 3, (1, 2)), (lambda n: n % 7, (1, 2)), (lambda n: n, (2, 2))]
)
def test_targets_to_which_the_same_is_added_are_written_together(pages, updates):
    shelves = [zoo.Shelf() for _ in range(600)]
    zoo.Shelf.objects.bulk_create(shelves)

    with sent() as statements:
        zoo.Book.objects.bulk_create(
            zoo.Book(shelf=shelf, pages=pages(number)) for number, shelf in enumerate(shelves, 1)
        )

    takes_many = connection.vendor in ("postgresql", "sqlite")
    written = [sql for sql in statements.sql if sql.startswith("UPDATE")]
    assert len(written) == updates[0 if takes_many else 1]
    assert_truth()

    zoo.Book.objects.update(pages=5)
    assert_truth()
    zoo.Book.objects.all().delete()
    assert_truth()


def test_keys_that_cannot_be_compared_have_an_order_all_the_same():
    keys = [(1, 2), (1, None), ("a", 2)]

    found = sorted_pks(keys)

    assert sorted_pks(keys[::-1]) == found
    assert set(found) == set(keys)
