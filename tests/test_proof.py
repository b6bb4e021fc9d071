"""Every way of writing with every kind of maintenance, one test for each pair.

The table in docs/proof.md is made from the same two lists: ``python -m tests.test_proof``.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core import serializers
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from syncfields import coalesce, unsynced
from syncfields.plan import registry
from tests.undo import rolled_back

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parent.parent / "docs" / "proof.md"
KINDS = {
    "delta": "a sum with a filter, on the hive",
    "extreme": "a maximum with a filter, on the hive",
    "recompute": "an average with a filter, on the hive",
    "copy": "the name of the hive, on the bee",
    "tally": "saves of bees, on the hive; the test counts them by hand",
}


class Hives:
    """Two hives with bees, on the models of one kind of maintenance."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.Hive, self.Bee = (
            apps.get_model("testapp", kind + model).objects for model in ("hive", "bee")
        )
        self.Flower = apps.get_model("testapp", "flower").objects
        self.here, self.there = (self.Hive.create(name=name) for name in ("here", "there"))
        self.flower, self.swarm = self.Flower.create(), self.create("swarm")
        self.young = self.Bee.create(hive=self.here, honey=2)
        self.best = self.Bee.create(hive=self.here, honey=9, flower=self.flower)
        self.away = self.Bee.create(hive=self.here, honey=20, swarm=self.swarm)
        self.other = self.Bee.create(hive=self.there, honey=4)

    def create(self, model: str) -> Any:
        return apps.get_model("testapp", model).objects.create()

    def bee(self, hive: Any, honey: int, **values: Any) -> Any:
        return self.Bee.model(hive=hive, honey=honey, **values)

    def values(self) -> dict[int, Any]:
        """What is kept, by primary key."""
        if self.kind == "copy":
            return dict(self.Bee.values_list("pk", "hive_name"))
        return dict(self.Hive.values_list("pk", "total"))


# A way writes, and returns the hives for which a tally has to count a save, once for each.
Way = Callable[[Hives], "list[Any]"]
WAYS: dict[str, Way] = {}


def way(name: str) -> Callable[[Way], Way]:
    def decorate(function: Way) -> Way:
        WAYS[name] = function
        return function

    return decorate


def way_of_async(name: str) -> Callable[[Any], Any]:
    return lambda function: way(name)(async_to_sync(function))


# One row -----------------------------------------------------------------------------------------


@way("save() and create(): a new row")
def create(hives):
    hives.bee(hives.here, 50).save()
    hives.Bee.create(hive=hives.there, honey=60)
    return [hives.here, hives.there]


@way("save(): a new row whose key is given")
def create_with_key(hives):
    hives.bee(hives.here, 50, pk=hives.other.pk + 100).save()
    return [hives.here]


@way("save(): a changed row")
def change(hives):
    hives.best.honey = 1
    hives.best.save()
    hives.here.name = "new"
    hives.here.save()
    return [hives.here]


@way("save(update_fields=[...])")
def change_some(hives):
    hives.best.honey, hives.best.hive = 1, hives.there
    hives.best.save(update_fields=["honey"])
    hives.here.name = "new"
    hives.here.save(update_fields={"name"})
    return [hives.here]


@way("save(): to another parent, to none, and back")
def move(hives):
    for hive in (None, hives.here, hives.there):
        hives.best.hive = hive
        hives.best.save()
    return [hives.here, hives.there]


@way("delete()")
def delete(hives):
    hives.best.delete()
    return []


@way("get_or_create()")
def get_or_create(hives):
    for _ in range(2):
        hives.Bee.get_or_create(hive=hives.here, honey=50)
    hives.there.bees.get_or_create(honey=60)
    return [hives.here, hives.there]


@way("update_or_create()")
def update_or_create(hives):
    hives.Bee.update_or_create(honey=50, defaults={"hive": hives.here})
    hives.Bee.update_or_create(pk=hives.best.pk, defaults={"hive": hives.there, "honey": 90})
    hives.Hive.update_or_create(pk=hives.here.pk, defaults={"name": "new"})
    return [hives.here, hives.there]


# Many rows ---------------------------------------------------------------------------------------


@way("QuerySet.update()")
def update(hives):
    hives.Bee.filter(honey__gt=1).update(honey=F("honey") + 1)
    hives.Bee.filter(pk=hives.best.pk).update(hive=hives.there)
    hives.Hive.update(name="new")
    return []


def brood(hives):
    return [hives.bee(*each) for each in ((hives.here, 50), (hives.there, 60), (None, 70))]


@way("bulk_create()")
def bulk_create(hives):
    hives.Hive.bulk_create([hives.Hive.model(name="empty")])
    hives.Bee.bulk_create(brood(hives))
    return [hives.here, hives.there]


@way("bulk_create(batch_size=2)")
def bulk_create_in_batches(hives):
    hives.Bee.bulk_create(brood(hives) + brood(hives), batch_size=2)
    return [hives.here, hives.there] * 2


