"""docs/checks.md: what a block marks as wrong is found by the check of its heading and by no other,
what it marks as right by none; and the message is one that the page quotes.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.checks.registry import registry as known_checks
from django.db import connection
from django.db.utils import ConnectionHandler
from django.test import override_settings
from django.test.utils import isolate_apps

from syncfields.checks import declarations
from syncfields.declare.rules import collect, registered
from syncfields.plan import registry
from tests.ownmodels import tables
from tests.pages.blocks import ROOT, Block, block, blocks, compiled

PAGE = "docs/checks.md"
MARK = re.compile(r"# (wrong|right)\b")
MESSAGE = re.compile(r"(?:^> .*\n)+", re.MULTILINE)
APP = re.compile(r"\b([a-z]+)\.[A-Z]")

IMPORTS = """
from django.contrib.auth.models import User
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Avg, Count, Exists, F, Max, OuterRef, Q, Sum, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now, Rank, TruncDate, TruncDay, Upper
from django.db.models.sql import InsertQuery
from syncfields import Tally, register, synced
"""
BLOG = """
class Blog(models.Model):
    name = models.CharField(max_length=50)
    owner = models.ForeignKey(User, models.CASCADE)
    open = models.BooleanField(default=True)
    {Blog}


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
    score = models.IntegerField(default=0)
    words = models.IntegerField(default=0)
    is_public = models.BooleanField(default=True)
    {Post}


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="comments")
"""
IN_BLOG = BLOG.format(Blog="{block}", Post="")
IN_POST = BLOG.format(Blog="", Post="{block}")
COUNTED = "post_count = synced(models.IntegerField(default=0), Count('posts'))"
AFTER_BLOG = BLOG.format(Blog=COUNTED, Post="") + "\n{block}"
AROUND = {
    "E001": IN_POST,
    "E002": IN_BLOG,
    "E003": IN_BLOG,
    "E004": IN_BLOG,
    "E005": IN_POST,
    "E006": "{block}",
    "E007": IN_BLOG,
    "E008": IN_BLOG,
    "E009": IN_POST,
    "E010": AFTER_BLOG,
    "E011": IN_BLOG,
    "E012": """
{block}

class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
    words = models.IntegerField(default=0)
""",
    "E013": IN_BLOG,
    "E014": AFTER_BLOG,
    "E015": """
class Shelf(models.Model):
    {block}

class Book(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="books")
    due = models.DateTimeField()
    is_late = models.BooleanField()
""",
    "E016": """
class Shelf(models.Model):
    {block}

class Book(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="books")
    pages = models.IntegerField()
""",
    "E017": """
class EncryptedField(models.CharField):
    def from_db_value(self, value, expression, connection):
        return value[::-1]

class Member(models.Model):
    secret_email = EncryptedField(max_length=200)

class Account(models.Model):
    user = models.ForeignKey(Member, models.CASCADE)
    {block}
""",
    "E018": """
class Post(models.Model):
    {block}

class Reader(models.Model):
    post = models.ForeignKey(Post, models.CASCADE)
""",
    "E019": """
class Invoice(models.Model):
    file = models.FileField(null=True)

class Order(models.Model):
    invoice = models.ForeignKey(Invoice, models.CASCADE)
    {block}
""",
    "E020": """
class Person(models.Model):
    name = models.CharField(max_length=80)

class Post(models.Model):
    {block}
""",
    "E023": """
class Event(models.Model):
    at = models.DateTimeField()

class Shop(models.Model):
    event = models.ForeignKey(Event, models.CASCADE, null=True)
    {block}
""",
    "W001": AFTER_BLOG,
    "W002": """
{block}

class Blog(models.Model):
    entry_count = synced(models.IntegerField(default=0), Count("entries"))

class Entry(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="entries")
    deleted = models.BooleanField(default=False)
    objects = (Quiet if "Quiet" in globals() else Seen).as_manager()
""",
    "W003": """
{block}

class Post(models.Model):
    tags = GenericRelation(Tag)
    tag_count = synced(models.IntegerField(default=0), Count("tags"))
""",
    "W004": """
class Blog(models.Model):
    {block}

class Visit(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="visits")
    user = models.ForeignKey(User, models.CASCADE)

class Reader(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE)

    class Meta:
        managed = False
""",
    "W005": """
{block}

class Post(Counted):
    pass

class Vote(models.Model):
    post = models.ForeignKey(Post, models.CASCADE, related_name="votes")
""",
    "W007": """
class Order(models.Model):
    {block}

