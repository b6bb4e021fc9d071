"""Generic relations, by keys of every type."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.contenttypes.models import ContentType

from tests.testapp import models as zoo
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def tagged():
    """A photo and a clip, with the same key, and each with tags."""
    photo, clip = zoo.Photo(pk=70_000, album=zoo.Album.objects.create()), zoo.Clip(pk=70_000)
    for target in (photo, clip):
        target.save()
        for weight in (1, 4):
            zoo.Tag.objects.create(content_object=target, weight=weight)
    zoo.Tag.objects.create()
    return photo, clip


def retag(source, target):
    tag = source.tags.last() if source else zoo.Tag.objects.get(content_type=None)
    tag.content_object = target
    tag.save()


TAGS = {
    "created by the relation": lambda photo, clip: photo.tags.create(weight=9),
    "moved to another row": lambda photo, clip: retag(photo, zoo.Photo.objects.create()),
    "moved to another type with the same key": retag,
    "set to NULL": lambda photo, clip: retag(photo, None),
    "from NULL": lambda photo, clip: retag(None, clip),
    "only the type changes": lambda photo, clip: photo.tags.update(content_type=type_of(clip)),
    "updated": lambda photo, clip: zoo.Tag.objects.update(weight=5, object_id=70_000),
    "bulk_created": lambda photo, clip: zoo.Tag.objects.bulk_create(
        zoo.Tag(content_object=each, weight=8) for each in (photo, clip, clip)
    ),
    "added": lambda photo, clip: photo.tags.add(*clip.tags.all()),
    "added and saved": lambda photo, clip: photo.tags.add(*clip.tags.all(), bulk=False),
    "set": lambda photo, clip: photo.tags.set(clip.tags.all()[:1]),
    "removed": lambda photo, clip: photo.tags.remove(photo.tags.first()),
    "cleared": lambda photo, clip: photo.tags.clear(),
    "deleted": lambda photo, clip: zoo.Tag.objects.filter(weight=4).delete(),
    "the parent is deleted": lambda photo, clip: photo.delete(),
    "the parents are deleted": lambda photo, clip: zoo.Photo.objects.all().delete(),
    "the photo changes its album": lambda photo, clip: put_elsewhere(photo),
}


def put_elsewhere(photo):
    photo.album = zoo.Album.objects.create()
    photo.save()


def type_of(row):
    return ContentType.objects.get_for_model(row)


@pytest.mark.parametrize("name", TAGS)
def test_generic_relations_are_kept(tagged, name):
    TAGS[name](*tagged)

    assert_truth()


@pytest.mark.parametrize(
    ("target", "tag", "keys"),
    [
        (zoo.Document, zoo.DocumentTag, [uuid.UUID(int=1), uuid.UUID(int=2)]),
        (zoo.Page, zoo.TextTag, ["7", "start"]),
    ],
)
def test_generic_relations_by_keys_that_are_uuids_or_text(target, tag, keys):
    here, there = (target.objects.create(pk=key) for key in keys)
    rows = [tag.objects.create(content_object=here) for _ in range(3)]
    assert_truth()
    rows[0].content_object = there
    rows[0].save()
    assert_truth()
    there.tags.add(rows[1])
    tag.objects.bulk_create([tag(content_object=there)])
    assert_truth()
    tag.objects.filter(pk=rows[2].pk).update(object_id=there.pk)
    assert_truth()
    there.delete()

    assert not tag.objects.exists()
    assert_truth()
