"""django-filter: filters over synced fields are filters over columns."""

from __future__ import annotations

import pytest

pytest.importorskip("django_filters", reason="django-filter is not installed")

import django_filters
from django.db import models
from django.db.models import Count, F, Max

from syncfields import synced
from tests.packages.truth import assert_true, shown

pytestmark = pytest.mark.django_db


class Hotel(models.Model):
    name = models.CharField(max_length=20, default="")
    stay_count = synced(models.IntegerField(default=0), Count("stays"))
    longest = synced(models.IntegerField(null=True), Max("stays__nights"))


class Stay(models.Model):
    hotel = models.ForeignKey(Hotel, models.CASCADE, related_name="stays")
    nights = models.IntegerField(default=1)
    hotel_stays = synced(models.IntegerField(null=True), F("hotel__stay_count"))


class HotelFilter(django_filters.FilterSet):
    class Meta:
        model = Hotel
        fields = {"stay_count": ["exact", "gt", "lt"], "longest": ["exact", "isnull"]}


class StayFilter(django_filters.FilterSet):
    hotel__stay_count = django_filters.RangeFilter()
    order = django_filters.OrderingFilter(fields=["hotel_stays", "nights"])

    class Meta:
        model = Stay
        fields = ["nights", "hotel_stays"]


def test_rows_are_filtered_and_written(db):
    hotels = [Hotel.objects.create() for _ in range(3)]
    for number, hotel in enumerate(hotels):
        for nights in range(number):
            Stay.objects.create(hotel=hotel, nights=nights + 1)
    assert_true()

    found = HotelFilter({"stay_count__gt": "0", "longest": "2"}).qs
    assert list(found) == hotels[2:]
    assert list(HotelFilter({"longest__isnull": "True"}).qs) == hotels[:1]
    stays = StayFilter({"hotel__stay_count_min": "2", "order": "-nights"}).qs
    assert [stay.nights for stay in stays] == [2, 1]
    stays.filter(nights=2).delete()
    assert_true()
    StayFilter({"hotel_stays": "1"}).qs.update(nights=F("nights") + 4)
    assert_true()


def test_what_the_page_shows(db):
    for number in range(2):
        hotel = Hotel.objects.create()
        Stay.objects.bulk_create([Stay(hotel=hotel) for _ in range(number)])

    shown("django-filter", globals())
    assert_true()
    assert list(Hotel.objects.order_by("pk").values_list("name", flat=True)) == ["", "full"]
