"""Content types have other keys in another database, and in the schema of another tenant."""

from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType

from syncfields.testing import assert_in_sync
from tests.testapp.models import Album, Clip, Photo, Tag

pytestmark = pytest.mark.django_db(databases=["default", "other"])
MODELS = (Photo, Clip, Album, Tag)


@pytest.fixture(autouse=True)
def forgotten():
    ContentType.objects.clear_cache()
    yield
    ContentType.objects.clear_cache()


def shift(using, by):
    """Give the content types of the zoo other keys, as another database may have them."""
    types = ContentType.objects.using(using).filter(app_label="testapp")
    rows = list(types.values("app_label", "model", "pk"))
    types.delete()
    ContentType.objects.using(using).bulk_create(
        ContentType(pk=row["pk"] + by, app_label=row["app_label"], model=row["model"])
        for row in rows
    )
    ContentType.objects.clear_cache()


def true_counts(model, using):
    """The tags of each row, counted over plain rows."""
    kind = (
        ContentType.objects.using(using).get(app_label="testapp", model=model._meta.model_name).pk
    )
    tags = list(Tag.objects.using(using).values_list("content_type_id", "object_id"))
    return {
        pk: tags.count((kind, pk)) for pk in model.objects.using(using).values_list("pk", flat=True)
    }


def play(using):
    """Write tags in each way, and compare after each."""
    photo, clip = (model.objects.using(using).create() for model in (Photo, Clip))

    def check():
        for model in (Photo, Clip):
            stored = dict(model.objects.using(using).values_list("pk", "tag_count"))
            assert stored == true_counts(model, using)

    tag = photo.tags.create()
    check()
    Tag.objects.using(using).bulk_create(Tag(content_object=each) for each in (photo, clip, clip))
    check()
    tag.content_object = clip
    tag.save()
    check()
    Tag.objects.using(using).filter(pk=tag.pk).update(object_id=photo.pk)
    check()
    Tag.objects.using(using).filter(pk=tag.pk).delete()
    check()
    Tag.objects.using(using).filter(object_id=clip.pk).first().delete()
    check()
    assert_in_sync(Photo, Clip, using=using)


def test_another_database_has_other_keys():
    shift("other", 1000)

    for using in ("default", "other", "default", "other"):
        play(using)


def test_another_tenant_has_other_keys():
    """As seen over one connection; who switches tells Django to forget its content types."""
    for number in range(1, 4):
        play("default")
        Tag.objects.all().delete()
        shift("default", 1000 * number)