@way("bulk_create(ignore_conflicts=True), keys given")
def bulk_create_ignoring(hives):
    hives.Bee.bulk_create(
        [
            hives.bee(hives.there, 90, pk=hives.best.pk),
            hives.bee(hives.here, 50, pk=hives.other.pk + 100),
        ],
        ignore_conflicts=True,
    )
    return [hives.here]


@way("bulk_create(ignore_conflicts=True), keys from the database")
def bulk_create_ignoring_unknown(hives):
    hives.Bee.bulk_create(brood(hives), ignore_conflicts=True)
    return [hives.here, hives.there]


@way("bulk_create(update_conflicts=True)")
def bulk_create_updating(hives):
    targeted = connection.features.supports_update_conflicts_with_target
    hives.Bee.bulk_create(
        [
            hives.bee(hives.there, 90, pk=hives.best.pk),
            hives.bee(hives.here, 50, pk=hives.other.pk + 100),
        ],
        update_conflicts=True,
        update_fields=["hive", "honey"],
        unique_fields=["pk"] if targeted else None,
    )
    return [hives.here]


@way("bulk_update()")
def bulk_update(hives):
    hives.best.hive, hives.young.honey, hives.here.name = hives.there, F("honey") + 30, "new"
    hives.Bee.bulk_update([hives.best, hives.young], ["hive", "honey"])
    hives.Hive.bulk_update([hives.here], ["name"])
    return []


@way("QuerySet.delete()")
def delete_many(hives):
    hives.Bee.filter(honey__gt=4).delete()
    return []


@way("QuerySet._raw_delete()")
def delete_raw(hives):
    chosen = hives.Bee.filter(honey__gt=4)
    chosen._raw_delete(chosen.db)
    return []


@way("loaddata")
def load(hives):
    hives.best.honey, hives.best.hive = 1, hives.there
    rows = [hives.best, hives.bee(hives.here, 50, pk=hives.other.pk + 100)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(serializers.serialize("json", rows))
        file.flush()
        call_command("loaddata", file.name, verbosity=0)
    return []  # A fixture is loaded as it was dumped, numbers too: its rows are no events.


# Related managers --------------------------------------------------------------------------------


@way("bees.add(bulk=True)")
def add(hives):
    hives.there.bees.add(hives.best, hives.young)
    return []


@way("bees.add(bulk=False)")
def add_saving(hives):
    hives.there.bees.add(hives.best, hives.bee(None, 50), bulk=False)
    return [hives.there, hives.there]


@way("bees.create()")
def create_related(hives):
    hives.here.bees.create(honey=50)
    return [hives.here]


@way("bees.remove(bulk=True)")
def remove(hives):
    hives.here.bees.remove(hives.best)
    return []


@way("bees.remove(bulk=False)")
def remove_saving(hives):
    hives.here.bees.remove(hives.best, bulk=False)
    return []


@way("bees.clear(bulk=True)")
def clear(hives):
    hives.here.bees.clear()
    return []


@way("bees.clear(bulk=False)")
def clear_saving(hives):
    hives.here.bees.clear(bulk=False)
    return []


@way("bees.set(bulk=True)")
def set_(hives):
    hives.there.bees.set([hives.best])
    return []


@way("bees.set(bulk=False)")
def set_saving(hives):
    hives.there.bees.set([hives.best], bulk=False)
    return [hives.there]


@way("bees.set(clear=True)")
def set_clearing(hives):
    hives.here.bees.set([hives.young], clear=True)
    return []


@way("many-to-many: add(), create() and set() with through_defaults")
def link(hives):
    hives.here.flowers.add(hives.create("flower"), through_defaults={"honey": 50})
    hives.there.flowers.create(through_defaults={"honey": 60})
    hives.here.flowers.set([hives.create("flower")], through_defaults={"honey": 70})
    return [hives.here, hives.there, hives.here]


@way("many-to-many: remove() and clear()")
def unlink(hives):
    hives.here.flowers.remove(hives.flower)
    hives.there.flowers.clear()
    return []


# What goes with another row ----------------------------------------------------------------------


@way("on_delete=CASCADE")
def cascade(hives):
    hives.flower.delete()
    return []


@way("on_delete=SET_NULL")
def set_null(hives):
    hives.swarm.delete()
    hives.there.delete()
    return []


# Async -------------------------------------------------------------------------------------------


@way_of_async("asave() and adelete()")
async def async_one(hives):
    hives.young.honey = 30
    await hives.young.asave()
    await hives.best.adelete()
    await hives.bee(hives.there, 60).asave()
    hives.here.name = "new"
    await hives.here.asave()
    return [hives.here, hives.there]


@way_of_async("acreate(), aget_or_create() and aupdate_or_create()")
async def async_create(hives):
    await hives.Bee.acreate(hive=hives.here, honey=50)
    await hives.Bee.aget_or_create(hive=hives.there, honey=60)
    await hives.Bee.aget_or_create(hive=hives.there, honey=60)
    await hives.Bee.aupdate_or_create(pk=hives.best.pk, defaults={"honey": 1})
    return [hives.here, hives.there, hives.here]


@way_of_async("abulk_create() and abulk_update()")
async def async_bulk(hives):
    await hives.Bee.abulk_create(brood(hives))
    hives.best.honey, hives.here.name = 70, "new"
    await hives.Bee.abulk_update([hives.best], ["honey"])
    await hives.Hive.abulk_update([hives.here], ["name"])
    return [hives.here, hives.there]


@way_of_async("QuerySet.aupdate() and QuerySet.adelete()")
async def async_queryset(hives):
    await hives.Bee.filter(pk=hives.other.pk).aupdate(hive=hives.here, honey=40)
    await hives.Hive.aupdate(name="new")
    await hives.Bee.filter(pk=hives.best.pk).adelete()
    return []


@way_of_async("bees.aadd(), acreate(), aremove(), aset() and aclear()")
async def async_related(hives):
    await hives.there.bees.aadd(hives.best)
    await hives.there.bees.acreate(honey=50)
    await hives.there.bees.aremove(hives.other)
    await hives.here.bees.aset([hives.other, hives.young])
    await hives.there.bees.aclear()
    return [hives.there]


# Later -------------------------------------------------------------------------------------------


@way("several of these in one coalesce(), with a savepoint rolled back")
def together(hives):
    with coalesce():
        events = [*create(hives), *change(hives), *add_saving(hives), *bulk_create(hives)]
        update(hives)
        delete_many(hives)
        with rolled_back():
            create(hives)
    return events


# The table ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("block", [nullcontext, coalesce])
def test_cell(name, kind, block):
    from tests.truth import assert_truth

    hives = Hives(kind)
    values = hives.values()
    counted = Counter(values) if kind == "tally" else None

    with block():
        events = WAYS[name](hives)

    if counted is None:
        assert hives.values() != values
        assert_truth(hives.Bee.model if kind == "copy" else hives.Hive.model)
        return
    counted.update(hive.pk for hive in events)
    assert hives.values() == {pk: counted[pk] for pk in hives.Hive.values_list("pk", flat=True)}


@contextmanager
def coalesced_and_unsynced():
    with coalesce(), unsynced(reconcile=True):
        yield


@contextmanager
def unsynced_and_coalesced():
    with unsynced(reconcile=True), coalesce():
        yield


@contextmanager
def unsynced_among_others():
    """What is written before the block waits while it is mended."""
    with coalesce():
        flower = apps.get_model("testapp", "flower").objects.create()
        for kind in ("delta", "recompute"):
            bees = apps.get_model("testapp", f"{kind}bee").objects
            for bee in bees.filter(flower=None):
                bee.honey += 3
                bee.flower = flower
                bee.save()
        with unsynced(reconcile=True):
            yield


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"tally"}))
@pytest.mark.parametrize("name", WAYS)
def test_what_was_written_by_any_way_is_put_right_afterwards(name, kind):
    from tests.truth import assert_truth

    for block in (
        partial(unsynced, reconcile=True),
        coalesced_and_unsynced,
        unsynced_and_coalesced,
        unsynced_among_others,
    ):
        with rolled_back():
            hives = Hives(kind)

            with block():
                WAYS[name](hives)

            assert_truth(hives.Bee.model if kind == "copy" else hives.Hive.model)


