"""Pairs of writes in autocommit: one stopped at each of its steps, the other let through.

All pairs of each world, at once and at commit, are played with SYNCFIELDS_TEST_RACES=all; that
takes the better part of an hour.
"""

from __future__ import annotations

import pytest
from django.db import connection

from tests.races.conftest import PLAY_ALL, cases
from tests.races.deadlocks import listed_pairs, why_deadlock
from tests.races.parts import WORLDS
from tests.races.refusals import meaning
from tests.races.stage import play

pytestmark = pytest.mark.django_db(transaction=True)

CHOSEN = {
    "blogs": (
        ("create_comment", "create_comment"),
        ("create_comment", "delete_post"),
        ("create_reaction", "move_post"),
        ("reconcile_blogs", "create_comment"),
    ),
    "users": (
        ("create_profile", "change_other_user"),
        ("move_profile", "change_other_user"),
        ("create_card", "rename_profile"),
        ("create_card", "change_user"),
        ("delete_profile", "rename_profile"),
    ),
    "playlists": (
        ("add_track", "add_track"),
        ("add_track", "remove_track"),
        ("remove_track", "lengthen_track"),
    ),
    "musicians": (
        ("befriend_back", "become_famous"),
        ("change_membership", "become_famous"),
    ),
    "countries": (
        ("grow_city", "rename_country"),
        ("move_city", "rename_countries"),
        ("move_city", "move_city_back"),
        ("delete_city", "rename_country"),
        ("bulk_create_cities", "move_city"),
    ),
    "categories": (("create_category", "move_child"),),
    "orders": (
        ("create_line", "move_order"),
        ("create_orders_unless_there", "move_order"),
    ),
    "shelves": (
        ("retitle_book", "thin_old_books_of_a_shelf"),
        ("move_old_books", "retitle_book"),
        ("delete_old_books", "move_book"),
        ("bulk_create_books", "move_old_books"),
        ("bulk_update_books", "bulk_update_books_backwards"),
    ),
    "hives": (
        ("create_bee", "save_bees_at_commit"),
        ("delete_bee", "save_bee"),
        ("move_bee", "save_honey"),
    ),
    "silos": (("create_grain", "delete_silo"), ("delete_silo", "move_grain")),
    "places": (("move_best_review", "move_restaurant"),),
    "tags": (("create_tag", "move_photo"),),
    "topics": (
        ("reply_the_mean", "reply_more"),
        ("reweigh", "reply_more"),
        ("raise_best", "raise_best"),
        ("raise_best", "reply_more"),
        ("delete_best", "delete_best"),
        ("delete_best", "delete_next"),
        ("delete_best", "reply_more"),
        ("reweigh", "delete_replies"),
        ("bulk_create_replies", "delete_replies"),
    ),
    "hub": (
        ("flip_comment", "deactivate_author"),
        ("lower_best_score", "delete_next_comment"),
        ("rename_blog", "move_comment"),
    ),
}


# SQLite has one writer at a time: there is little to try.
CASES = cases(CHOSEN if connection.vendor != "sqlite" else {"topics": CHOSEN["topics"]})
AT_COMMIT = CASES if PLAY_ALL else cases({"topics": CHOSEN["topics"]})


def test_what_is_listed_are_pairs_of_parts():
    for name, pair in listed_pairs():
        assert WORLDS[name].parts.keys() >= set(pair)


@pytest.mark.parametrize(("name", "pairs"), CASES)
def test_two_writes(name, pairs, actors, record_property):
    play_pairs(name, pairs, actors, record_property)


@pytest.mark.parametrize(("name", "pairs"), AT_COMMIT)
def test_two_writes_that_are_applied_at_commit(name, pairs, actors, record_property, settings):
    settings.SYNCFIELDS = {"APPLY": "commit"}

    play_pairs(name, pairs, actors, record_property)


def play_pairs(name, pairs, actors, record_property):
    WORLDS[name].forget()
    for pair in pairs:
        if deadlock_is_idle(name, pair, actors):
            record_property("listed, but no deadlock", " ".join([name, *pair]))


def deadlock_is_idle(name, pair, actors):
    """Play a pair. Whether it is listed among the deadlocks, and had none."""
    world, listed, met = WORLDS[name], why_deadlock(connection.vendor, name, pair), []

    def is_wrong(error):
        if listed and meaning(error) == "deadlock":
            met.append(error)
            return False
        # A row may be deleted that another is about to refer to: so it is without the library.
        return meaning(error) != "refused"

    play(actors, world, [world.parts[part] for part in pair], is_wrong)
    return listed and not met