class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    price = models.IntegerField()
""",
}
"""The code that a block is a part of."""


SETTINGS = {
    "E010": lambda **names: {"DATABASE_ROUTERS": [names.get("Router", names.get("OneDatabase"))()]},
    "E014": lambda **names: {"SYNCFIELDS": names["SYNCFIELDS"]},
    "E023": lambda **names: {"TIME_ZONE": "Europe/Berlin"},
}
"""The settings with which the checks are run, made of what the block leaves behind."""


def alternatives(block: Block) -> list[Any]:
    """The block as often as it marks a statement, each time without the other marked ones."""
    lines = block.text.splitlines()
    marked = {
        number: (statement_at(block.text, number), match[1])
        for number, line in enumerate(lines, 1)
        if (match := MARK.search(line))
    }
    id = block.heading.removeprefix("syncfields.")
    found = []
    for number, (_, kind) in marked.items():
        others = {each for n, (span, _) in marked.items() if n != number for each in span}
        text = "\n".join(line for n, line in enumerate(lines, 1) if n not in others)
        mark = pytest.mark.block(*block[:3])
        name = f"{id}-{kind}-{number}"
        found.append(pytest.param(id, text, kind == "wrong", marks=mark, id=name))
    return found


def statement_at(text: str, number: int) -> range:
    """The lines of the smallest statement that has a line."""
    spans = [
        range(node.lineno, node.end_lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and node.lineno <= number <= node.end_lineno
    ]
    return min(spans, key=len)


def placed(id: str, text: str) -> str:
    """The block within what is around it, as deep as its place is."""
    return re.sub(
        r"^( *)\{block\}$",
        lambda match: textwrap.indent(text, match[1]),
        AROUND[id],
        flags=re.MULTILINE,
    )


@contextmanager
def project(app: str, code: str) -> Iterator[dict[str, Any]]:
    """An app with these models, whose rules are the only ones."""
    names: dict[str, Any] = {"__name__": f"{app}.models"}
    known = registered[:]
    with isolate_apps(app, kwarg_name="apps") as apps, pytest.MonkeyPatch.context() as patch:
        del registered[:]
        patch.setattr(registry, "collect", lambda: collect(apps))
        try:
            exec(compiled(IMPORTS + code, PAGE), names)
            registry.rebuild()
            yield names
        finally:
            registered[:] = known
            patch.undo()
            registry.rebuild()


def quoted(id: str) -> list[str]:
    """The messages that a section quotes."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    section = page.partition(f"\n## syncfields.{id}\n")[2].partition("\n## ")[0]
    return [" ".join(each.replace("\n> ", " ")[2:].split()) for each in MESSAGE.findall(section)]


def is_quoted(id: str, message: str) -> bool:
    """Whether it is a message that the section quotes, where "..." stands for anything."""
    patterns = [re.escape(each).replace(r"\.\.\.", ".+") for each in quoted(id)]
    return any(re.fullmatch(each, message) for each in patterns)


def found() -> list[Any]:
    """What the checks of syncfields say, those of a deployment and of databases, too."""
    return [
        message
        for check in known_checks.get_checks(include_deployment_checks=True)
        if check.__module__.startswith("syncfields.")
        for message in check(app_configs=None, databases=["default"])
    ]


@pytest.mark.parametrize(
    ("id", "text", "is_wrong"),
    [
        each
        for block in blocks(PAGE)
        if block.heading != "syncfields.W006"
        for each in alternatives(block)
    ],
)
def test_what_is_wrong_is_found_and_what_is_right_is_not(id, text, is_wrong, db, monkeypatch):
    if id == "W004":
        connection.cursor().execute("CREATE VIEW blog_reader AS SELECT 1 AS id, 1 AS blog_id")

    app = APP.search(" ".join(quoted(id)))
    with project(app[1] if app else "blog", placed(id, text)) as names:
        if id == "W001":
            monkeypatch.setattr(declarations, "connections", ConnectionHandler(names["DATABASES"]))
        with override_settings(**SETTINGS.get(id, lambda **names: {})(**names)):
            messages = found()

    assert {each.id for each in messages} == ({f"syncfields.{id}"} if is_wrong else set()), messages
    assert [each.msg for each in messages if not is_quoted(id, each.msg)] == []


def test_each_block_marks_what_is_wrong_and_what_is_right():
    kinds = {block.heading: {*MARK.findall(block.text)} for block in blocks(PAGE)}

    assert {each: kind for each, kind in kinds.items() if kind != {"wrong", "right"}} == {}


UPSERTS = """
class PostgresQuerySet(models.QuerySet):
    def upsert(self, conflict_target, fields):
        query = InsertQuery(self.model)
        rows = [self.model(**fields)]
        query.insert_values([self.model._meta.get_field(each) for each in fields], rows)
        query.get_compiler(self.db).execute_sql()

    def bulk_upsert(self, conflict_target, rows):
        for each in rows:
            self.upsert(conflict_target, each)


class Blog(models.Model):
    post_count = synced(models.IntegerField(default=0), Count("posts"))

    class Meta:
        db_table = "blogs"


class Post(models.Model):
    blog = models.ForeignKey(Blog, models.CASCADE, related_name="posts")
    slug = models.SlugField(unique=True)
    objects = PostgresQuerySet.as_manager()

    class Meta:
        db_table = "posts"
"""
"""A manager that goes past Django, as that of django-postgres-extra."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("id", "text", "is_wrong"), alternatives(block(PAGE, "syncfields.W006")))
def test_w006_is_about_what_is_called_and_not_about_models(id, text, is_wrong, django_db_blocker):
    with (
        project("blog", UPSERTS) as names,
        tables(django_db_blocker, [names["Blog"], names["Post"]]),
    ):
        names["blog"] = names["Blog"].objects.create()

        exec(compiled(text, PAGE), names)

        assert names["Post"].objects.count() == 1
        assert names["Blog"].objects.get().post_count == (0 if is_wrong else 1)
        (message,) = found()
        assert message.id == "syncfields.W006"
        assert is_quoted("W006", message.msg)
