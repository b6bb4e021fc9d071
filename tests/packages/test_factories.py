"""factory_boy: rows made of what a factory declares, saved again after its hooks."""

from __future__ import annotations

import pytest

pytest.importorskip("factory", reason="factory_boy is not installed")

import factory
from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from factory.django import DjangoModelFactory

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Band(models.Model):
    name = models.CharField(max_length=20)
    song_count = synced(models.IntegerField(default=0), Count("songs"))
    long_count = synced(
        models.IntegerField(default=0), Count("songs", filter=Q(songs__seconds__gt=100))
    )
    seconds = synced(models.IntegerField(default=0), Sum("songs__seconds"))
    longest = synced(models.IntegerField(null=True), Max("songs__seconds"))
    fan_count = synced(models.IntegerField(default=0), Count("fans"))


class Song(models.Model):
    band = models.ForeignKey(Band, models.CASCADE, related_name="songs")
    seconds = models.IntegerField(default=1)
    band_name = synced(models.CharField(max_length=20), F("band__name"))


class Admirer(models.Model):
    bands = models.ManyToManyField(Band, related_name="fans")


class BandFactory(DjangoModelFactory):
    name = factory.Sequence("band {}".format)

    class Meta:
        model = Band
        django_get_or_create = ["name"]


class SongFactory(DjangoModelFactory):
    band = factory.SubFactory(BandFactory)
    seconds = factory.Iterator([50, 150, 250])

    class Meta:
        model = Song
        skip_postgeneration_save = True


class AlbumFactory(BandFactory):
    """A band with songs, which is saved once more after they are made."""

    first = factory.RelatedFactory(SongFactory, "band")
    others = factory.RelatedFactoryList(SongFactory, "band", size=3)

    class Meta:
        skip_postgeneration_save = True

    @classmethod
    def _after_postgeneration(cls, instance, create, results=None):
        if create and results:
            instance.save()


class AdmirerFactory(DjangoModelFactory):
    class Meta:
        model = Admirer
        skip_postgeneration_save = True

    @factory.post_generation
    def bands(self, create, extracted):
        if create and extracted:
            self.bands.add(*extracted)


def test_one_and_many():
    song = SongFactory()
    assert_true()
    SongFactory.create_batch(4, band=song.band)
    assert_true()
    assert song.band_name == song.band.name
    assert song.band.song_count == 5
    BandFactory(name=song.band.name)
    assert_true()
    assert Band.objects.count() == 1


def test_related_rows_and_the_save_after_them():
    band = AlbumFactory()
    assert_true()

    assert band.song_count == Band.objects.get().song_count == 4


def test_sets_of_related_rows():
    bands = BandFactory.create_batch(2)
    AdmirerFactory(bands=bands)
    assert_true()
    AdmirerFactory(bands=bands[:1])
    assert_true()
    assert [band.fan_count for band in Band.objects.order_by("pk")] == [2, 1]


def test_what_is_built_is_saved_by_hand():
    song = SongFactory.build(band=BandFactory())
    song.save()
    assert_true()
    Song.objects.bulk_create(SongFactory.build_batch(3, band=song.band))
    assert_true()


def test_what_the_page_shows():
    shown("factory_boy", globals())
    assert_true()
