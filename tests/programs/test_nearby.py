"""What many new rows begin with, read of the rows next to them."""

from __future__ import annotations

import pytest

from tests.statements import sent
from tests.testapp.models import CopyBee, CopyHive
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("refer", ["all", "some", "none"])
def test_each_begins_with_what_its_own_row_says_if_it_has_one(refer):
    hives = [CopyHive.objects.create(name=name) for name in ("one", "two")]
    of = {"all": hives, "some": [*hives, None], "none": [None]}[refer]
    bees = [CopyBee(hive=of[number % len(of)]) for number in range(6)]

    with sent() as statements:
        CopyBee.objects.bulk_create(bees)

    assert_truth(CopyBee)
    assert not statements.updates(CopyBee)
    assert [each.hive_name for each in bees] == [each.hive and each.hive.name for each in bees]
