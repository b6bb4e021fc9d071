"""Values of many targets asked of sources that are grouped before they are joined."""

from __future__ import annotations

import pytest
from django.db import models

from syncfields import drift
from syncfields.scans import Rows
from syncfields.selection import plan_tasks
from tests.menagerie import populate
from tests.testapp.models import Post, Restaurant, Shelf

pytestmark = pytest.mark.django_db

SCANS = [(task.model, scan) for task in plan_tasks((), None) for scan in task.scans if scan.path]


def test_some_rules_are_asked_that_way():
    assert len(SCANS) > 10
    assert {Post, Restaurant, Shelf} <= {model for model, _ in SCANS}


def test_the_values_are_those_of_annotate():
    populate()
    for model, scan in SCANS:
        rows = models.QuerySet(model).order_by("pk")
        pks = list(rows.values_list("pk", flat=True))
        truths = {
            (name, pk): value
            for name, expression in scan.values.items()
            for pk, value in rows.annotate(_truth=expression).values_list("pk", "_truth")
        }
        for chosen, expected in (
            (Rows(model, "default", pks), pks),
            (Rows(model, "default", last=pks[-1]), pks),
            (Rows(model, "default", after=pks[0], last=pks[-1]), pks[1:]),
            (Rows(model, "default", pks * 60), pks),  # Any number of keys, as one value.
        ):
            found = {
                (name, pk): drifts[name].expected
                for pk, drifts in drift.compared(scan, chosen)
                for name in drifts
            }

            assert found == {
                (name, pk): truths[name, pk] for name in scan.values for pk in expected
            }, (model, scan)
