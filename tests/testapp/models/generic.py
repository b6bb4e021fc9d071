"""Tags: generic relations, by number, by UUID, by text."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Count, Max

from syncfields import synced
from tests.testapp.models.fields import count_field


class Tag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True)
    object_id = models.PositiveBigIntegerField(null=True)
    content_object = GenericForeignKey()
    weight = models.IntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["content_type", "object_id"])]


class Tagged(models.Model):
    tags = GenericRelation(Tag)
    tag_count = synced(count_field(), Count("tags"))
    tag_weight = synced(models.IntegerField(null=True), Max("tags__weight"))

    class Meta:
        abstract = True


class Photo(Tagged):
    album = models.ForeignKey("Album", models.CASCADE, null=True, related_name="photos")


class Clip(Tagged):
    pass


class Album(models.Model):
    tag_count = synced(count_field(), Count("photos__tags"))


class DocumentTag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.UUIDField()
    content_object = GenericForeignKey()

    class Meta:
        indexes = [models.Index(fields=["content_type", "object_id"])]


class Document(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tags = GenericRelation(DocumentTag)
    tag_count = synced(count_field(), Count("tags"))


class TextTag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=40)
    content_object = GenericForeignKey()

    class Meta:
        indexes = [models.Index(fields=["content_type", "object_id"])]


class Page(models.Model):
    slug = models.CharField(max_length=40, primary_key=True)
    tags = GenericRelation(TextTag)
    tag_count = synced(count_field(), Count("tags"))
