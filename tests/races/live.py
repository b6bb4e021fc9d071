"""Reconcile in a loop, while others write, and while drift is planted by SQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from random import Random

from django.apps import apps
from django.db import DatabaseError, connection

from syncfields import Report, reconcile
from syncfields.reconcile.reports import Interrupted
from tests.races import workers
from tests.races.refusals import TRANSIENT, meaning
from tests.races.workers import Load, Target, Told
from tests.races.worlds import keys

# Columns that no other rule reads: its values would be wrong, too.
PLANTED = (
    "testapp.Post.score_sum",
    "testapp.Post.public_score",
    "testapp.Blog.follower_count",
    "testapp.Shelf.page_sum",
    "testapp.Playlist.minutes",
    "testapp.Zone.star_sum",
    "testapp.Band.active_fame",
    "testapp.Farm.grain_weight",
    "testapp.Album.tag_count",
    "hub.Post.score_sum",
    "hub.Topic.public_count",
)


def race(load: Load, processes: int, seconds: float) -> Told:
    """As ``workers.race()``, with two more processes: one plants drift, one reconciles."""

    def planter(end: float) -> Target:
        return lambda told: told.send(plant(load, end))

    def reconciler(end: float) -> Target:
        def target(told: Connection) -> None:
            found = Told()
            while time.monotonic() < end:
                repair(found)
            told.send(found)

        return target

    first = Told()
    plant_one(Random(f"{load.seed} first"), first)  # On SQLite the planter may never have its turn.
    connection.close()
    found = workers.race(load, processes, seconds, [planter, reconciler])
    found.add(first)
    return found


def plant(load: Load, end: float) -> Told:
    random, told = Random(f"{load.seed} planter"), Told()
    while time.monotonic() < end:
        plant_one(random, told)
        time.sleep(0.05)
    return told


def plant_one(random: Random, told: Told) -> None:
    label = random.choice(PLANTED)
    app, name, column = label.split(".")
    model = apps.get_model(app, name)
    if found := keys(model):
        pk = random.choice(found)
        sql = f"UPDATE {model._meta.db_table} SET {column} = {column} + 1000 WHERE id = %s"
        with conflicts(told, "planter"), connection.cursor() as cursor:
            cursor.execute(sql, [pk])
            told.planted[label, pk] += cursor.rowcount


@contextmanager
def conflicts(told: Told, who: str) -> Iterator[None]:
    """Go on where a writer was in the way."""
    try:
        yield
    except DatabaseError as error:
        name = meaning(error)
        if name not in TRANSIENT:
            raise
        told.counts[f"{name} in {who}"] += 1


def repair(told: Told) -> None:
    """Reconcile once, and note what was found."""
    with conflicts(told, "reconcile"):
        try:
            report = reconcile(batch_size=3)
        except Interrupted as stop:
            note(told, stop.report)
            raise stop.__cause__ or stop from None
        note(told, report)
        told.counts["runs of reconcile"] += 1


def note(told: Told, report: Report) -> None:
    for rule in report.rules:
        told.reported.update((rule.label, each.pk) for each in rule.examples)
        if rule.drifted > len(rule.examples):
            told.failures.append(f"{rule.label}: more drift than examples tell of.")
