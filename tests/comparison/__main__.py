"""`python -m tests.comparison WAY`: print, as JSON, which writes leave the count right."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable

WRITES: dict[str, Callable[..., None]] = {}


def write(function: Callable[..., None]) -> Callable[..., None]:
    WRITES[function.__name__] = function
    return function


@write
def create(post, other, comments):
    post.comments.create()


@write
def save_elsewhere(post, other, comments):
    comments[0].post = other
    comments[0].save()


@write
def delete(post, other, comments):
    comments[0].delete()


@write
def delete_queryset(post, other, comments):
    post.comments.all().delete()


@write
def cascade(post, other, comments):
    comments[0].author.delete()


@write
def update(post, other, comments):
    post.comments.update(post=other)


@write
def bulk_create(post, other, comments):
    type(comments[0]).objects.bulk_create([type(comments[0])(post=post)])


@write
def bulk_update(post, other, comments):
    comments[0].post = other
    type(comments[0]).objects.bulk_update(comments[:1], ["post"])


@write
def sql(post, other, comments):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM comparison_comment WHERE id = %s", [comments[0].pk])


@write
def two_create(post, other, comments):
    """Two transactions at the same time."""
    together(post.comments.create, post.comments.create)


@write
def two_delete(post, other, comments):
    """The same row."""
    again = type(comments[0]).objects.get(pk=comments[0].pk)
    together(comments[0].delete, again.delete)


@write
def stale_delete(post, other, comments):
    """What an instance says of its row is over."""
    stale = type(comments[0]).objects.get(pk=comments[0].pk)
    comments[0].post = other
    comments[0].save()
    stale.delete()


def together(first: Callable[[], object], second: Callable[[], object]) -> None:
    from django.db import connection, transaction

    def act() -> None:
        with transaction.atomic():
            second()
        connection.close()

    thread = threading.Thread(target=act)
    with transaction.atomic():
        first()
        thread.start()
        time.sleep(0.5)
    thread.join()


def main() -> dict[str, str]:
    from django.apps import apps

    posts, authors = (
        apps.get_model("comparison", each)._default_manager for each in ("Post", "Author")
    )
    found = {}
    for name, act in WRITES.items():
        post, other = posts.create(), posts.create()
        comments = [post.comments.create(author=authors.create()) for _ in range(3)]
        settle()
        assert right(post, other), name
        act(post, other, comments)
        at_once = right(post, other)
        settle()
        found[name] = "at once" if at_once else "later" if right(post, other) else "wrong"
    return found


def right(*posts) -> bool:
    rows = [type(post).objects.get(pk=post.pk) for post in posts]
    return all(row.comment_count == row.comments.count() for row in rows)


def settle() -> None:
    if os.environ["SYNCFIELDS_TEST_WAY"] == "denorm":
        from denorm import flush

        flush()


def install() -> None:
    way = os.environ["SYNCFIELDS_TEST_WAY"]
    if way == "denorm":
        from denorm import denorms

        denorms.install_triggers()
    elif way == "pgtrigger":
        import pgtrigger

        pgtrigger.install()


if __name__ == "__main__":
    os.environ["SYNCFIELDS_TEST_WAY"] = sys.argv[1]
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.comparison.settings"
    import django
    from django.test.utils import setup_databases, teardown_databases

    django.setup()
    made = setup_databases(verbosity=0, interactive=False)
    try:
        install()
        print(json.dumps(main()))
    finally:
        teardown_databases(made, verbosity=0)
