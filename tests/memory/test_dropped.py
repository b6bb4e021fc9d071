"""What a write made old, or left out, is read from where the write went, in whichever code."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, connections, models, transaction
from django.db.models import Count, F, Max, Sum
from django.db.models.signals import post_init, post_save
from model_utils import FieldTracker

from syncfields import coalesce, flush, synced, unsynced
from syncfields.memory import dropped
from syncfields.plan import registry
from tests.ownmodels import empty, kept_by, own_apps, stored
from tests.statements import sent

pytestmark = pytest.mark.django_db
APPS = own_apps("own")
kept = kept_by(APPS, using=("default", "other"))


class Visible(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(hidden=False)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "own"


class Chain(Own):
    name = models.CharField(max_length=20, default="")
    total = synced(models.IntegerField(default=0), Sum("shops__n"))


class Shop(Own):
    chain = models.ForeignKey(Chain, models.CASCADE, null=True, related_name="shops")
    title = models.CharField(max_length=20, default="")
    hidden = models.BooleanField(default=False)
    n = synced(models.IntegerField(default=0), Count("sales"))
    total = synced(models.IntegerField(default=0), Sum("sales__amount"))
    most = synced(models.IntegerField(null=True), Max("sales__amount"))
    chain_name = synced(models.CharField(max_length=20, null=True), F("chain__name"))
    objects = models.Manager()
    visible = Visible()

    class Meta(Own.Meta):
        base_manager_name = "visible"
        abstract = False


class Branch(Shop):
    street = models.CharField(max_length=20, default="")
    keepers_n = synced(models.IntegerField(default=0), Count("keepers"))


class Keeper(Own):
    branch = models.ForeignKey(Branch, models.CASCADE, related_name="keepers")


class Sale(Own):
    shop = models.ForeignKey(Shop, models.CASCADE, null=True, related_name="sales")
    amount = models.IntegerField(default=1)


class Tracked(Own):
    """With the tracker of django-model-utils, which wraps the same descriptors."""

    title = models.CharField(max_length=20, default="")
    n = synced(models.IntegerField(default=0), Count("steps"))
    tracker = FieldTracker()


class Step(Own):
    of = models.ForeignKey(Tracked, models.CASCADE, related_name="steps")


class Depot(Own):
    n = synced(models.IntegerField(default=0), Sum("crates__n"), tracking="memory")


class Crate(Own):
    """Its old values come from memory."""

    depot = models.ForeignKey(Depot, models.CASCADE, null=True, related_name="crates")
    n = synced(models.IntegerField(default=0), Count("items"), tracking="memory")


class Item(Own):
    crate = models.ForeignKey(Crate, models.CASCADE, related_name="items")


class Remembering(Own):
    """Its instances remember what they were loaded with."""

    status = models.CharField(max_length=20, default="")
    n = synced(models.IntegerField(default=0), Count("memories"))
    total = synced(models.IntegerField(null=True), Sum("memories__weight"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.before = {f.attname: getattr(self, f.attname) for f in self._meta.concrete_fields}


class Memory(Own):
    of = models.ForeignKey(Remembering, models.CASCADE, related_name="memories")
    weight = models.IntegerField(default=1)
    status = synced(models.CharField(max_length=20, default=""), F("of__status"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.before = self.weight, self.status


@pytest.fixture
def emptied(transactional_db):
    yield
    empty(APPS)


@pytest.fixture
def shop():
    return Shop.objects.create(chain=Chain.objects.create(name="one"))


def shown(instance):
    return instance.n, instance.total, instance.most


def test_all_that_is_missing_is_read_at_once(shop):
    Sale.objects.create(shop=shop, amount=3)

    with sent() as statements:
        assert shown(shop) == (1, 3, 3)

    assert statements == ["SELECT own_shop"]


def test_a_field_of_the_class_is_what_it_is_without_a_rule():
    assert Shop.n.field is Shop._meta.get_field("n")


def test_refresh_reads_what_is_missing(shop):
    Sale.objects.create(shop=shop, amount=3)

    with sent() as statements:
        shop.refresh_from_db()
        assert shown(shop) == (1, 3, 3)

    assert statements == ["SELECT own_shop"]


def test_refresh_of_some_fields_reads_those(shop):
    Sale.objects.create(shop=shop, amount=3)

    with sent() as statements:
        shop.refresh_from_db(fields=["n"])
        assert shop.n == 1

    assert statements == ["SELECT own_shop"]
    assert shown(shop) == (1, 3, 3)


def test_refresh_that_finds_no_row_leaves_all_as_it_was(shop):
    Sale.objects.create(shop=shop, amount=3)
    pk, shop.pk = shop.pk, shop.pk + 1
    with pytest.raises(Shop.DoesNotExist):
        shop.refresh_from_db()

    shop.pk = pk
    assert shown(shop) == (1, 3, 3)


def test_fields_that_the_user_deferred_stay_deferred(shop):
    shop = Shop.objects.defer("title").get(pk=shop.pk)
    Sale.objects.create(shop=shop, amount=3)

    assert shown(shop) == (1, 3, 3)
    shop.refresh_from_db()

    assert shop.get_deferred_fields() == {"title"}


def test_a_row_that_a_base_manager_hides(shop):
    Shop.objects.update(hidden=True)
    assert not Shop._base_manager.exists()

    Sale.objects.create(shop=shop, amount=3)

    assert shown(shop) == (1, 3, 3)


def test_a_row_that_is_gone_shows_what_was_known_last(shop):
    Sale.objects.create(shop=shop, amount=3)
    assert shop.n == 1
    sale = Sale.objects.create(shop=shop, amount=4)
    models.QuerySet(Sale)._raw_delete("default")
    models.QuerySet(Shop)._raw_delete("default")

    assert shown(shop) == (1, 3, 3)
    assert sale.shop is shop


def test_a_row_that_is_gone_shows_what_a_write_before_a_save_had_made(shop):
    Sale.objects.create(shop=shop, amount=3)
    shop.save()

    shop.delete()

    assert shown(shop) == (1, 3, 3)


def test_a_multi_table_child():
    branch = Branch.objects.create()
    Sale.objects.create(shop=branch, amount=3)
    Keeper.objects.create(branch=branch)

    with sent() as statements:
        assert (shown(branch), branch.keepers_n) == ((1, 3, 3), 1)

    assert statements == ["SELECT own_branch"]
    branch.n = branch.keepers_n = 9
    branch.save()
    assert (shown(branch), branch.keepers_n) == ((1, 3, 3), 1)


class Replica:
    """What is read by default is old."""

    def db_for_read(self, model, **hints):
        return "other"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, *_, **__):
        return True


@pytest.mark.django_db(databases=["default", "other"])
@pytest.mark.parametrize("fields", [None, ["n"], ["n", "title"]])
def test_a_replica_is_not_asked(shop, settings, fields):
    settings.DATABASE_ROUTERS = [f"{__name__}.Replica"]
    Chain(pk=shop.chain_id).save(using="other")
    Shop(pk=shop.pk, title="behind").save(using="other", force_insert=True)
    loaded = Shop.objects.get(pk=shop.pk)
    assert (loaded._state.db, loaded.title) == ("other", "behind")

    Sale.objects.create(shop=loaded, amount=3)
    assert shown(loaded) == (1, 3, 3)
    Sale.objects.create(shop=loaded, amount=4)
    loaded.refresh_from_db(fields=fields)

    assert shown(loaded) == (2, 7, 4)


@pytest.mark.django_db(databases=["default", "other"])
def test_other_fields_are_refreshed_from_where_they_were_read(shop, settings):
    settings.DATABASE_ROUTERS = [f"{__name__}.Replica"]
    Shop(pk=shop.pk, title="behind").save(using="other", force_insert=True)
    loaded = Shop.objects.get(pk=shop.pk)
    loaded.title = "edited"

    Sale.objects.create(shop=loaded, amount=3)
    loaded.refresh_from_db(fields=["title"])

    assert (loaded.title, *shown(loaded)) == ("behind", 1, 3, 3)


@pytest.mark.django_db(databases=["default", "other"])
def test_refresh_reads_where_it_is_told_to(shop):
    Shop(pk=shop.pk, title="behind").save(using="other", force_insert=True)

    for where in ({"using": "other"}, {"from_queryset": Shop.objects.using("other")}):
        Sale.objects.create(shop=shop, amount=3)
        shop.refresh_from_db(**where)
        assert (shop.title, *shown(shop)) == ("behind", 0, 0, None)
        shop.refresh_from_db(using="default")


@pytest.mark.skipif(not hasattr(models, "FETCH_RAISE"), reason="Django 6.1 has fetch modes")
def test_every_fetch_mode(shop):
    for mode in (models.FETCH_RAISE, models.FETCH_PEERS, models.FETCH_ONE):
        loaded = Shop.objects.fetch_mode(mode).get(pk=shop.pk)
        before = loaded.n
        Sale.objects.create(shop=loaded)

        assert loaded.n == before + 1


# After the save of the instance itself ---------------------------------------------------------


def assigned(shop):
    Sale.objects.create(shop_id=shop.pk, amount=3)
    shop.refresh_from_db()
    shop.n = shop.total = shop.most = 999
    shop.chain_name = "wrong"
    return shop


SAVES = {
    "save": lambda shop: shop.save(),
    "update_fields": lambda shop: shop.save(update_fields=["title"]),
    "force_update": lambda shop: shop.save(force_update=True),
    "save_base": lambda shop: shop.save_base(),
    "twice": lambda shop: (shop.save(), shop.save()),
}


@pytest.mark.parametrize("way", SAVES)
def test_a_saved_instance_shows_no_value_that_its_row_has_not(shop, way):
    assigned(shop)

    SAVES[way](shop)

    assert (shown(shop), shop.chain_name) == ((1, 3, 3), "one")


@pytest.mark.parametrize("queryset", [lambda q: q.defer("title"), lambda q: q.only("n")])
def test_a_saved_instance_with_deferred_fields(shop, queryset):
    shop = queryset(Shop.objects).get(pk=shop.pk)
    shop.n = 999

    shop.save()

    assert shop.n == 0
    assert stored(Shop, shop.pk, "n") == {"n": 0}


def test_update_or_create_and_update_fields_of_all(shop):
    shop.n = 999
    found, _ = Shop.objects.update_or_create(pk=shop.pk, defaults={"title": "new"})
    shop.save(update_fields={f.name for f in Shop._meta.local_fields} - {"id"})

    assert (found.n, shop.n) == (0, 0)


def test_receivers_of_a_save_see_what_the_row_holds(shop):
    seen = []

    def receive(instance, **kwargs):
        seen.append((instance.n, kwargs["update_fields"]))

    assigned(shop)
    post_save.connect(receive, Shop)
    try:
        shop.save()
        shop.save(update_fields=["title"])
    finally:
        post_save.disconnect(receive, Shop)

    assert seen == [(1, None), (1, frozenset({"title"}))]


def test_a_saved_instance_of_a_row_that_changed_meanwhile(shop):
    stale = Shop.objects.get(pk=shop.pk)
    Sale.objects.create(shop=shop, amount=3)

    stale.title = "new"
    stale.save()

    assert shown(stale) == (1, 3, 3)


def test_saving_and_deleting_cost_nothing_more(shop):
    shop = Shop.objects.get(pk=shop.pk)
    for _ in range(2):
        with sent() as statements:
            shop.title += "x"
            shop.save(update_fields=["title"])
            shop.save()
        assert [each for each in statements if each == "UPDATE own_shop"] == statements[:1] * 2
        assert len(statements) == 3, statements  # The second save locks the row that chains read.
    Sale.objects.create(shop=shop)
    with sent() as statements:
        shop.save(update_fields=["title"])
    assert statements == ["UPDATE own_shop"]


def test_an_instance_that_is_inserted_knows_its_values(shop):
    new = Shop(chain=shop.chain, n=5)
    new.save()

    with sent() as statements:
        assert (shown(new), new.chain_name) == ((0, 0, None), "one")

    assert statements == [] or connection.vendor == "mysql"


def test_a_clone_is_a_row_of_its_own(shop):
    Sale.objects.create(shop=shop)
    shop.save()
    shop.pk, shop._state.adding = None, True
    shop.save()

    assert shown(shop) == (0, 0, None)
    assert stored(Shop, shop.pk, "n") == {"n": 0}


def test_a_row_to_be_reads_nothing_of_the_row_that_has_its_key(shop):
    other = Shop.objects.create()
    Sale.objects.create(shop=other, amount=3)
    Sale.objects.create(shop=shop, amount=5)
    assert "most" in dropped.missing(shop)

    shop.pk, shop._state.adding = other.pk, True

    assert shop.most is None


def test_unsynced_saves_what_is_assigned_and_what_was_true(shop):
    Sale.objects.create(shop=shop, amount=3)
    with unsynced():
        shop.n = 7
        shop.save()

    assert shown(shop) == (7, 3, 3)
    assert stored(Shop, shop.pk, "n", "total") == {"n": 7, "total": 3}


def test_a_field_tracker_sees_no_change_that_never_was():
    tracked = Tracked.objects.create()
    Step.objects.create(of=tracked)
    assert (tracked.n, tracked.tracker.changed()) == (1, {})
    tracked.n = 999
    tracked.title = "new"
    tracked.save()

    assert tracked.tracker.changed() == {}
    assert tracked.n == 1
    tracked.title = "newer"
    assert tracked.tracker.changed() == {"title": "new"}
    registry.rebuild()  # As when a model is defined later.
    assert registry.errors() == []


def test_old_values_from_memory_are_not_older_than_what_was_written_through_it():
    here, there = Depot.objects.create(), Depot.objects.create()
    crate = Crate.objects.create(depot=here)
    Item.objects.create(crate=crate)

    crate.depot = there
    crate.save()

    found = [stored(Depot, each.pk, "n") for each in (here, there)]
    assert found == [{"n": 0}, {"n": 1}]
    assert there.n == 1


# While effects wait ----------------------------------------------------------------------------


def test_what_is_read_while_effects_wait_is_not_kept(shop):
    with coalesce():
        Sale.objects.create(shop=shop, amount=3)
        assert shop.n == 0
        flush()
        assert shop.n == 1
        Sale.objects.create(shop=shop, amount=4)
        assert shown(shop) == (1, 3, 3)

    assert shown(shop) == (2, 7, 4)


@pytest.mark.parametrize("fields", [None, ["n"], ["n", "total", "most"]])
def test_what_is_refreshed_while_effects_wait_is_not_kept(shop, fields):
    with coalesce():
        Sale.objects.create(shop=shop, amount=3)
        shop.refresh_from_db(fields=fields)
        assert shown(shop) == (0, 0, None)

    assert shown(shop) == (1, 3, 3)


def test_what_is_read_before_commit_is_not_kept(emptied, settings):
    settings.SYNCFIELDS = {"APPLY": "commit"}
    shop = Shop.objects.create()
    with transaction.atomic():
        Sale.objects.create(shop=shop, amount=3)
        assert shop.n == 0

    assert shown(shop) == (1, 3, 3)


# Async code ------------------------------------------------------------------------------------


async def write_all(chain, seen):
    shop = await Shop.objects.acreate(chain=chain)
    sale = await Sale.objects.acreate(shop=shop, amount=3)
    seen.append(shown(shop))
    sale.amount = 5
    await sale.asave()
    seen.append((shown(shop), shop.chain.total))
    shop.n = 999
    await shop.asave()
    seen.append(shown(shop))
    await shop.sales.acreate(amount=9)
    await shop.arefresh_from_db()
    seen.append(shown(shop))
    await sale.adelete()
    seen.append(shown(shop))
    await sync_to_async(lambda: Sale.objects.create(shop=shop))()
    seen.append(shown(shop))
    await shop.sales.all().adelete()
    seen.append(shown(shop))


SEEN = [
    (1, 3, 3),
    ((1, 5, 5), 1),
    (1, 5, 5),
    (2, 14, 9),
    (1, 9, 9),
    (2, 10, 9),
    (0, 0, None),
]


def test_async_code_reads_plain_attributes():
    seen = []

    async_to_sync(write_all)(Chain.objects.create(), seen)

    assert seen == SEEN


def test_an_event_loop_of_its_own(emptied):
    seen = []

    async def main():
        chain = await Chain.objects.acreate()
        await write_all(chain, seen)
        await sync_to_async(connections.close_all)()

    asyncio.run(main())

    assert seen == SEEN


def test_async_code_reads_what_many_writes_dropped_by_one_statement(shop):
    others = [Shop.objects.create() for _ in range(3)]

    def sell():
        for _ in range(2):
            for each in (shop, *others):
                Sale.objects.create(shop=each)

    async def main():
        await sync_to_async(sell)()
        return [each.n for each in (shop, *others)]

    with sent() as sync:
        sell()
    with sent() as statements:
        assert async_to_sync(main)() == [4] * 4

    assert statements == [*sync, "SELECT own_shop", "SELECT own_chain"]


def test_async_code_reads_rows_whose_keys_are_held_as_text(shop):
    shops = [shop, Shop.objects.create()]
    for each in shops:
        each.pk = str(each.pk)

    def sell():
        for each in shops:
            Sale.objects.create(shop=each)

    async def main():
        await sync_to_async(sell)()
        return [each.n for each in shops]

    assert async_to_sync(main)() == [1, 1]


def test_what_nobody_holds_after_an_async_write_is_not_read(shop):
    pk = shop.pk

    async def main():
        await sync_to_async(lambda: bool(Sale.objects.create(shop=Shop.objects.get(pk=pk))))()

    with sent() as statements:
        async_to_sync(main)()
    with sent() as sync:
        Sale.objects.create(shop=Shop.objects.get(pk=pk))

    assert statements == sync


# Instances -------------------------------------------------------------------------------------


def drift(model, **values):
    with unsynced():
        models.QuerySet(model).update(**values)


@pytest.fixture
def remembering():
    found = [Remembering.objects.create(status="new") for _ in range(3)]
    for each in found:
        Memory.objects.create(of=each, weight=2)
    return found


def test_models_that_remember_their_fields_are_written(remembering):
    first, second, third = remembering
    memory = Memory.objects.create(of=first, weight=3)
    assert (first.n, first.total) == (2, 5)
    memory.weight = 4
    memory.save()
    memory.of = second
    memory.save()
    assert (second.n, second.total) == (2, 6)
    third.status = "old"
    third.save()
    assert third.n == 1
    Memory.objects.filter(of=second).update(weight=9)
    Memory.objects.bulk_create([Memory(of=each) for each in remembering])
    memory.delete()
    third.delete()
    Memory.objects.all().delete()

    assert {*Remembering.objects.values_list("n", "total")} == {(0, None)}


@pytest.mark.parametrize("number", [1, 3, 30])
def test_models_that_remember_their_fields_are_reconciled(number):
    from syncfields.reconcile.repair import reconcile

    for _ in range(number):
        Memory.objects.create(of=Remembering.objects.create(status="new"), weight=2)
    drift(Remembering, n=9, total=None)
    drift(Memory, status="x")
    made = []

    def note(sender, **_):
        made.append(sender)

    post_init.connect(note)
    try:
        report = reconcile()
    finally:
        post_init.disconnect(note)

    assert (report.repaired, report.ok) == (3 * number, True)
    assert made == []
    assert {*Remembering.objects.values_list("n", "total")} == {(1, 2)}
    assert {*Memory.objects.values_list("status", flat=True)} == {"new"}


def test_no_write_makes_an_instance(remembering):
    first, second, _ = remembering
    memory = Memory(of=first, weight=7)
    made = []

    def note(sender, **_):
        made.append(sender)

    post_init.connect(note)
    try:
        memory.save()
        assert first.total == 9
        memory.weight, memory.of = 8, second
        memory.save()
        assert second.total == 10
        Memory.objects.filter(weight=8).update(weight=9)
        second.status = "newer"
        second.save()
        assert second.n == 2
        memory.delete()
        Memory.objects.filter(weight=2).delete()
    finally:
        post_init.disconnect(note)

    assert made == []
