"""The page *Coming from other ways*: each guide is gone through in a project of its own. The old
code writes, the new code takes the database over, and an old process goes on beside it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.databases import configured

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {heading: BLOCK.findall(text) for heading, text in SECTION.findall(PAGE)}
BEFORE, AFTER = BLOCKS["From hand-written signals"]
DATABASE = os.environ.get("SYNCFIELDS_TEST_DATABASE") or "sqlite"

# Behind the others: CountField of denorm finds its relation when a further model is made.
DJANGOS = ["django.contrib.contenttypes", "django.contrib.auth"]
on_sqlite = pytest.mark.skipif(DATABASE != "sqlite", reason="once is enough")

OLD_WRITES = """
from blog.models import Comment, Post
one, other = Post.objects.create(title="one"), Post.objects.create(title="other")
for _ in range(3):
    Comment.objects.create(post=one)
Comment.objects.create(post=other)
Comment.objects.filter(post=other).first().delete()
"""
# No receiver hears of it.
PAST_IT = """
from blog.models import Comment, Post
Comment.objects.filter(pk=Comment.objects.earliest("pk").pk).update(
    post=Post.objects.get(title="other")
)
"""
# What an old process does after the others are new.
OLD_GOES_ON = """
from blog.models import Comment, Post
Comment.objects.create(post=Post.objects.get(title="one"))
"""
NEW_WRITES = """
from blog.models import Comment, Post
one, other = Post.objects.order_by("title")
Comment.objects.create(post=one)
Comment.objects.filter(post=one).order_by("pk")[0].delete()
comment = Comment.objects.filter(post=one).order_by("pk")[0]
comment.post = other
comment.save()
Comment.objects.bulk_create([Comment(post=one), Comment(post=other)])
"""
COUNTS = """
from blog.models import Post
print(*Post.objects.order_by("title").values_list("comment_count", flat=True))
"""


class Project:
    """Old and new processes: two folders with code for one database."""

    def __init__(self, folder):
        self.folder = folder
        self.database = self.configured(folder)

    def configured(self, folder):
        if DATABASE == "sqlite":
            name = str(folder / "db.sqlite3")
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": name}
        found = configured(DATABASE)["default"]
        return {**found, "NAME": f"{found['NAME']}_{folder.name}"[:60].replace("-", "_")}

    def code(self, name, models, apps, app="blog"):
        """A folder with the code of a version."""
        folder = self.folder / name
        (folder / app).mkdir(parents=True)
        (folder / app / "__init__.py").touch()
        (folder / app / "models.py").write_text(models, encoding="utf-8")
        database = {key: value for key, value in self.database.items() if key != "TEST"}
        pymysql = "import pymysql; pymysql.install_as_MySQLdb()\n" if DATABASE == "mariadb" else ""
        (folder / "settings.py").write_text(
            f"{pymysql}SECRET_KEY = 'tests'\nUSE_TZ = True\n"
            f"DATABASES = {{'default': {database!r}}}\n"
            "DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n"
            f"INSTALLED_APPS = {[*apps, app, *DJANGOS]!r}\n",
            encoding="utf-8",
        )
        return Code(folder)

    def create(self):
        self.sql("CREATE DATABASE {}")

    def drop(self):
        self.sql("DROP DATABASE IF EXISTS {}")

    def sql(self, statement):
        if DATABASE == "sqlite":
            return
        from django.db import connection

        with connection._nodb_cursor() as cursor:
            cursor.execute(statement.format(connection.ops.quote_name(self.database["NAME"])))


class Code:
    def __init__(self, folder):
        self.folder = folder

    def manage(self, *arguments, code=0):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder)]),
            "DJANGO_SETTINGS_MODULE": "settings",
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "django", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def run(self, text):
        shown = self.manage("shell", "-v", "0", "-c", text)
        return shown.split()

    def take_over(self, other):
        """The migrations that are there already."""
        migrations = Path("blog", "migrations")
        (self.folder / migrations).mkdir()
        for each in (other.folder / migrations).glob("*.py"):
            (self.folder / migrations / each.name).write_text(each.read_text())


@pytest.fixture
def project(tmp_path, request, django_db_setup, django_db_blocker):
    found = Project(tmp_path)
    with django_db_blocker.unblock():
        found.drop()
        found.create()
        yield found
        found.drop()


def old_and_new(project, models, apps):
    """The old version, with its tables and rows, and the new one, which has taken them over."""
    old = project.code("old", models, apps)
    new = project.code("new", AFTER, ["syncfields"])
    old.manage("makemigrations", "blog")
    old.manage("migrate")
    new.take_over(old)
    return old, new


def test_from_hand_written_signals(project):
    old, new = old_and_new(project, BEFORE, [])
    old.run(OLD_WRITES)
    old.run(PAST_IT)

    assert "Alter field comment_count" in new.manage("makemigrations")
    assert "BEGIN" not in re.sub("(?i)BEGIN;|COMMIT;", "", new.manage("sqlmigrate", "blog", "0002"))
    new.manage("check")
    found = new.manage("reconcile", "--check", code=1)
    assert "blog.Post.comment_count: 2 of 2 row(s) drifted" in found
    assert "blog.Post.last_comment_at: 1 of 2 row(s) drifted" in found

    new.manage("migrate")
    new.manage("reconcile")
    new.run(NEW_WRITES)
    before = list(map(int, new.run(COUNTS)))
    old.run(OLD_GOES_ON)

    assert list(map(int, new.run(COUNTS))) == [before[0] + 1, before[1]]
    new.manage("reconcile")
    new.manage("reconcile", "--check")


@on_sqlite
def test_what_was_forgotten_is_refused(project):
    """A receiver that is left beside the rule."""
    forgotten = AFTER + BEFORE[BEFORE.index("@receiver(post_save") :]
    imports = "from django.db.models import F\nfrom django.db.models.signals import *\n"
    imports += "from django.dispatch import receiver\n"
    new = project.code("new", imports + forgotten, ["syncfields"])
    new.manage("makemigrations", "blog")
    new.manage("migrate")
    text = """
