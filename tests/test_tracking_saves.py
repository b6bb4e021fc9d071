"""``tracking="memory"``: what an instance has been told of its row by saves, and no more."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, F, Max, Q, Sum
from django.db.models.signals import post_save

from syncfields import synced
from tests.ownmodels import assert_kept, empty, kept_by, own_apps
from tests.statements import sent

pytestmark = pytest.mark.django_db
APPS = own_apps("own")
kept = kept_by(APPS)


def number(expression, **options):
    return synced(models.IntegerField(default=0), expression, tracking="memory", **options)


class Own(models.Model):
    class Meta:
        abstract = True
        apps = APPS
        app_label = "own"


class Tray(Own):
    n = number(Count("cups"))
    full = number(Count("cups", filter=Q(cups__is_full=True)))
    volume = number(Sum("cups__volume"))
    most = synced(models.IntegerField(null=True), Max("cups__volume"), tracking="memory")


class Maker(Own):
    name = models.CharField(max_length=20, unique=True)
    volume = number(Sum("cups__volume"))
    pairs = number(Count("saucers"))


class Cup(Own):
    tray = models.ForeignKey(Tray, models.CASCADE, null=True, related_name="cups")
    maker = models.ForeignKey(Maker, models.CASCADE, null=True, related_name="cups")
    volume = models.IntegerField(default=0)
    is_full = models.BooleanField(default=False)
    code = models.CharField(max_length=20, unique=True, null=True)
    title = models.CharField(max_length=20, default="")
    maker_name = synced(
        models.CharField(max_length=20, null=True), F("maker__name"), tracking="memory"
    )


class Saucer(Own):
    """A second plain model."""

    maker = models.ForeignKey(Maker, models.CASCADE, null=True, related_name="saucers")
    cup = models.ForeignKey(Cup, models.CASCADE, null=True, related_name="saucers")
    weight = models.IntegerField(default=1)


class Special(Cup):
    """Its rows are in two tables."""

    extra = models.IntegerField(default=0)


@pytest.fixture
def world():
    trays = [Tray.objects.create() for _ in range(2)]
    makers = [Maker.objects.create(name=name) for name in "ab"]
    cup = Cup.objects.create(tray=trays[0], maker=makers[0], volume=3, is_full=True)
    Cup.objects.create(tray=trays[0], maker=makers[1], volume=2, code="taken")
    saucer = Saucer.objects.create(maker=makers[0], cup=cup)
    assert_kept()
    return trays, makers, cup, saucer


def behind(cup, **values):
    """Another instance of the row is saved."""
    other = type(cup).objects.get(pk=cup.pk)
    for name, value in values.items():
        setattr(other, name, value)
    other.save()


CHANGES = [
    {"volume": 5},
    {"volume": 1, "is_full": False},
    {"tray": 1},
    {"tray": None, "maker": 1},
    {"title": "x"},
    {"tray": 1, "volume": 9, "is_full": False},
    {"maker": None},
    {},
]


@pytest.mark.parametrize("fresh", [True, False], ids=["loaded", "created"])
@pytest.mark.parametrize("named", [True, False], ids=["named fields", "all fields"])
def test_several_writes_of_one_instance(world, fresh, named):
    trays, makers, cup, _ = world
    cup = Cup.objects.get(pk=cup.pk) if fresh else cup
    for change in [*CHANGES, *CHANGES[::-1]]:
        for name, value in change.items():
            places = {"tray": trays, "maker": makers}.get(name)
            setattr(cup, name, places[value] if places and value is not None else value)

        cup.save(update_fields=list(change)) if named and change else cup.save()

        assert_kept()
    cup.delete()
    assert_kept()


def test_two_models_do_not_disturb_one_another(world):
    _, makers, cup, saucer = world
    for place in (1, 0, 1):
        cup.maker = makers[place]
        saucer.maker = makers[1 - place]
        saucer.save()
        cup.save()
        assert_kept()
        makers[place].name += "x"
        makers[place].save()
        assert_kept()
    saucer.delete()
    cup.delete()
    assert_kept()


@pytest.mark.parametrize(
    "refresh",
    [
        lambda cup: cup.refresh_from_db(),
        lambda cup: cup.refresh_from_db(fields=["tray", "volume"]),
        lambda cup: cup.refresh_from_db(fields=["tray_id", "volume"]),
        lambda cup: cup.refresh_from_db(None, ["tray", "volume"]),
        lambda cup: cup.refresh_from_db("default", ("tray_id", "volume")),
        lambda cup: cup.refresh_from_db(fields=iter(["tray", "volume"])),
    ],
    ids=["all", "by name", "by column", "by position", "with a database", "an iterator"],
)
def test_what_was_refreshed_is_known(world, refresh):
    trays, _, cup, _ = world
    behind(cup, tray=trays[1], volume=7)

    refresh(cup)
    cup.tray, cup.volume = None, 20
    cup.save()

    assert_kept()


def test_what_was_not_refreshed_is_not_known_anew(world):
    _, _, cup, _ = world
    cup.volume = 20
    cup.refresh_from_db(None, ["tray"])
    cup.refresh_from_db(fields=["title"])

    cup.save()

    assert_kept()


@pytest.mark.parametrize("fields", [None, ["volume"]])
def test_what_was_refreshed_in_what_is_rolled_back_is_not_known(world, fields):
    cup = Cup.objects.get(pk=world[2].pk)
    with suppress(Refusal), transaction.atomic():
        behind(cup, volume=9)
        cup.refresh_from_db(fields=fields)
        raise Refusal
    cup.volume = 20

    cup.save()

    assert_kept()


@pytest.mark.parametrize("way", ["defer", "only", "values left out"])
@pytest.mark.parametrize("edit", ["assigned", "read and assigned", "not assigned"])
def test_deferred_fields(world, way, edit):
    trays, _, cup, _ = world
    queryset = {
        "defer": Cup.objects.defer("volume", "tray"),
        "only": Cup.objects.only("title"),
        "values left out": Cup.objects.only("is_full", "maker"),
    }[way]
    cup = queryset.get(pk=cup.pk)
    if edit == "read and assigned":
        assert (cup.volume, cup.tray_id) == (3, trays[0].pk)
    if edit != "not assigned":
        cup.volume, cup.tray = 8, trays[1]
    cup.is_full = False

    cup.save()
    assert_kept()
    cup.volume, cup.tray = 4, trays[0]
    cup.save()

    assert_kept()


class Refusal(Exception):
    pass


def refuse(**kwargs):
    raise Refusal


def test_a_save_that_the_database_refuses_is_saved_later(world):
    trays, _, cup, _ = world
    cup.tray, cup.volume, cup.code = trays[1], 9, "taken"
    with pytest.raises(IntegrityError), transaction.atomic():
        cup.save()
    assert_kept()

    cup.code = "free"
    cup.save()

    assert_kept()


@pytest.mark.parametrize("model", [Cup, Special])
@pytest.mark.parametrize("again", [True, False])
def test_a_save_that_a_receiver_refuses_is_saved_later(world, model, again):
    trays, makers, _, _ = world
    cup = model.objects.create(tray=trays[0], maker=makers[0], volume=4)
    cup = model.objects.get(pk=cup.pk) if again else cup
    cup.tray, cup.volume = trays[1], 9
    post_save.connect(refuse, sender=model)
    try:
        with pytest.raises(Refusal), transaction.atomic():
            cup.save()
    finally:
        post_save.disconnect(refuse, sender=model)
    assert_kept()

    cup.save()

    assert_kept()


@pytest.mark.parametrize("later", [{}, {"title": "x"}, {"volume": 1}, {"tray": None}], ids=str)
def test_a_save_that_is_rolled_back_is_saved_later(world, later):
    trays, _, cup, _ = world
    with suppress(Refusal), transaction.atomic():
        cup.tray, cup.volume, cup.is_full = trays[1], 9, False
        cup.save()
        cup.save(update_fields=["volume"])
        assert_kept()
        raise Refusal
    assert_kept()

    for name, value in later.items():
        setattr(cup, name, value)
    if later:
        cup.save(update_fields=list(later))
        assert_kept()
    cup.save()

    assert_kept()


def test_a_savepoint_that_is_rolled_back_by_hand(world):
    _, _, cup, _ = world
    with transaction.atomic():
        savepoint = connection.savepoint()
        cup.volume = 9
        cup.save()
        connection.savepoint_rollback(savepoint)
        assert_kept()

        cup.save()

    assert_kept()


def test_a_creation_that_is_rolled_back_is_saved_later(world):
    trays, _, _, _ = world
    cup = Cup(tray=trays[0], volume=5)
    with suppress(Refusal), transaction.atomic():
        cup.save()
        raise Refusal
    cup.volume = 6

    cup.save()

    assert_kept()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("in_block", [True, False], ids=["atomic", "autocommit"])
def test_what_a_save_that_is_committed_tells_is_trusted(in_block):
    try:
        tray = Tray.objects.create()
        cup = Cup.objects.create(tray=tray, volume=1)
        cup.volume = 2
        with sent() as first:
            cup.save()
        if in_block:
            with transaction.atomic():
                cup.volume = 3
                cup.save()
                cup.volume = 4
                with sent() as second:
                    cup.save()
        else:
            cup.volume = 4
            with sent() as second:
                cup.save()

        assert_kept()
        assert first == second
    finally:
        empty(APPS)
