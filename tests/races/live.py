"""Reconcile in a loop, while others write, and while drift is planted by SQL."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from random import Random

from django.apps import apps
from django.db import connection

from syncfields import reconcile
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

    return workers.race(load, processes, seconds, [planter, reconciler])


def plant(load: Load, end: float) -> Told:
    random, told = Random(f"{load.seed} planter"), Told()
    while time.monotonic() < end:
        label = random.choice(PLANTED)
        app, name, column = label.split(".")
        model = apps.get_model(app, name)
        if found := keys(model):
            pk = random.choice(found)
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {model._meta.db_table} SET {column} = {column} + 1000 WHERE id = %s",
                    [pk],
                )
                told.planted[label, pk] += cursor.rowcount
        time.sleep(0.05)
    return told


def repair(told: Told) -> None:
    """Reconcile once, and note what was found."""
    try:
        report = reconcile(batch_size=3)
    except Exception as error:
        name = meaning(error)
        if name not in TRANSIENT:
            raise
        told.counts[f"{name} in reconcile"] += 1
        return
    told.counts["runs of reconcile"] += 1
    for rule in report.rules:
        told.reported.update((rule.label, each.pk) for each in rule.examples)
        if rule.drifted > len(rule.examples):
            told.failures.append(f"{rule.label}: more drift than examples tell of.")