from syncfields import SyncedFieldError
from blog.models import *
try:
    Comment.objects.create(post=Post.objects.create(title="one"))
except SyncedFieldError:
    print("refused")
"""

    assert new.run(text) == ["refused"]


@on_sqlite
@pytest.mark.skipif(not find_spec("computedfields"), reason="it is not installed")
def test_from_django_computedfields(project):
    (models,) = BLOCKS["From django-computedfields"]
    old, new = old_and_new(project, models, ["computedfields"])
    old.run(OLD_WRITES)
    old.run(PAST_IT)

    assert "No changes detected" in new.manage("makemigrations")
    found = new.manage("reconcile", "--check", code=1)
    assert "blog.Post.comment_count: 2 of 2 row(s) drifted" in found

    new.manage("reconcile")
    new.run(NEW_WRITES)
    before = list(map(int, new.run(COUNTS)))
    old.run(OLD_GOES_ON)

    assert list(map(int, new.run(COUNTS))) == [before[0] + 1, before[1]]
    new.manage("reconcile")
    new.manage("reconcile", "--check")


@pytest.mark.skipif(
    DATABASE != "postgresql" or not find_spec("denorm"),
    reason="it is not installed, or this is not PostgreSQL",
)
def test_from_django_denorm(project):
    (models,) = BLOCKS["From django-denorm"]
    old, new = old_and_new(project, models, ["denorm"])
    old.manage("denorm_init")
    old.run(OLD_WRITES)

    old.manage("denorm_flush")
    old.manage("migrate", "denorm", "zero")
    old.manage("denorm_drop")
    assert "Alter field" in new.manage("makemigrations")
    new.manage("migrate")
    new.manage("reconcile", "--check")
    new.run(NEW_WRITES)
    new.manage("reconcile", "--check")
    before = new.run(COUNTS)
    old.run(OLD_GOES_ON)

    assert new.run(COUNTS) == before, "nobody has kept it"
    assert "1 of 2 row(s) drifted" in new.manage("reconcile", "--check", code=1)
    new.manage("reconcile")
    new.manage("reconcile", "--check")


@on_sqlite
def test_from_counter_culture(project):
    """Rails writes by SQL: a row, and the count of its parent."""
    (models,) = BLOCKS["From counter_culture"]
    rails = project.code("rails", models.replace("managed = False", ""), ["syncfields"], "shop")
    django = project.code("django", models, ["syncfields"], "shop")
    rails.manage("makemigrations", "shop")
    rails.manage("migrate")
    text = """
from django.db import connection
def rails(*statements):
    with connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)
"""
    insert = "INSERT INTO products (category_id, is_special, weight) VALUES (1, {true}, 5)"
    update = (
        "UPDATE categories SET products_count = products_count + 1,"
        " special_count = special_count + 1, weight_sum = weight_sum + 5 WHERE id = 1"
    )
    insert = insert.format(true="1" if DATABASE != "postgresql" else "true")
    django.run("from shop.models import *\nCategory.objects.create(name='tools')")

    django.run(f"{text}rails({insert!r}, {update!r})")
    django.run("from shop.models import *\nProduct.objects.create(category_id=1, weight=2)")
    django.run(f"{text}rails({insert!r}, {update!r})")

    shown = "from shop.models import *\nc = Category.objects.get()\n"
    shown += "print(c.products_count, c.special_count, c.weight_sum)"
    assert django.run(shown) == ["3", "2", "12"]
    django.manage("reconcile", "--check")
    django.run(f"{text}rails('DELETE FROM products WHERE weight = 2')")  # delete_all
    assert "products_count: 1 of 1 row(s) drifted" in django.manage("reconcile", "--check", code=1)
    django.manage("reconcile", "shop.Category")
    assert django.run(shown) == ["2", "2", "10"]
