"""What docs/comparison.md says of other ways, tried with those that are installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.exceptions import FieldError
from django.db import connection, models
from django.db.models import Count
from django.test.utils import isolate_apps

from tests.testapp.models import Blog, Post

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "comparison.md"
POSTGRESQL = pytest.mark.skipif(
    os.environ.get("SYNCFIELDS_TEST_DATABASE") != "postgresql",
    reason="the others are compared on PostgreSQL",
)
WRITES = {
    "create": "`create()`",
    "save_elsewhere": "`save()` with another post",
    "delete": "`delete()` of an instance",
    "delete_queryset": "`QuerySet.delete()`",
    "cascade": "a cascade",
    "update": "`update()`",
    "bulk_create": "`bulk_create()`",
    "bulk_update": "`bulk_update()`",
    "sql": "SQL past Django",
    "two_create": "two transactions that create",
    "two_delete": "two that delete the same row",
    "stale_delete": "`delete()` of a stale instance",
}
BULK = {"update", "bulk_create", "bulk_update", "sql"}
WRONG = {
    "syncfields": {"sql"},
    "pgtrigger": set(),
    "receivers": {"save_elsewhere", *BULK, "two_delete"},
    "computedfields": {*BULK, "two_create"},
    "denorm": set(),
    "counter": {"save_elsewhere", *BULK, "two_delete"},
    "denormalized": {*BULK, "two_delete", "stale_delete"},
}
"""The writes that leave a wrong count."""
MODULES = {"counter": "django_counter_cache_field", "receivers": "django"}


def expected(way):
    right = "later" if way == "denorm" else "at once"
    return {name: "wrong" if name in WRONG[way] else right for name in WRITES}


def test_the_page_says_what_was_tried():
    rows = re.findall(r"^\| (.+?) \|((?: [a-z ]+ \|)+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    written = {name: [each.strip() for each in cells.split("|")[:-1]] for name, cells in rows}

    assert {each: written.get(each) for each in WRITES.values()} == {
        title: [expected(way)[name] for way in WRONG] for name, title in WRITES.items()
    }


@POSTGRESQL
@pytest.mark.parametrize("way", WRONG)
def test_which_writes_leave_the_count_right(way):
    if find_spec(MODULES.get(way, way)) is None:
        pytest.skip("not installed")

    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.comparison", way],
        cwd=ROOT,
        env={
            **os.environ,
            "SYNCFIELDS_TEST_SUFFIX": f"{os.environ.get('SYNCFIELDS_TEST_SUFFIX', '')}_{way}",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == expected(way)


@isolate_apps("tests.testapp")
def test_a_generated_field_is_of_one_row():
    class Own(models.Model):
        blog = models.ForeignKey(Blog, models.CASCADE)
        name = models.GeneratedField(
            expression=models.F("blog__name"),
            output_field=models.TextField(),
            db_persist=True,
        )

        class Meta:
            app_label = "testapp"

    with pytest.raises(FieldError, match="Joined field references are not permitted"):
        Own._meta.get_field("name").generated_sql(connection)


@POSTGRESQL
@pytest.mark.django_db
def test_a_materialized_view_is_old_until_it_is_refreshed():
    blog = Blog.objects.create(name="one")
    counts = Blog.objects.filter(pk=blog.pk).annotate(n=Count("posts", distinct=True)).values("n")
    text, params = counts.query.sql_with_params()

    def read():
        cursor.execute("SELECT n FROM comparison_counts")
        return cursor.fetchall()

    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE MATERIALIZED VIEW comparison_counts AS {text}".replace("%s", "{}").format(
                *params
            )
        )
        Post.objects.create(blog=blog)
        before = read()
        cursor.execute("REFRESH MATERIALIZED VIEW comparison_counts")

        assert (before, read()) == ([(0,)], [(1,)])
