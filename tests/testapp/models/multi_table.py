"""Places and restaurants: multi-table inheritance."""

from django.db import models
from django.db.models import Count, F, Max, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field


class Zone(models.Model):
    place_count = synced(count_field(), Count("places"))
    star_sum = synced(models.IntegerField(default=0), Sum("places__restaurant__stars"))
    review_count = synced(count_field(), Count("places__reviews"))


class Place(models.Model):
    zone = models.ForeignKey(Zone, models.CASCADE, null=True, related_name="places")
    name = models.CharField(max_length=40, default="")
    review_count = synced(count_field(), Count("reviews"))


class Restaurant(Place):
    stars = models.IntegerField(default=0)
    dish_count = synced(count_field(), Count("dishes"))
    best_review = synced(models.IntegerField(null=True), Max("reviews__grade"))


class Review(models.Model):
    place = models.ForeignKey(Place, models.CASCADE, related_name="reviews")
    grade = models.IntegerField(default=0)


class Dish(models.Model):
    restaurant = models.ForeignKey(Restaurant, models.CASCADE, related_name="dishes")
    place_name = synced(models.CharField(max_length=40, default=""), F("restaurant__name"))
