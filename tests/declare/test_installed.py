"""Rules in a project that has forgotten the app: each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = """
import sys
import django
from django.conf import settings

settings.configure(INSTALLED_APPS={apps!r}, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
sys.path.insert(0, {folder!r})
django.setup()
from django.core.management import call_command
call_command("check")
"""
MODELS = """
from django.db import models
from django.db.models import Count
from syncfields import synced


class Post(models.Model):
    comment_count = synced(models.IntegerField(default=0), Count("comments"))


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
"""
CONFIG = """
from django.apps import AppConfig


class BlogConfig(AppConfig):
    name = "blog"

    def ready(self):
        from django.contrib.auth.models import Group
        from django.db.models import Count
        from syncfields import register

        register(Group, name=Count("user"))
"""


@pytest.fixture
def project(tmp_path):
    app = tmp_path / "blog"
    app.mkdir()
    (app / "__init__.py").touch()

    def run(*installed, **files):
        for name, text in files.items():
            (app / f"{name}.py").write_text(text)
        code = PROJECT.format(apps=list(installed), folder=str(tmp_path))
        return subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.parametrize(
    "files", [{"models": MODELS}, {"apps": CONFIG}], ids=["synced()", "register()"]
)
@pytest.mark.parametrize("others", [[], ["syncfields.admin"]], ids=["not at all", "half of it"])
def test_a_project_does_not_start_whose_rules_nothing_keeps(project, others, files):
    done = project("django.contrib.contenttypes", "django.contrib.auth", *others, "blog", **files)

    assert done.returncode != 0
    said = 'A rule is declared, but nothing keeps it: add "syncfields" to INSTALLED_APPS.'
    assert said in done.stderr


@pytest.mark.parametrize("installed", [("syncfields", "blog"), ("blog", "syncfields")])
def test_the_order_of_the_apps_does_not_matter(project, installed):
    assert project(*installed, models=MODELS).returncode == 0


def test_the_app_may_be_named_by_its_configuration(project):
    assert project("syncfields.apps.SyncFieldsConfig", "blog", models=MODELS).returncode == 0
