"""Above READ COMMITTED: a conflict is an error of the database's own, never drift.

The first one has read something before, so that its transaction answers from a snapshot that is
older than what the other one commits.
"""

from __future__ import annotations

from functools import wraps

import pytest
from django.db import connection, transaction

from tests.races.conftest import cases
from tests.races.parts import WORLDS
from tests.races.refusals import meaning
from tests.races.stage import Actor, play
from tests.testapp import models as zoo

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time"),
]

LEVELS = ("repeatable read", "serializable")
CHOSEN = {
    # delta, extreme and recompute of one target
    "topics": (
        ("reply_the_mean", "reply_more"),
        ("reweigh", "reply_more"),
        ("delete_best", "delete_next"),
        # a value that had drifted, and is evaluated anew
        ("reply_more", "retract_from_drifted"),
    ),
    # two hops
    "blogs": (("create_reaction", "move_post"),),
    # a cascade, from Django 6.1 on by the database
    "silos": (("create_grain", "delete_silo"), ("delete_silo", "move_grain")),
    # copies, over one relation and two
    "users": (("move_profile", "change_other_user"), ("bulk_create_cards", "change_user")),
    # many to many, which ignores conflicts
    "playlists": (("add_track", "lengthen_track"),),
    # all of these at once
    "hub": (("lower_best_score", "delete_next_comment"),),
    # events
    "hives": (("move_bee", "save_honey"),),
}


def with_snapshot(part):
    """The same within a transaction that has read something before."""

    @wraps(part)
    def prepare():
        act = part()

        def perform():
            with transaction.atomic():
                zoo.Unwatched.objects.count()
                return act()

        return perform

    return prepare


@pytest.fixture(params=LEVELS)
def actors(request):
    both = Actor(request.param), Actor(request.param)
    yield both
    for each in both:
        each.leave()


@pytest.mark.parametrize(("name", "pairs"), cases(CHOSEN))
def test_no_silent_drift(name, pairs, actors):
    world = WORLDS[name]
    world.forget()

    for pair in pairs:
        parts = [with_snapshot(world.parts[part]) for part in pair]
        play(actors, world, parts, lambda error: meaning(error) is None)
