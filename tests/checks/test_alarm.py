"""A rule with an error is nowhere silent: a project with a typo, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = """
INSTALLED_APPS = ["syncfields", "shaky"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "shaky"
"""
MODELS = """
from django.db import models
from django.db.models import Count
from syncfields import synced

class Bar(models.Model):
    good = synced(models.IntegerField(default=0), Count("bazes"))
    bad = synced(models.IntegerField(default=0), Count("bzes"))

class Baz(models.Model):
    bar = models.ForeignKey(Bar, models.CASCADE, related_name="bazes")
"""
TABLES = """
import django
django.setup()
from django.db import connection
from shaky.models import Bar, Baz
with connection.schema_editor() as editor:
    editor.create_model(Bar)
    editor.create_model(Baz)
"""
SAID = "syncfields.E001: The expression of shaky.Bar.bad cannot be resolved: "


@pytest.fixture
def shaky(tmp_path):
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "shaky").mkdir()
    (tmp_path / "shaky" / "__init__.py").touch()
    (tmp_path / "shaky" / "models.py").write_text(MODELS)

    def run(*arguments):
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "settings"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_server_says_it_once_when_it_starts(shaky):
    result = shaky(
        "-c",
        "from django.core.wsgi import get_wsgi_application; get_wsgi_application();"
        "from syncfields import registry; registry.rebuild()",
    )

    assert result.stderr.count(SAID) == 1
    assert "Name relations as a lookup does" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "times"), [(["check"], 0), (["shell", "--skip-checks", "-c", "0"], 1)]
)
def test_a_command_that_runs_the_checks_says_it_only_there(shaky, arguments, times):
    result = shaky("-m", "django", *arguments)

    assert result.stderr.count(SAID) == times
    assert result.stderr.count("(syncfields.E001)") == (not times)


def test_nothing_says_that_its_field_is_right(shaky):
    result = shaky(
        "-c",
        TABLES
        + """
from syncfields import reconcile
from syncfields.exceptions import BrokenRules
from syncfields.testing import assert_in_sync

Baz.objects.create(bar=Bar.objects.create())
for selection in [(), ["shaky"], ["shaky.Bar"], ["shaky.Bar.bad"], [Bar], [Bar.objects.all()]]:
    for look in (assert_in_sync, reconcile, lambda *names: reconcile(*names, check=True)):
        try:
            look(*selection)
        except BrokenRules as error:
            assert str(error).startswith("syncfields.E001: The expression of shaky.Bar.bad"), error
            assert [rule.label for each in error.errors for rule in each.rules] == ["shaky.Bar.bad"]
        else:
            raise AssertionError(selection)
assert_in_sync("shaky.Bar.good")
assert reconcile("shaky.Bar.good").ok
""",
    )

    assert result.returncode == 0, result.stderr


def test_its_field_is_written_by_nobody(shaky):
    result = shaky(
        "-c",
        TABLES
        + """
from syncfields import SyncedFieldError, unsynced

bar = Bar.objects.create()
bar.bad = 5
for write in (
    lambda: Bar.objects.update(bad=5),
    lambda: Bar.objects.bulk_update([bar], ["bad"]),
    lambda: bar.save(update_fields=["bad"]),
):
    try:
        write()
    except SyncedFieldError as error:
        assert "shaky.Bar.bad has a rule that is not kept" in str(error), error
    else:
        raise AssertionError
bar.save()
assert Bar.objects.get().bad == 0
with unsynced(reconcile=True):
    Bar.objects.update(bad=5)
    bar.bad = 6
    bar.save()
assert Bar.objects.get().bad == 6
""",
    )

    assert result.returncode == 0, result.stderr