@pytest.mark.parametrize("kind", KINDS)
def test_each_column_has_its_kind_of_maintenance(kind):
    names = {f"testapp.{kind}hive", f"testapp.{kind}bee"}

    found = [
        maintenance.kind
        for maintenance in registry.plan().maintenances
        if maintenance.target._meta.label_lower in names
    ]

    assert found == [kind]


def test_the_page_is_what_this_module_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.test_proof > docs/proof.md"


CODE = re.compile(r"[\w.]+\([^)]*\)|on_delete=\w+|loaddata|through_defaults")


def page() -> str:
    rows = [
        ("way of writing", *KINDS),
        ("---",) * (1 + len(KINDS)),
        *((CODE.sub(r"`\g<0>`", name), *("yes" for _ in KINDS)) for name in WAYS),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    kinds = "\n".join(f"- **{kind}**: {text}" for kind, text in KINDS.items())
    return TEMPLATE.format(table=table, kinds=kinds)


TEMPLATE = """\
# Every way of writing

Each cell is a test of `tests/test_proof.py`, which also makes this page. The test writes, and then
compares the synced field of every row with a value computed in Python from the rows as they are.
Each is run a second time inside `coalesce()`. The tests run on SQLite, PostgreSQL and MariaDB; a
cell holds on all of them.

{kinds}

"Yes": the value is right after the write. `bees` is a related manager: a bee has a nullable foreign
key to its hive. The many-to-many relation has a through model of its own, whose rows are the bees.

{table}

A tally counts rows that are created and saved: by `save()`, `create()`, `bulk_create()`, and by
all that calls them. `update()`, `bulk_update()`, `loaddata`, deletes, and what is built on those,
are no events; there "yes" means that nothing was counted. Of a `bulk_create()` with
`ignore_conflicts` or `update_conflicts` it counts the rows that were inserted.

Which writes no rule can see: [What is guaranteed](guarantees.md#which-writes-are-not-seen).
"""


if __name__ == "__main__":
    sys.stdout.write(page())
