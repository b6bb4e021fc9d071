"""Playlist >< Track: many to many, from both sides."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    tracks = [zoo.Track.objects.create(minutes=minutes) for minutes in (3, 12, 20)]
    for chosen in (tracks[:2], tracks[1:]):
        zoo.Playlist.objects.create().tracks.set(chosen)


world = World(
    build,
    rows=(zoo.Track, zoo.Playlist, zoo.Playlist.tracks.through),
    targets=(zoo.Track, zoo.Playlist),
)


def playlists() -> list[zoo.Playlist]:
    return list(zoo.Playlist.objects.order_by("pk"))


def tracks() -> list[zoo.Track]:
    return list(zoo.Track.objects.order_by("minutes"))


@world.part
def add_track():
    first, long = playlists()[0], tracks()[-1]
    return lambda: first.tracks.add(long)


@world.part
def add_playlists():
    short, both = tracks()[0], playlists()
    return lambda: short.playlists.add(*both)


@world.part
def remove_track():
    first, middle = playlists()[0], tracks()[1]
    return lambda: first.tracks.remove(middle)


@world.part
def set_tracks():
    second, chosen = playlists()[1], tracks()[:2]
    return lambda: second.tracks.set(chosen)


@world.part
def clear_playlists():
    middle = tracks()[1]
    return middle.playlists.clear


@world.part
def lengthen_track():
    middle = tracks()[1]
    middle.minutes = 30
    return middle.save


@world.part
def delete_track():
    return tracks()[1].delete


@world.part
def delete_playlist():
    return playlists()[0].delete
