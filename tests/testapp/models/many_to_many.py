"""Playlists, bands, friends: many to many."""

from django.db import models
from django.db.models import Count, Max, Q, Sum

from syncfields import synced
from tests.testapp.models.fields import count_field


class Track(models.Model):
    minutes = models.IntegerField(default=0)
    playlist_count = synced(count_field(), Count("playlists"))


class Playlist(models.Model):
    tracks = models.ManyToManyField(Track, related_name="playlists")
    track_count = synced(count_field(), Count("tracks"))
    long_count = synced(count_field(), Count("tracks", filter=Q(tracks__minutes__gte=10)))
    minutes = synced(models.IntegerField(default=0), Sum("tracks__minutes"))
    longest = synced(models.IntegerField(null=True), Max("tracks__minutes"))


class Musician(models.Model):
    fame = models.IntegerField(default=0)
    friends = models.ManyToManyField("self")
    friend_count = synced(count_field(), Count("friends"))
    friends_fame = synced(models.IntegerField(default=0), Sum("friends__fame"))
    band_count = synced(count_field(), Count("bands"))


class Band(models.Model):
    members = models.ManyToManyField(Musician, through="Membership", related_name="bands")
    member_count = synced(count_field(), Count("members"))
    active_count = synced(count_field(), Count("memberships", filter=Q(memberships__active=True)))
    active_fame = synced(
        models.IntegerField(default=0),
        Sum("memberships__musician__fame", filter=Q(memberships__active=True)),
    )


class Membership(models.Model):
    band = models.ForeignKey(Band, models.CASCADE, related_name="memberships")
    musician = models.ForeignKey(Musician, models.CASCADE, related_name="memberships")
    active = models.BooleanField(default=True)
