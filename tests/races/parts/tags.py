"""Album > Photo > Tag: generic relations, which no constraint of the database guards."""

from __future__ import annotations

from tests.races.parts.world import World
from tests.testapp import models as zoo


def build():
    photos = [zoo.Photo.objects.create(album=zoo.Album.objects.create()) for _ in range(2)]
    zoo.Clip.objects.create()
    for photo in photos:
        for weight in (1, 5):
            zoo.Tag.objects.create(content_object=photo, weight=weight)


world = World(
    build, rows=(zoo.Album, zoo.Photo, zoo.Clip, zoo.Tag), targets=(zoo.Album, zoo.Photo, zoo.Clip)
)


def photos() -> list[zoo.Photo]:
    return list(zoo.Photo.objects.order_by("pk"))


@world.part
def create_tag():
    photo, _ = photos()
    return lambda: zoo.Tag.objects.create(content_object=photo, weight=9)


@world.part
def move_tag():
    tag = photos()[0].tags.latest("weight")
    tag.content_object = photos()[1]
    return tag.save


@world.part
def move_tag_to_clip():
    tag = photos()[0].tags.latest("weight")
    tag.content_object = zoo.Clip.objects.get()
    return tag.save


@world.part
def delete_tags():
    return lambda: zoo.Tag.objects.filter(weight=5).delete()


@world.part
def move_photo():
    first, second = photos()
    first.album_id = second.album_id
    return first.save


@world.part
def delete_photo():
    return photos()[0].delete


@world.part
def delete_album():
    return zoo.Album.objects.earliest("pk").delete
