"""One UPDATE does another thing to each column of each row, whatever it does to the others."""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from hypothesis import given
from hypothesis import strategies as st

from syncfields.sql import statements
from syncfields.sql.locks import lock
from syncfields.sql.one_statement import is_possible, written_together
from syncfields.targets import evaluating, writing
from syncfields.targets.updates import Update
from tests.hub.models import Author, Blog, Comment, Post, Topic
from tests.hub.truth import post as truth_of
from tests.truth import Snapshot
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
ADDED = ("comment_count", "public_count", "active_count", "score_sum")
EXTREMES = {"best": "gt", "first_at": "lt", "last_at": "gt"}
OTHERS = ("rating_sum", "score_avg")
NAMES = (*ADDED, *EXTREMES, *OTHERS)
LESS = dict.fromkeys(ADDED, 1) | {"rating_sum": -5, "score_avg": 0.25}
"""What is stored beside what is right, so that it is seen what is evaluated."""


def at(number):
    return NOON + dt.timedelta(hours=number)


def value_of(name, number):
    return at(number) if name.endswith("_at") else number


def better(lookup, one, other):
    return one > other if lookup == "gt" else one < other


@pytest.fixture(scope="module", autouse=True)
def posts(django_db_setup, django_db_blocker):
    """Of some comments each, but for one that has none."""
    with django_db_blocker.unblock():
        blog, author, topic = (model.objects.create() for model in (Blog, Author, Topic))
        made = [Post.objects.create(blog=blog) for _ in range(6)]
        for number in range(15):
            post = made[1 + number % 5]
            Comment.objects.create(
                post=post,
                author=author,
                topic=topic,
                is_public=number % 3 == 0,
                score=number % 7,
                rating=number if number % 2 else None,
                created=at(number),
            )
        yield
        for each in (blog, author, topic):
            each.delete()


def truths(pks):
    rows = Snapshot("default")
    return {pk: truth_of(rows, rows.one(Post, id=pk)) for pk in pks}


def drawn(random, pks, stored):
    """An UPDATE, and what each row is to hold after it where it is told."""
    # What was evaluated already is all that there was to evaluate.
    evaluated = random.choice([["anew", "leave"], ["fixed"]])
    kinds = ["add", "join", "nothing", *evaluated]
    chosen = random.sample(kinds, random.randint(2, len(kinds)))
    update = {"deltas": {pk: {} for pk in pks}, "joined": {}, "left": {}, "anew": {}, "fixed": {}}
    right, expected = truths(pks), {}
    for pk in pks:
        for name in NAMES:
            kind, number = random.choice(chosen), random.randint(-9, 25)
            if kind == "add" and name in ADDED and number:
                update["deltas"][pk][name] = number
                expected[pk, name] = stored[pk][name] + number
            elif kind == "anew":
                update["anew"].setdefault(name, set()).add(pk)
                expected[pk, name] = right[pk][name]
            elif kind == "fixed":
                update["fixed"].setdefault(name, {})[pk] = value_of(name, number)
                expected[pk, name] = value_of(name, number)
            elif kind in ("join", "leave") and name in EXTREMES:
                lookup, value, held = EXTREMES[name], value_of(name, number), stored[pk][name]
                of_row = update["joined" if kind == "join" else "left"].setdefault(pk, {})
                of_row[name] = lookup, value
                if kind == "join":
                    wins = held is None or better(lookup, value, held)
                    expected[pk, name] = value if wins else held
                else:
                    stays = held is not None and better(lookup, held, value)
                    expected[pk, name] = held if stays else right[pk][name]
    return Update(Post, **update), expected


@given(
    number=st.integers(1, 6),
    random=st.integers(0, 10**6).map(Random),
    is_compiled=st.booleans(),
)
def test_each_column_of_each_row_holds_what_was_said_of_it(number, random, is_compiled):
    with rolled_back():
        pks = sorted(random.sample(list(Post.objects.values_list("pk", flat=True)), number))
        stored = truths(pks)
        for pk, row in stored.items():
            row |= {name: 50 + (row[name] or 0) + less for name, less in LESS.items()}
            statements.update(QuerySet(Post).filter(pk=pk), row).update()
        update, expected = drawn(random, pks, stored)
        if update.is_empty:
            return

        with transaction.atomic():
            lock(Post, "default", pks)
            few = writing.of_few("default", update, locked=True) if is_compiled else None
            if few is None:
                evaluating.write("default", update)
            else:
                statement, values = few
                with connection.cursor() as cursor:
                    if is_possible("default"):
                        written_together([statement], [number], [values], cursor)
                    else:
                        statement.written_with(values, cursor)

        for row in QuerySet(Post).filter(pk__in=pks).values("pk", *NAMES):
            for name in NAMES:
                held, due = row[name], expected.get((row["pk"], name), stored[row["pk"]][name])
                assert held == pytest.approx(due) if name == "score_avg" else held == due, (
                    name,
                    row["pk"],
                    update,
                )
